package vault

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"panshi/internal/durable"
	"panshi/internal/errs"
)

// Copy gives a shop that moves its keys in another place as well: key file and
// keysets, durably, each of them whole or absent. What is there already and the
// same stays; so a copy that was interrupted goes on, and one that is complete
// changes nothing. Keys of another shop are never replaced: code vault_exists.
// Both places work afterwards, and whoever moved for good destroys the first.
func Copy(from, to Config) error {
	if _, err := Open(from); err != nil {
		return err
	}
	_, err := creating(to, func() error {
		key, err := readGuarded(from.KeyFile)
		if err != nil {
			return err
		}
		defer clear(key)
		if err := placeSame(to.KeyFile, key); err != nil {
			return err
		}
		if err := copySets(from.Dir, to.Dir); err != nil {
			return err
		}
		return copySecrets(from.Dir, to.Dir)
	})
	return err
}

// Fits tells before anything is made whether Copy would find another shop's key
// in the place of its own: code vault_exists.
func Fits(from, to Config) error {
	if _, err := os.Lstat(to.KeyFile); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	key, err := readGuarded(from.KeyFile)
	if err != nil {
		return err
	}
	defer clear(key)
	return isSame(to.KeyFile, key)
}

// CopySets puts the wrapped keysets, and not the key that opens them, into a
// directory, durably. What is there already and the same stays; keysets of
// another shop are never replaced: code vault_exists.
func CopySets(from Config, dir string) error {
	if err := durable.MakeDir(dir); err != nil {
		return writeFailed(err)
	}
	return copySets(from.Dir, dir)
}

func copySets(from, to string) error {
	all, err := expected(from)
	if err != nil {
		return err
	}
	if len(all) < len(slots()) {
		if err := MarkCardsElsewhere(to); err != nil {
			return err
		}
	}
	for _, s := range all {
		wrapped, err := os.ReadFile(filepath.Join(from, s.file()))
		if err != nil {
			return errs.Wrap(err, errs.Unavailable, "vault_keyset_unreadable", "a keyset cannot be read").With("path", s.file())
		}
		if err := placeSame(filepath.Join(to, s.file()), wrapped); err != nil {
			return err
		}
	}
	return nil
}

// copySecrets copies the wrapped secrets of other packages (see Secrets).
func copySecrets(from, to string) error {
	paths, err := filepath.Glob(filepath.Join(from, "*"+secretSuffix))
	if err != nil {
		return err
	}
	for _, path := range paths {
		wrapped, err := os.ReadFile(path)
		if err != nil {
			return errs.Wrap(err, errs.Unavailable, "vault_keyset_unreadable", "a keyset cannot be read").With("path", filepath.Base(path))
		}
		if err := placeSame(filepath.Join(to, filepath.Base(path)), wrapped); err != nil {
			return err
		}
	}
	return nil
}

// placeSame makes a file unless one with this content is there.
func placeSame(path string, content []byte) error {
	err := placeFile(path, content)
	if !errors.Is(err, fs.ErrExist) {
		if err != nil {
			return writeFailed(err)
		}
		return nil
	}
	return isSame(path, content)
}

// isSame refuses a file with another content.
func isSame(path string, content []byte) error {
	there, err := os.ReadFile(path)
	defer clear(there)
	if err != nil {
		return writeFailed(err)
	}
	if !bytes.Equal(there, content) {
		return errs.New(errs.Conflict, "vault_exists", "there are other keys at "+path+"; they are never replaced").With("path", path)
	}
	return nil
}
