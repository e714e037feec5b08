package mirrortest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"panshi/internal/backup"
	"panshi/internal/backup/mirror"
)

// page is how many files one List gives, so that paging is tried.
const page = 7

// unfinished ends the name of a file that is being written.
const unfinished = ".new"

// Spool is a source in the directory that it names.
type Spool string

func (s Spool) path(name string) string {
	return filepath.Join(string(s), strings.ReplaceAll(name, "/", "!"))
}

// Write adds a file, whole or not at all.
func (s Spool) Write(name string, content []byte) error {
	tmp := s.path(name) + unfinished
	if err := os.WriteFile(tmp, content, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, s.path(name))
}

// List gives a page of files after one.
func (s Spool) List(_ context.Context, after string) ([]mirror.File, error) {
	entries, err := os.ReadDir(string(s))
	var out []mirror.File
	for _, e := range entries {
		name := strings.ReplaceAll(e.Name(), "!", "/")
		if info, err := e.Info(); err == nil && name > after && !strings.HasSuffix(name, unfinished) {
			out = append(out, mirror.File{Name: name, Size: info.Size()})
		}
	}
	slices.SortFunc(out, func(a, b mirror.File) int { return strings.Compare(a.Name, b.Name) })
	return out[:min(len(out), page)], err
}

// Open opens a file.
func (s Spool) Open(_ context.Context, name string) (io.ReadCloser, error) {
	f, err := os.Open(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, backup.Missing(name, err)
	}
	return f, err
}

// Remove removes a file.
func (s Spool) Remove(_ context.Context, name string) error {
	if err := os.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
