package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile writes a file (0600) in the place of one of that name, whole or not
// at all, and makes it and the directory if that is missing. When it returns
// nil, content and name survive a power cut.
func WriteFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	if err := MakeDir(dir); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return SyncDir(dir)
}
