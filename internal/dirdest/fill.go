package dirdest

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"
)

// Fill stores a new object that fill writes, for who cannot tell its digest
// before: there is no second copy of it on another disk meanwhile. It promises
// what Put promises, and fails as Put does; an error of fill that is none of the
// disk comes back as it is.
func (d *Dest) Fill(ctx context.Context, name string, fill func(io.Writer) error) error {
	return d.store(ctx, name, func() (*os.File, error) {
		sink := &sink{ctx: ctx}
		var filled error
		tmp, err := d.scratchFile(func(f io.Writer) error {
			sink.w = f
			filled = fill(sink)
			return filled
		})
		switch {
		case sink.err != nil:
			return nil, failure("put", name, sink.err) // whatever fill made of it
		case filled != nil:
			return nil, filled
		case err != nil:
			return nil, failure("put", name, err)
		}
		return tmp, nil
	})
}

// sink remembers what the disk said, and fails when its context has ended.
type sink struct {
	ctx context.Context //nolint:containedctx // lives for one write, inside one call
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}

// Free is how many bytes an ordinary user may still write.
func (d *Dest) Free() (int64, error) {
	var stat syscall.Statfs_t
	if err := errors.Join(d.mounted(), syscall.Statfs(d.dir, &stat)); err != nil {
		return 0, failure("get", d.dir, err)
	}
	return int64(stat.Bavail) * int64(stat.Bsize), nil //nolint:unconvert // widths differ between systems
}
