package dirdest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"panshi/internal/durable"
)

// scratch is the folder of files that are being written.
const scratch = ".tmp"

// prepare makes the scratch folder and removes what dead writers left in it. A
// living one holds a lock on its file.
func (d *Dest) prepare() error {
	if err := d.makeDirs(filepath.Join(d.dir, scratch)); err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(d.dir, scratch, "put-*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := removeAbandoned(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func removeAbandoned(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil // somebody writes it
	}
	return os.Remove(path)
}

// source is what write stores.
type source interface {
	Checked(name string) (io.ReadCloser, error)
}

// write puts a body into a synced scratch file, which the caller discards.
func (d *Dest) write(ctx context.Context, name string, body source) (*os.File, error) {
	r, err := body.Checked(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return d.scratchFile(func(w io.Writer) error {
		_, err := io.Copy(w, untilEnded{ctx, r})
		return err
	})
}

// scratchFile has a new file filled and syncs it. A file system without modes
// (FAT on a disk that travels) keeps it writable.
func (d *Dest) scratchFile(fill func(io.Writer) error) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Join(d.dir, scratch), "put-*")
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		err = fill(f)
	}
	modeErr := f.Chmod(0o400)
	if errors.Is(modeErr, fs.ErrPermission) || errors.Is(modeErr, syscall.ENOTSUP) {
		modeErr = nil
	}
	if err = errors.Join(err, modeErr, f.Sync()); err != nil {
		discard(f)
		return nil, err
	}
	return f, nil
}

// discard removes a scratch file; an object that was linked from it stays.
func discard(f *os.File) {
	_ = os.Remove(f.Name())
	_ = f.Close()
}

// place gives a scratch file its name, unless that is taken, and makes the name
// durable. A file system without hard links (FAT on a disk that travels) gets a
// rename after a look, which two writers at once could pass together; there is
// one writer.
func (d *Dest) place(tmp, path string) error {
	if err := d.makeDirs(filepath.Dir(path)); err != nil {
		return err
	}
	err := os.Link(tmp, path)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS) {
		if _, statErr := os.Lstat(path); statErr == nil {
			return fs.ErrExist
		}
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// makeDirs makes dir and what is missing above it up to the root, each durably.
// A directory that is there may be one whose maker died before it was durable, so
// the first use of each by this process syncs it all the same.
func (d *Dest) makeDirs(dir string) error {
	d.mu.Lock()
	settled := d.settled[dir]
	d.mu.Unlock()
	if settled {
		return nil
	}
	if dir != d.dir {
		if err := d.makeDirs(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := durable.SyncDir(filepath.Dir(dir)); err != nil && (dir != d.dir || !errors.Is(err, fs.ErrPermission)) {
		return err // a parent of the root that we may not read is one that we did not write
	}
	d.mu.Lock()
	d.settled[dir] = true
	d.mu.Unlock()
	return nil
}

// untilEnded is a reader that fails when its context has ended.
type untilEnded struct {
	ctx context.Context //nolint:containedctx // lives for one copy, inside one call
	r   io.Reader
}

func (u untilEnded) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
