package vault

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"panshi/internal/durable"
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
			err = durable.SyncDir(filepath.Dir(path))
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
