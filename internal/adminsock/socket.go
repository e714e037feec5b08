package adminsock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"panshi/internal/errs"
)

const (
	// socketName is the name of the socket in the data directory.
	socketName = "admin.sock"
	// maxPath is what the kernel takes as the path of a Unix socket, in bytes
	// (sun_path, without the NUL at its end).
	maxPath     = 107
	dialTimeout = 2 * time.Second
)

// place is where a socket is reached. A path that the kernel would not take is
// reached through an open directory.
type place struct {
	path string
	dir  *os.File // keeps path valid, or nil
}

func (p place) close() {
	if p.dir != nil {
		_ = p.dir.Close() // it was only read
	}
}

// placeOf finds the path by which name in dir can be bound and dialed.
func placeOf(dir, name string) (place, error) {
	path := filepath.Join(dir, name)
	if len(path) <= maxPath {
		return place{path: path}, nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return place{}, err
	}
	if short := fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), name); reaches(filepath.Dir(short), d) {
		return place{path: short, dir: d}, nil
	}
	_ = d.Close() // it was only read
	return place{}, errs.New(errs.Invalid, "socket_path_too_long",
		fmt.Sprintf("the path of the data directory is too long for a socket; %s may have %d bytes", path, maxPath))
}

// reaches tells whether path leads to the directory d; without /proc it does
// not.
func reaches(path string, d *os.File) bool {
	there, err := os.Stat(path)
	here, err2 := d.Stat()
	return err == nil && err2 == nil && os.SameFile(there, here)
}

// listen takes the socket of dir. The caller holds the lock of the data
// directory, so nobody else does the same. The socket is bound under another
// name and renamed when its mode is right: it never stands open.
func listen(ctx context.Context, dir string) (*net.UnixListener, error) {
	if err := clearStale(ctx, dir); err != nil {
		return nil, err
	}
	const fresh = socketName + ".new"
	if err := os.Remove(filepath.Join(dir, fresh)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	at, err := placeOf(dir, fresh)
	if err != nil {
		return nil, err
	}
	defer at.close()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: at.path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false) // it will not be where it was bound
	if err := publish(filepath.Join(dir, fresh), filepath.Join(dir, socketName)); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

func publish(fresh, path string) error {
	if err := os.Chmod(fresh, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

// clearStale removes a socket that nobody answers. Anything else that has its
// name is left alone.
func clearStale(ctx context.Context, dir string) error {
	path := filepath.Join(dir, socketName)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errs.New(errs.Conflict, "socket_name_taken", path+" is not a socket; move it away")
	}
	conn, err := dial(ctx, dir)
	if err == nil {
		_ = conn.Close() // nothing was said
		return ErrRunning
	}
	if !errors.Is(err, ErrNotRunning) {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// dial connects to the socket of dir.
func dial(ctx context.Context, dir string) (*net.UnixConn, error) {
	at, err := placeOf(dir, socketName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	defer at.close()
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "unix", at.path)
	if err != nil {
		return nil, dialError(err)
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("adminsock: not a Unix socket"), conn.Close())
	}
	return unix, nil
}

func dialError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ECONNREFUSED):
		return ErrNotRunning
	case errors.Is(err, fs.ErrPermission):
		return errs.Wrap(err, errs.Forbidden, errStranger.Code, errStranger.Msg)
	}
	return errs.Wrap(err, errs.Unavailable, "shop_unreachable", "the running shop does not answer on its admin socket")
}
