package mirror

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/seal"
	"panshi/internal/durable"
	"panshi/internal/errs"
)

// item is one file of the source that some destination still lacks.
type item struct {
	File
	sealed  seal.Sealed
	path    string          // of the sealed file
	at      time.Time       // time in the name, or when it was first seen
	segment backup.Segment  // if log is set
	log     bool            // it is a piece of the log
	done    map[string]bool // by label: has it, or does without it; guarded by Mirror.mu
}

// unsealed ends the name of a file that is being sealed.
const unsealed = ".new"

// bulkSize is from how many bytes on a file goes beside the others instead of
// before them: a full takes minutes, and the log of these minutes must not wait.
const bulkSize = 4 << 20

// bulk tells whether a file is a large one.
func (f File) bulk() bool { return f.Size >= bulkSize }

// body gives the sealed file to a destination.
func (it *item) body() backup.Body {
	return backup.Body{Size: it.sealed.Size, SHA256: it.sealed.SHA256, Open: func() (io.ReadCloser, error) { return os.Open(it.path) }}
}

// weight is what the item takes on the local disk, in bytes.
func (it *item) weight() int64 { return it.Size + it.sealed.Size }

// stage gives the item of a file, sealed: the sealed file that an earlier run
// left, if it is sound, else a new one. Code backup_object_missing if the file is
// gone from the source.
func (m *Mirror) stage(ctx context.Context, f File) (*item, error) {
	if backup.ValidName(f.Name) != nil || strings.Contains(f.Name, "~") {
		return nil, errs.New(errs.Invalid, "backup_name_invalid", "this cannot be the name of an object").With("name", f.Name)
	}
	it := &item{File: f, path: m.sealedPath(f.Name), done: map[string]bool{}}
	it.segment, it.log = backup.ParseSegment(f.Name)
	var timed bool
	if it.at, timed = backup.TimeOf(f.Name); !timed {
		it.at = m.cfg.Clock.Now()
	}
	var err error
	if it.sealed, err = m.staged(it); err == nil {
		return it, nil
	}
	it.sealed, err = m.sealed(ctx, it)
	return it, err
}

// staged checks a sealed file that is there.
func (m *Mirror) staged(it *item) (seal.Sealed, error) {
	f, err := os.Open(it.path)
	if err != nil {
		return seal.Sealed{}, err
	}
	defer func() { _ = f.Close() }()
	return m.cfg.Keys.Reader().Check(f, it.Name)
}

// sealed makes the sealed file, whole or not at all, and durable.
func (m *Mirror) sealed(ctx context.Context, it *item) (s seal.Sealed, err error) {
	src, err := m.cfg.Source.Open(ctx, it.Name)
	if err != nil {
		return seal.Sealed{}, err
	}
	defer func() { _ = src.Close() }()
	tmp := it.path + unsealed
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return seal.Sealed{}, intakeFailed(err)
	}
	s, err = m.cfg.Keys.Seal(ctx, it.Name, src, f)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = errors.Join(os.Rename(tmp, it.path), durable.SyncDir(m.sealedDir()))
	}
	if err != nil {
		return seal.Sealed{}, errors.Join(intakeFailed(err), removeFile(tmp))
	}
	return s, nil
}

func intakeFailed(err error) error {
	return errs.Wrap(err, errs.Unavailable, "backup_intake", "a file of the spool could not be sealed")
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
