// Package bundle packs small files of a shop into one box: its keys, its
// settings. A bundle is plain; who makes one seals it at once (package seal),
// and what is restored from one is written with its mode, where nothing is.
//
// The keys of card keys are in no bundle of the others: with the general one
// alone a restored shop runs and its cards stay shut.
package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"panshi/internal/errs"
)

// version is that of the format.
const version = 1

// File is one file of a bundle.
type File struct {
	Name    string      `json:"name"` // with slashes, below a root that the reader knows
	Mode    fs.FileMode `json:"mode"`
	Content []byte      `json:"content"`
}

// Bundle is the files of one kind.
type Bundle struct {
	Version int    `json:"version"`
	Files   []File `json:"files"`
}

// Of reads files from the disk: their names in the bundle by their paths. One
// that does not exist is left out.
func Of(paths map[string]string) (Bundle, error) {
	b := Bundle{Version: version}
	for path, name := range paths {
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Bundle{}, errs.Wrap(err, errs.Unavailable, "backup_bundle_unreadable", "a file that is to be backed up cannot be read").With("file", name)
		}
		b.Files = append(b.Files, File{Name: name, Mode: 0o600, Content: content})
	}
	slices.SortFunc(b.Files, func(x, y File) int { return strings.Compare(x.Name, y.Name) })
	return b, nil
}

// Digest sums up a bundle, so that one that did not change is not sent again.
func (b Bundle) Digest() string {
	sum := sha256.New()
	for _, f := range b.Files {
		fmt.Fprintf(sum, "%s %o %x\n", f.Name, f.Mode, sha256.Sum256(f.Content))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Write writes a bundle.
func (b Bundle) Write(w io.Writer) error { return json.NewEncoder(w).Encode(b) }

// Read reads what Write wrote. Code backup_bundle_malformed.
func Read(r io.Reader) (Bundle, error) {
	content, err := io.ReadAll(r)
	if err != nil {
		return Bundle{}, err
	}
	var b Bundle
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil || b.Version != version {
		return Bundle{}, errs.Wrap(err, errs.Integrity, "backup_bundle_malformed", "a bundle of the backup is not readable by this version")
	}
	for _, f := range b.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
			return Bundle{}, errs.New(errs.Integrity, "backup_bundle_malformed", "a bundle of the backup names a file outside of it")
		}
	}
	return b, nil
}

// Unpack writes the files below dir, each new and on disk. A file that exists
// ends it with code restore_target_exists.
func (b Bundle) Unpack(dir string) error {
	for _, f := range b.Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return unwritable(f.Name, err)
		}
		if err := writeNew(path, f); err != nil {
			return err
		}
	}
	return nil
}

func writeNew(path string, f File) error {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.Mode.Perm())
	if errors.Is(err, fs.ErrExist) {
		return errs.New(errs.Conflict, "restore_target_exists", "there is something at "+path+" already; nothing is ever restored over it").With("path", path)
	}
	if err != nil {
		return unwritable(f.Name, err)
	}
	_, err = out.Write(f.Content)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return unwritable(f.Name, err)
	}
	return nil
}

func unwritable(name string, err error) error {
	return errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written").With("file", name)
}
