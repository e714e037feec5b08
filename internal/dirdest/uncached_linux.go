package dirdest

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// directChunk is how much a direct read asks for: a multiple of any sector.
const directChunk = 1 << 20

// openUncached opens a file past the page cache, so that what is read is what
// the disk has. A file system that cannot do that has its cached pages of the
// file dropped, which it may ignore.
func openUncached(path string) (io.ReadSeekCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) // advice
	if d, err := openDirect(path, f); err == nil {
		return d, nil
	}
	return f, nil
}

// openDirect opens a file for reads past the cache, beside its open one.
func openDirect(path string, cached *os.File) (*direct, error) {
	past, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECT, 0)
	if err != nil {
		return nil, err
	}
	room, err := syscall.Mmap(-1, 0, directChunk, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, errors.Join(err, past.Close())
	}
	return &direct{cached: cached, past: past, room: room}, nil
}

// direct reads a file in whole chunks into memory that begins at a page, as
// direct reads demand.
type direct struct {
	cached, past *os.File
	room, unread []byte
	began        bool
}

func (d *direct) Read(p []byte) (int, error) {
	if d.room == nil {
		return d.cached.Read(p)
	}
	if len(d.unread) == 0 {
		n, err := d.past.Read(d.room)
		if errors.Is(err, syscall.EINVAL) && !d.began {
			return d.without(p)
		}
		if err != nil {
			return 0, err
		}
		d.began = true
		d.unread = d.room[:n]
	}
	n := copy(p, d.unread)
	d.unread = d.unread[n:]
	return n, nil
}

// without goes on through the cache: the file system opens files for direct
// reads, and refuses these.
func (d *direct) without(p []byte) (int, error) {
	if err := d.free(); err != nil {
		return 0, err
	}
	return d.cached.Read(p)
}

// Seek moves to a place from where reads go through the cache: parts of files
// are read by who lists, not by who verifies.
func (d *direct) Seek(offset int64, whence int) (int64, error) {
	if err := d.free(); err != nil {
		return 0, err
	}
	return d.cached.Seek(offset, whence)
}

func (d *direct) free() error {
	if d.room == nil {
		return nil
	}
	err := syscall.Munmap(d.room)
	d.room, d.unread = nil, nil
	return err
}

func (d *direct) Close() error { return errors.Join(d.free(), d.past.Close(), d.cached.Close()) }
