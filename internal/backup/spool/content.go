package spool

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"panshi/internal/durable"
	"panshi/internal/errs"
	"panshi/internal/fault"
)

// Write encrypts content into the file that f's fields name, and returns it
// when it is whole and on disk. A file that has the name already stays as it
// is: it was written whole, from the same transactions. Codes spool_full,
// spool_unusable; an error of content is returned as it is.
func (s *Spool) Write(_ context.Context, f File, content io.Reader) (File, error) {
	f = Named(f)
	if _, ok := Parse(f.Name); !ok {
		return File{}, errs.New(errs.Invalid, "spool_name", "this is not the name of a file of a spool").With("file", string(f.Name))
	}
	path := s.path(f.Name)
	if err := durable.MakeDir(filepath.Dir(path)); err != nil {
		return File{}, s.refused(err)
	}
	tmp := path + partial
	if err := s.encrypt(tmp, f.Name, content); err != nil {
		return File{}, errors.Join(err, discard(tmp))
	}
	fault.Point("spool.file.synced")
	// Unlike a rename, a link never takes the place of what is there.
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return File{}, errors.Join(s.refused(err), discard(tmp))
	}
	fault.Point("spool.file.linked")
	if err := errors.Join(os.Remove(tmp), durable.SyncDir(filepath.Dir(path))); err != nil {
		return File{}, s.refused(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return File{}, s.refused(err)
	}
	f.Size = info.Size()
	s.add(f)
	return f, nil
}

// Probe finds out whether the spool takes files, by writing one that it takes
// away again. Codes spool_full, spool_unusable.
func (s *Spool) Probe() error {
	path := filepath.Join(s.dir, "probe"+partial)
	err := os.WriteFile(path, make([]byte, probeSize), 0o600)
	if err := errors.Join(err, discard(path)); err != nil {
		return s.refused(err)
	}
	return nil
}

// probeSize is what a spool that takes files has room for, in bytes.
const probeSize = 64 << 10

// encrypt writes and syncs a file under a temporary name.
func (s *Spool) encrypt(path string, name Name, content io.Reader) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return s.refused(err)
	}
	buffer := bufio.NewWriterSize(file, 256<<10)
	sink := &sink{w: buffer}
	sealed, err := s.cipher.NewEncryptingWriter(sink, associated(name))
	if err == nil {
		_, err = io.Copy(onlyWriter{sealed}, content)
		if closing := sealed.Close(); err == nil {
			err = closing
		}
	}
	if sink.err != nil {
		err = s.refused(sink.err)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(buffer.Flush(), file.Sync(), file.Close()); err != nil {
		return s.refused(err)
	}
	return nil
}

// sink remembers what the disk said, so that it is told apart from an error of
// the content.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}

// onlyWriter hides other methods, so that io.Copy uses its own small buffer.
type onlyWriter struct{ io.Writer }

func (s *Spool) refused(err error) error {
	if isFull(err) {
		return errs.Wrap(err, errs.Unavailable, "spool_full", "the disk of the spool is full").With("path", s.dir)
	}
	return unusable(s.dir, err)
}

// discard removes what a failed write left.
func discard(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// associated binds content to the name of its file.
func associated(name Name) []byte { return []byte("panshi spool 1 " + string(name)) }

// Open returns a file's bytes as they are on disk, encrypted, for who copies
// them. Code spool_file_missing.
func (s *Spool) Open(_ context.Context, name Name) (io.ReadCloser, error) {
	if _, ok := Parse(name); !ok {
		return nil, errs.New(errs.Invalid, "spool_name", "this is not the name of a file of a spool").With("file", string(name))
	}
	file, err := os.Open(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errs.Wrap(err, errs.Integrity, "spool_file_missing", "a file of the backup is missing: "+string(name)).With("file", string(name))
	}
	if err != nil {
		return nil, unusable(s.dir, err)
	}
	return file, nil
}

// Read returns a file's content. Codes spool_file_missing and, from Read on
// what it returns, spool_file_damaged: only what comes before the error, or
// before io.EOF, is what was written.
func (s *Spool) Read(ctx context.Context, name Name) (io.ReadCloser, error) {
	raw, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	content, err := Decrypt(s.cipher, name, raw)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{content, raw}, nil
}
