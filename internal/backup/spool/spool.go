package spool

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/durable"
	"panshi/internal/errs"
)

// partial ends the name of a file that is being written.
const partial = ".partial"

// Spool is an open spool. One process writes to a directory at a time; any may
// read. Its methods may run concurrently.
type Spool struct {
	dir    string
	cipher tink.StreamingAEAD

	mu    sync.Mutex
	files []File // guarded by mu; sorted by name
	size  int64  // guarded by mu; bytes of all files
}

// Create makes the directory (0700), removes what an interrupted write left in
// it, and opens it for writing. Code spool_unusable.
func Create(dir string, cipher tink.StreamingAEAD) (*Spool, error) {
	if err := durable.MakeDir(dir); err != nil {
		return nil, unusable(dir, err)
	}
	if err := removePartial(dir); err != nil {
		return nil, unusable(dir, err)
	}
	return Open(dir, cipher)
}

// Open opens an existing spool. It writes nothing. Code spool_unusable.
func Open(dir string, cipher tink.StreamingAEAD) (*Spool, error) {
	s := &Spool{dir: dir, cipher: cipher}
	files, err := scan(dir)
	if err != nil {
		return nil, unusable(dir, err)
	}
	s.files = files
	for _, f := range files {
		s.size += f.Size
	}
	return s, nil
}

func unusable(dir string, err error) error {
	return errs.Wrap(err, errs.Unavailable, "spool_unusable", "the spool of the backup cannot be used").With("path", dir)
}

// scan finds all files of a spool, sorted by name. What is not named like one
// is not one.
func scan(dir string) ([]File, error) {
	var files []File
	generations, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, g := range generations {
		if !g.IsDir() || !isGeneration(g.Name()) {
			continue
		}
		for level := range SnapshotLevel + 1 {
			found, err := scanLevel(dir, g.Name()+"/"+strconv.Itoa(level)+"/")
			if err != nil {
				return nil, err
			}
			files = append(files, found...)
		}
	}
	slices.SortFunc(files, byName)
	return files, nil
}

func scanLevel(dir, prefix string) (files []File, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, prefix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		f, ok := Parse(Name(prefix + e.Name()))
		if !ok {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		f.Size = info.Size()
		files = append(files, f)
	}
	return files, nil
}

// removePartial removes what interrupted writes left.
func removePartial(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, partial) {
			return err
		}
		return os.Remove(path) //nolint:gosec // the directory is private (0700) and ours
	})
}

func byName(a, b File) int { return cmp.Compare(a.Name, b.Name) }

// List returns the files whose names come after the given one, in the order of
// their names; "" lists all. What was written during a walk in pages may stand
// before the page: a copier starts over at "" when it has reached the end.
func (s *Spool) List(_ context.Context, after Name) ([]File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := slices.BinarySearchFunc(s.files, after, func(f File, n Name) int { return cmp.Compare(f.Name, n) })
	if found {
		i++
	}
	return slices.Clone(s.files[i:]), nil
}

// Level returns the files of one level of a generation, from the first that
// holds a transaction at or after from.
func (s *Spool) Level(generation string, level int, from uint64) []File {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix := Name(generation + "/" + strconv.Itoa(level) + "/")
	i, _ := slices.BinarySearchFunc(s.files, prefix, func(f File, n Name) int { return cmp.Compare(f.Name, n) })
	var out []File
	for ; i < len(s.files) && strings.HasPrefix(string(s.files[i].Name), string(prefix)); i++ {
		if s.files[i].Last >= from {
			out = append(out, s.files[i])
		}
	}
	return out
}

// Size is how many bytes all files have.
func (s *Spool) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Remove deletes a file, durably. One that is not there is no error: somebody
// else removed it.
func (s *Spool) Remove(_ context.Context, name Name) error {
	f, ok := Parse(name)
	if !ok {
		return errs.New(errs.Invalid, "spool_name", "this is not the name of a file of a spool").With("file", string(name))
	}
	path := s.path(f.Name)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unusable(s.dir, err)
	}
	s.mu.Lock()
	if i, found := slices.BinarySearchFunc(s.files, f, byName); found {
		s.size -= s.files[i].Size
		s.files = slices.Delete(s.files, i, i+1)
	}
	s.mu.Unlock()
	if err := durable.SyncDir(filepath.Dir(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unusable(s.dir, err)
	}
	return nil
}

// add takes a file that is on disk into the index.
func (s *Spool) add(f File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := slices.BinarySearchFunc(s.files, f, byName)
	if found {
		return
	}
	s.files = slices.Insert(s.files, i, f)
	s.size += f.Size
}

func (s *Spool) path(name Name) string { return filepath.Join(s.dir, filepath.FromSlash(string(name))) }

// Dir is the directory of the spool.
func (s *Spool) Dir() string { return s.dir }
