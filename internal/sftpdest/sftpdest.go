package sftpdest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"

	"panshi/internal/backup"
	"panshi/internal/clock"
	"panshi/internal/errs"
)

// scratch is the folder of files that are being written.
const scratch = ".tmp"

// Dest is a directory of a server.
type Dest struct {
	cfg   Config
	clock clock.Clock

	mu   sync.Mutex
	conn *connection     // guarded by mu
	made map[string]bool // guarded by mu: directories that are there
}

// New names the server; it connects when it is needed. Codes: those of Validate.
func New(cfg Config, now clock.Clock) (*Dest, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Dest{cfg: cfg, clock: now, made: map[string]bool{}}, nil
}

func (d *Dest) path(name string) string { return path.Join(d.cfg.Dir, name) }

// Put stores a new object (see backup.Destination).
func (d *Dest) Put(ctx context.Context, name string, body backup.Body) error {
	if err := backup.ValidName(name); err != nil {
		return err
	}
	return d.with(ctx, func(c *connection) error {
		if _, err := c.sftp.Lstat(d.path(name)); err == nil {
			return backup.Exists(name, nil)
		}
		if err := d.mkdirs(c, path.Dir(d.path(name)), path.Join(d.cfg.Dir, scratch)); err != nil {
			return d.failure(c, "put", name, err)
		}
		tmp := path.Join(d.cfg.Dir, scratch, d.scratchName())
		err := d.write(c, tmp, name, body)
		if err == nil {
			err = d.place(c, tmp, name)
		}
		if err != nil {
			return d.failure(c, "put", name, errors.Join(err, removed(c.sftp.Remove(tmp))))
		}
		return nil
	})
}

func (d *Dest) scratchName() string {
	var raw [6]byte
	_, _ = rand.Read(raw[:]) // never fails (crypto/rand)
	return fmt.Sprintf("put-%s-%013d", hex.EncodeToString(raw[:]), d.clock.Now().UnixMilli())
}

// removed is nil for a file that is gone.
func removed(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// inFlight is how many packets of a file are under way at a time, so that a far
// server gets more than one packet a round trip.
const inFlight = 32

// write makes a synced scratch file.
func (d *Dest) write(c *connection, tmp, name string, body backup.Body) error {
	r, err := body.Checked(name)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	f, err := c.sftp.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.ReadFromWithConcurrency(r, inFlight)
	if err == nil && !d.cfg.NoSync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// place gives a scratch file its name. A server without hard links gets a rename
// after a look, which two writers at once could pass together; there is one
// writer.
func (d *Dest) place(c *connection, tmp, name string) error {
	if _, links := c.sftp.HasExtension("hardlink@openssh.com"); !links {
		return c.sftp.Rename(tmp, d.path(name))
	}
	if err := c.sftp.Link(tmp, d.path(name)); err != nil {
		if _, statErr := c.sftp.Lstat(d.path(name)); statErr == nil {
			return backup.Exists(name, err)
		}
		return err
	}
	return removed(c.sftp.Remove(tmp))
}

// mkdirs makes directories, once.
func (d *Dest) mkdirs(c *connection, dirs ...string) error {
	for _, dir := range dirs {
		d.mu.Lock()
		made := d.made[dir]
		d.mu.Unlock()
		if made {
			continue
		}
		if err := c.sftp.MkdirAll(dir); err != nil {
			return err
		}
		if path.Base(dir) == scratch {
			d.clear(c, dir)
		}
		d.mu.Lock()
		d.made[dir] = true
		d.mu.Unlock()
	}
	return nil
}

// clear removes scratch files of writers that died a day ago or longer, by the
// time in their names.
func (d *Dest) clear(c *connection, dir string) {
	entries, err := c.sftp.ReadDir(dir)
	if err != nil {
		return // it is tried again after the next start
	}
	for _, e := range entries {
		if at, ok := backup.TimeOf(e.Name()); ok && at.Before(d.clock.Now().Add(-24*time.Hour)) {
			_ = c.sftp.Remove(path.Join(dir, e.Name()))
		}
	}
}

// Get opens a range of an object. The end of ctx ends reading, and the
// connection with it.
func (d *Dest) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	if err := backup.ValidName(name); err != nil {
		return nil, err
	}
	var out *object
	err := d.with(ctx, func(c *connection) error {
		f, err := c.sftp.Open(d.path(name))
		if err != nil {
			return d.failure(c, "get", name, err)
		}
		if info, err := f.Stat(); err != nil || info.IsDir() {
			return errors.Join(backup.Missing(name, err), f.Close())
		}
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			return errors.Join(d.failure(c, "get", name, err), f.Close())
		}
		out = &object{Reader: f, file: f, stop: context.AfterFunc(ctx, func() { d.drop(c) })}
		if length >= 0 {
			out.Reader = io.LimitReader(f, length)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// object is an object that is being read.
type object struct {
	io.Reader
	file *sftp.File
	stop func() bool
}

// Close ends reading.
func (o *object) Close() error {
	o.stop()
	return o.file.Close()
}

// List walks the part of the tree that may hold names with the prefix.
func (d *Dest) List(ctx context.Context, prefix string, each func(backup.Object) error) error {
	return d.with(ctx, func(c *connection) error {
		return d.walk(ctx, c, prefix[:strings.LastIndex(prefix, "/")+1], prefix, each)
	})
}

// walk tells the objects below dir, which is "" or ends in a slash.
func (d *Dest) walk(ctx context.Context, c *connection, dir, prefix string, each func(backup.Object) error) error {
	entries, err := c.sftp.ReadDirContext(ctx, d.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return d.failure(c, "list", prefix, err)
	}
	for _, e := range entries {
		name := dir + e.Name()
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			if strings.HasPrefix(name+"/", prefix) || strings.HasPrefix(prefix, name+"/") {
				err = d.walk(ctx, c, name+"/", prefix, each)
			}
		case strings.HasPrefix(name, prefix) && backup.ValidName(name) == nil:
			err = each(backup.Object{Name: name, Size: e.Size()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Delete removes an object.
func (d *Dest) Delete(ctx context.Context, name string) error {
	if err := backup.ValidName(name); err != nil {
		return err
	}
	return d.with(ctx, func(c *connection) error {
		if err := removed(c.sftp.Remove(d.path(name))); err != nil {
			return d.failure(c, "delete", name, err)
		}
		return nil
	})
}

// failure gives an error its code. SFTP has one status for all that has none of
// its own, a full disk among them: then the free room tells.
func (d *Dest) failure(c *connection, what, name string, err error) error {
	var coded *errs.Error
	switch {
	case errors.As(err, &coded):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return backup.Missing(name, err)
	case errors.Is(err, fs.ErrPermission):
		return backup.Refused(what, name, err)
	case what == "put" && !broken(err) && d.noRoom(c):
		return backup.Full(err)
	}
	return backup.Unavailable(err)
}

// leastRoom is the number of free bytes under which a failure means a full disk.
const leastRoom = 1 << 20

func (d *Dest) noRoom(c *connection) bool {
	info, err := c.sftp.StatVFS(d.cfg.Dir)
	return err == nil && info.FreeSpace() < leastRoom
}
