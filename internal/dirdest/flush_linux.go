package dirdest

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"panshi/internal/errs"
)

// Flush has the whole file system of the directory written out, with what others
// wrote to it.
func (d *Dest) Flush() error {
	f, err := os.Open(d.dir)
	if err != nil {
		return failure("put", d.dir, err)
	}
	if err := errors.Join(unix.Syncfs(int(f.Fd())), f.Close()); err != nil {
		return failure("put", d.dir, err)
	}
	return nil
}

// Unmount takes the file system that is mounted at dir out of the tree. Code
// backup_not_unmounted: we may not, or somebody uses it.
func Unmount(dir string) error {
	if err := unix.Unmount(dir, 0); err != nil {
		return errs.Wrap(err, errs.Unavailable, "backup_not_unmounted", "the disk could not be unmounted").With("dir", dir)
	}
	return nil
}
