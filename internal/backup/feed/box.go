package feed

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// PutBox shows the mirror a box: write fills it. The box is whole and on disk
// before it stands under its name.
func (f *Feed) PutBox(name string, write func(io.Writer) error) (err error) {
	path := f.boxPath(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return unusable(err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".box-")
	if err != nil {
		return unusable(err)
	}
	err = write(tmp)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return unusable(errors.Join(err, os.Remove(tmp.Name())))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return unusable(err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return unusable(err)
	}
	return nil
}
