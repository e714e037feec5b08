package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/superfly/ltx"
	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/backup/spool"
	"panshi/internal/durable"
	"panshi/internal/errs"
)

// Source is where files are: a spool, or a destination that has a copy of one.
type Source interface {
	// List returns the files whose names come after the given one, sorted; ""
	// lists all.
	List(ctx context.Context, after spool.Name) ([]spool.File, error)
	// Open returns a file as it is in a spool, encrypted. It may be called for
	// many files before the first is closed.
	Open(ctx context.Context, name spool.Name) (io.ReadCloser, error)
}

var _ Source = (*spool.Spool)(nil)

// Progress hears how far a restore is, in bytes of the step. It is called by
// one goroutine at a time.
type Progress func(step string, done, total int64)

// Restorer restores from one source.
type Restorer struct {
	source   Source
	cipher   tink.StreamingAEAD
	progress Progress
}

// New makes a Restorer.
func New(source Source, cipher tink.StreamingAEAD, progress Progress) *Restorer {
	return &Restorer{source, cipher, progress}
}

// Plan lists the source and plans. See Make.
func (r *Restorer) Plan(ctx context.Context, want Target) (Plan, error) {
	files, err := r.source.List(ctx, "")
	if err != nil {
		return Plan{}, err
	}
	return Make(files, want)
}

// Prove reads every file of the plan to its end: that it opens with our keys,
// and is what its name says. It writes nothing. Codes spool_file_missing,
// spool_file_damaged.
func (r *Restorer) Prove(ctx context.Context, plan Plan) error {
	total, done := bytesOf(plan), int64(0)
	for _, f := range plan.Files {
		r.progress("prove", done, total)
		if err := r.proveOne(ctx, f); err != nil {
			return err
		}
		done += f.Size
	}
	r.progress("prove", total, total)
	return nil
}

func bytesOf(plan Plan) (total int64) {
	for _, f := range plan.Files {
		total += f.Size
	}
	return total
}

func (r *Restorer) proveOne(ctx context.Context, f spool.File) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	content, err := Open(ctx, r.source, r.cipher, f)
	if err != nil {
		return err
	}
	header, rest, err := ltx.PeekHeader(content)
	if err == nil {
		_, err = io.Copy(io.Discard, rest)
	}
	if err := errors.Join(err, content.Close()); err != nil {
		return Named(f, err)
	}
	if uint64(header.MinTXID) != f.First || uint64(header.MaxTXID) != f.Last {
		return Named(f, errors.New("it holds other transactions than its name says"))
	}
	return nil
}

// Named makes sure that an error, if there is one, names its file.
func Named(f spool.File, err error) error {
	if err == nil {
		return nil
	}
	if code := errs.CodeOf(err); code != "internal" || errors.Is(err, context.Canceled) {
		return err
	}
	return errs.Wrap(err, errs.Integrity, "spool_file_damaged",
		"a file of the backup is damaged, or not the one that its name says: "+string(f.Name)).With("file", string(f.Name))
}

// Open reads what cipher opens of a file of a source.
func Open(ctx context.Context, from Source, cipher tink.StreamingAEAD, f spool.File) (io.ReadCloser, error) {
	raw, err := from.Open(ctx, f.Name)
	if err != nil {
		return nil, err
	}
	content, err := spool.Decrypt(cipher, f.Name, raw)
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{content, raw}, nil
}

// Apply makes the database file at path, which must not exist, from a plan that
// was proved. When it returns without an error the file is on disk. Codes
// restore_target_exists and those of Prove.
func (r *Restorer) Apply(ctx context.Context, plan Plan, path string) error {
	return r.ApplyVia(ctx, plan, path, func() error { return nil })
}

// ApplyVia is Apply; if the plan passes a transaction on its way, via is called
// when the file is as it was after that. It may read the file, and its error
// ends the restore.
func (r *Restorer) ApplyVia(ctx context.Context, plan Plan, path string, via func() error) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return errs.Wrap(err, errs.Conflict, "restore_target_exists", "there is something at "+path+" already; nothing is ever restored over it").
			With("path", path)
	}
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if err := r.fill(ctx, plan, file, via); err != nil {
		return errors.Join(err, file.Close(), os.Remove(path))
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return durable.SyncDir(filepath.Dir(path))
}
