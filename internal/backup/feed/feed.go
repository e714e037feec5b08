package feed

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"panshi/internal/backup"
	"panshi/internal/backup/mirror"
	"panshi/internal/backup/spool"
	"panshi/internal/errs"
)

// page is how many files List gives at most.
const page = 1000

// Feed is the mirror's source. It is safe for concurrent use.
type Feed struct {
	spool *spool.Spool
	boxes string // directory of boxes, by name

	mu   sync.Mutex
	gone map[spool.Name]bool // guarded by mu: files that left
	list *os.File            // guarded by mu: the same, appended
}

// Open makes a feed of a spool and of the boxes below dir, where it also keeps
// its list. Code backup_state_unusable.
func Open(ctx context.Context, s *spool.Spool, dir string) (*Feed, error) {
	f := &Feed{spool: s, boxes: filepath.Join(dir, "boxes"), gone: map[spool.Name]bool{}}
	if err := os.MkdirAll(f.boxes, 0o700); err != nil {
		return nil, unusable(err)
	}
	if err := f.remember(ctx, filepath.Join(dir, "left")); err != nil {
		return nil, unusable(err)
	}
	return f, nil
}

// remember reads the list and writes it anew without the files that the spool
// has no more.
func (f *Feed) remember(ctx context.Context, path string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	left := map[spool.Name]bool{}
	for line := range strings.Lines(string(old)) {
		left[spool.Name(strings.TrimSpace(line))] = true
	}
	files, err := f.spool.List(ctx, "")
	if err != nil {
		return err
	}
	var kept strings.Builder
	for _, file := range files {
		if left[file.Name] {
			f.gone[file.Name] = true
			kept.WriteString(string(file.Name) + "\n")
		}
	}
	if err := os.WriteFile(path, []byte(kept.String()), 0o600); err != nil {
		return err
	}
	f.list, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	return err
}

func unusable(err error) error {
	return errs.Wrap(err, errs.Unavailable, "backup_state_unusable", "the local state of backups cannot be read or written")
}

// Close lets go of the list.
func (f *Feed) Close() error { return f.list.Close() }

// List implements mirror.Source.
func (f *Feed) List(ctx context.Context, after string) ([]mirror.File, error) {
	all, err := f.segments(ctx)
	if err != nil {
		return nil, err
	}
	boxes, err := f.boxFiles()
	if err != nil {
		return nil, err
	}
	all = append(all, boxes...)
	all = slices.DeleteFunc(all, func(m mirror.File) bool { return m.Name <= after })
	slices.SortFunc(all, func(a, b mirror.File) int { return strings.Compare(a.Name, b.Name) })
	return all[:min(page, len(all))], nil
}

func (f *Feed) segments(ctx context.Context) ([]mirror.File, error) {
	files, err := f.spool.List(ctx, "")
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []mirror.File
	for _, file := range files {
		if f.gone[file.Name] {
			continue
		}
		if name, ok := Object(file); ok {
			out = append(out, mirror.File{Name: name, Size: file.Size})
		}
	}
	return out, nil
}

// boxFiles are the boxes that are whole: one that is being written has a dot.
func (f *Feed) boxFiles() (out []mirror.File, err error) {
	err = filepath.WalkDir(f.boxes, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(f.boxes, path)
		out = append(out, mirror.File{Name: filepath.ToSlash(name), Size: info.Size()})
		return err
	})
	if err != nil {
		err = unusable(err)
	}
	return out, err
}

// Open implements mirror.Source: what it gives is encrypted already, a segment
// by the spool's keyset, a box by the recovery identity.
func (f *Feed) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	var r io.ReadCloser
	var err error
	if file, ok := File(name, 0); ok {
		r, err = f.spool.OpenChecked(ctx, file.Name)
	} else {
		r, err = os.Open(f.boxPath(name))
	}
	if errors.Is(err, fs.ErrNotExist) || backup.Is(err, "spool_file_missing") {
		return nil, backup.Missing(name, err)
	}
	return r, err
}

// Remove implements mirror.Source. A box goes for good; the spool decides for
// itself how long it keeps a segment.
func (f *Feed) Remove(_ context.Context, name string) error {
	file, ok := File(name, 0)
	if !ok {
		if err := os.Remove(f.boxPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unusable(err)
		}
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone[file.Name] {
		return nil
	}
	f.gone[file.Name] = true
	if _, err := f.list.WriteString(string(file.Name) + "\n"); err != nil {
		return unusable(err)
	}
	return nil
}

// Left tells whether every destination has a spool's file, or does without it.
func (f *Feed) Left(file spool.File) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gone[file.Name]
}

func (f *Feed) boxPath(name string) string { return filepath.Join(f.boxes, filepath.FromSlash(name)) }
