package dirdest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"panshi/internal/backup"
	"panshi/internal/durable"
	"panshi/internal/errs"
)

// Config says which directory, and what it must not share a disk with.
type Config struct {
	Dir     string // made if its parent exists
	DataDir string // the shop's data
	// SameDevice allows Dir on the device of DataDir: for trying things out, and
	// for file systems that span disks by themselves.
	SameDevice bool
	// Uncached has whole objects read from the disk and not from memory, as far as
	// the system does it.
	Uncached bool
}

// Dest is a directory of objects.
type Dest struct {
	dir    string
	device uint64 // of dir when it was opened
	open   func(path string) (io.ReadSeekCloser, error)

	mu      sync.Mutex
	settled map[string]bool // guarded by mu: directories whose names are durable
}

// New opens or makes the directory and clears what interrupted writers left.
// Codes: backup_same_device, backup_unavailable, backup_refused, backup_full.
func New(cfg Config) (*Dest, error) {
	if err := os.Mkdir(cfg.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, failure("put", cfg.Dir, err)
	}
	device, err := deviceOf(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if !cfg.SameDevice {
		if err := Apart(cfg.Dir, cfg.DataDir); err != nil {
			return nil, err
		}
	}
	d := &Dest{dir: filepath.Clean(cfg.Dir), device: device, open: openFile, settled: map[string]bool{}}
	if cfg.Uncached {
		d.open = openUncached
	}
	if err := d.prepare(); err != nil {
		return nil, failure("put", cfg.Dir, err)
	}
	return d, nil
}

// Apart fails with code backup_same_device when two directories are on one
// device.
func Apart(dir, dataDir string) error {
	device, err := deviceOf(dir)
	if err != nil {
		return err
	}
	data, err := deviceOf(dataDir)
	if err != nil {
		return err
	}
	if data == device {
		return errs.New(errs.Invalid, "backup_same_device",
			"this directory is on the disk of the shop's data; one dead disk would take both").With("dir", dir)
	}
	return nil
}

// deviceOf gives the device number of a directory.
func deviceOf(dir string) (uint64, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return 0, backup.Unavailable(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, backup.Unavailable(errors.New("this system tells no device numbers"))
	}
	return uint64(stat.Dev), nil //nolint:unconvert // the width of Dev differs between systems
}

// mounted fails when the directory is not on the disk that it was opened on.
func (d *Dest) mounted() error {
	device, err := deviceOf(d.dir)
	if err != nil {
		return err
	}
	if device != d.device {
		return backup.Unavailable(errors.New("another disk is mounted at " + d.dir + " than before, or none"))
	}
	return nil
}

// Put stores a new object (see backup.Destination).
func (d *Dest) Put(ctx context.Context, name string, body backup.Body) error {
	return d.store(ctx, name, func() (*os.File, error) {
		tmp, err := d.write(ctx, name, body)
		if err != nil {
			err = failure("put", name, err)
		}
		return tmp, err
	})
}

// store places what write makes of a new object.
func (d *Dest) store(ctx context.Context, name string, write func() (*os.File, error)) error {
	if err := backup.ValidName(name); err != nil {
		return err
	}
	if err := errors.Join(ctx.Err(), d.mounted()); err != nil {
		return failure("put", name, err)
	}
	if _, err := os.Lstat(d.path(name)); err == nil {
		return backup.Exists(name, nil)
	}
	tmp, err := write()
	if err != nil {
		return err
	}
	defer discard(tmp)
	if err := d.place(tmp.Name(), d.path(name)); err != nil {
		return failure("put", name, err)
	}
	return nil
}

// Get opens a range of an object.
func (d *Dest) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	if err := backup.ValidName(name); err != nil {
		return nil, err
	}
	if err := errors.Join(ctx.Err(), d.mounted()); err != nil {
		return nil, failure("get", name, err)
	}
	if info, err := os.Stat(d.path(name)); err == nil && info.IsDir() {
		return nil, backup.Missing(name, nil)
	}
	f, err := d.open(d.path(name))
	if err != nil {
		return nil, failure("get", name, err)
	}
	if offset == 0 && length < 0 {
		return f, nil
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(failure("get", name, err), f.Close())
	}
	if length < 0 {
		return f, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(f, length), f}, nil
}

func openFile(path string) (io.ReadSeekCloser, error) { return os.Open(path) }

// List walks the part of the tree that may hold names with the prefix.
func (d *Dest) List(ctx context.Context, prefix string, each func(backup.Object) error) error {
	if err := errors.Join(ctx.Err(), d.mounted()); err != nil {
		return failure("list", prefix, err)
	}
	from := d.path(prefix[:strings.LastIndex(prefix, "/")+1])
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // deleted while we walk, or never there
		case err != nil:
			return failure("list", prefix, err)
		case ctx.Err() != nil:
			return backup.Unavailable(ctx.Err())
		case path != d.dir && strings.HasPrefix(entry.Name(), "."):
			return skip(entry)
		case entry.IsDir():
			return nil
		}
		return d.tell(path, prefix, entry, each)
	})
	return err
}

func skip(entry fs.DirEntry) error {
	if entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func (d *Dest) tell(path, prefix string, entry fs.DirEntry, each func(backup.Object) error) error {
	rel, err := filepath.Rel(d.dir, path)
	if err != nil {
		return backup.Unavailable(err)
	}
	name := filepath.ToSlash(rel)
	if !ours(name, prefix) {
		return nil
	}
	info, err := entry.Info()
	if err == nil {
		return each(backup.Object{Name: name, Size: info.Size()})
	}
	if err = failure("list", name, err); backup.Is(err, "backup_object_missing") {
		err = nil // deleted since the directory was read
	}
	return err
}

// ours tells whether a file is an object that a listing of prefix shows.
func ours(name, prefix string) bool {
	return strings.HasPrefix(name, prefix) && backup.ValidName(name) == nil
}

// Delete removes an object, durably.
func (d *Dest) Delete(ctx context.Context, name string) error {
	if err := backup.ValidName(name); err != nil {
		return err
	}
	if err := errors.Join(ctx.Err(), d.mounted()); err != nil {
		return failure("delete", name, err)
	}
	err := os.Remove(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(d.path(name)))
	}
	if err != nil {
		return failure("delete", name, err)
	}
	return nil
}

func (d *Dest) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

// failure gives an error of the file system its code.
func failure(what, name string, err error) error {
	var coded *errs.Error
	switch {
	case errors.As(err, &coded):
		return coded
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return backup.Full(err)
	case errors.Is(err, fs.ErrExist):
		return backup.Exists(name, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return backup.Refused(what, name, err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return backup.Missing(name, err)
	}
	return backup.Unavailable(err)
}
