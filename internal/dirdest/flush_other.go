//go:build !linux

package dirdest

import (
	"errors"
	"syscall"

	"panshi/internal/errs"
)

// Flush asks for all file systems to be written out.
func (*Dest) Flush() error {
	syscall.Sync()
	return nil
}

// Unmount fails with code backup_not_unmounted: this system has no call for it that
// we know.
func Unmount(dir string) error {
	return errs.Wrap(errors.ErrUnsupported, errs.Unavailable, "backup_not_unmounted", "the disk could not be unmounted").With("dir", dir)
}
