package vault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"panshi/internal/fault"
)

// temporary ends the name of a file that is being written.
const temporary = ".new"

// placeFile makes a file (0600) that is either absent or whole and on disk,
// whatever happens. It writes under a temporary name and links that to path:
// unlike a rename, a link fails if path exists. The caller holds the lock.
func placeFile(path string, content []byte) (err error) {
	tmp := path + temporary
	defer func() {
		if rmErr := os.Remove(tmp); err == nil {
			err = rmErr // a second copy of a key must not stay unnoticed
		}
		if err == nil {
			err = syncDir(filepath.Dir(path))
		}
	}()
	if err := writeSynced(tmp, content); err != nil {
		return err
	}
	fault.Point("vault.file.synced")
	if err := os.Link(tmp, path); err != nil {
		return err
	}
	fault.Point("vault.file.linked")
	return nil
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// makeDir makes path (0700) and what is missing above it, each durably.
func makeDir(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lockFile waits until no other process holds the lock. The kernel frees it
// when its holder dies.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // closing frees the lock
}
