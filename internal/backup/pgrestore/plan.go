package pgrestore

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/backup/pgwal"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/spool"
	"panshi/internal/errs"
)

// margin is how far the clocks of shop and server may be apart: the log is
// brought until a piece that was cut so long after the wanted moment.
const margin = time.Minute

// Restorer restores from one source.
type Restorer struct {
	source   restore.Source
	cipher   tink.StreamingAEAD
	progress restore.Progress
}

// New makes a Restorer.
func New(source restore.Source, cipher tink.StreamingAEAD, progress restore.Progress) *Restorer {
	return &Restorer{source, cipher, progress}
}

// Plan is what makes up one state.
type Plan struct {
	restore.Plan            // Transaction is the end of the log that is brought, in bytes
	At           time.Time  // the wanted moment; zero is the newest
	Base         pgwal.Head // of the whole file that it begins with
}

// Holds tells whether the state that a target means is one of a PostgreSQL
// server.
func (r *Restorer) Holds(ctx context.Context, want restore.Target) (bool, error) {
	files, err := r.source.List(ctx, "")
	if err != nil {
		return false, err
	}
	var newest spool.File
	for _, f := range files {
		if (want.At.IsZero() || !f.Time.After(want.At)) && f.Time.After(newest.Time) {
			newest = f
		}
	}
	if newest.Name == "" {
		return false, nil
	}
	content, err := restore.Open(ctx, r.source, r.cipher, newest)
	if err != nil {
		return false, err
	}
	is, _ := pgwal.Is(content)
	return is, content.Close()
}

// Plan lists the source and plans: the newest base from which the log leads to
// the moment. Codes restore_nothing (no base is old enough), restore_gap, and
// those of Prove.
func (r *Restorer) Plan(ctx context.Context, at time.Time) (Plan, error) {
	files, err := r.source.List(ctx, "")
	if err != nil {
		return Plan{}, err
	}
	for _, base := range basesOf(files, at) {
		reach, err := restore.Make(logOf(files, base), restore.Target{At: at})
		if err != nil {
			return Plan{}, err
		}
		head, end, err := r.read(ctx, base)
		if err != nil {
			return Plan{}, err
		}
		if !head.Base || reach.Transaction < end.Log {
			continue // it was not whole yet at that moment
		}
		plan := Plan{Plan: reach, At: at, Base: head}
		if at.IsZero() {
			return plan.dated(), nil
		}
		plan, err = r.beyond(ctx, plan, logOf(files, base))
		return plan.dated(), err
	}
	return Plan{}, errs.New(errs.NotFound, "restore_nothing", "there is no backup of that time here")
}

// basesOf are the whole files that are not younger than a moment, the newest
// first.
func basesOf(files []spool.File, at time.Time) []spool.File {
	var bases []spool.File
	for _, f := range files {
		if f.Level == spool.SnapshotLevel && f.Whole() && (at.IsZero() || !f.Time.After(at)) {
			bases = append(bases, f)
		}
	}
	slices.SortFunc(bases, func(a, b spool.File) int { return b.Time.Compare(a.Time) })
	return bases
}

// logOf is a base with the log of its generation.
func logOf(files []spool.File, base spool.File) []spool.File {
	var out []spool.File
	for _, f := range files {
		if f.Name == base.Name || f.Generation == base.Generation && f.Level != spool.SnapshotLevel {
			out = append(out, f)
		}
	}
	return out
}

// beyond adds the log after a moment, until nothing that was committed before it
// can come any more.
func (r *Restorer) beyond(ctx context.Context, plan Plan, files []spool.File) (Plan, error) {
	sure := plan.At.Add(margin)
	for {
		last := plan.Files[len(plan.Files)-1]
		if !last.Time.Before(sure) {
			_, end, err := r.read(ctx, last)
			if err != nil || end.Current {
				return plan, err
			}
		}
		next, ok := restore.Next(files, plan.Transaction)
		if !ok { // there is no more, unless behind a gap
			_, err := restore.Make(files, restore.Target{})
			return plan, err
		}
		plan.Files, plan.Transaction = append(plan.Files, next), next.Last
	}
}

// dated gives a plan the time of its state: the wanted one, if the log goes
// beyond it.
func (p Plan) dated() Plan {
	last := p.Files[len(p.Files)-1].Time
	p.Time, p.Lost = last, 0
	switch {
	case p.At.IsZero():
	case last.Before(p.At):
		p.Lost = p.At.Sub(last)
	default:
		p.Time = p.At
	}
	return p
}

// Prove reads every file of the plan to its end, but for the base, which was read
// when it was planned. Codes spool_file_missing,
// spool_file_damaged.
func (r *Restorer) Prove(ctx context.Context, plan Plan) error {
	var total, done int64
	for _, f := range plan.Files[1:] {
		total += f.Size
	}
	for _, f := range plan.Files[1:] {
		r.progress("prove", done, total)
		head, _, err := r.read(ctx, f)
		if err != nil {
			return err
		}
		if !head.Same(plan.Base) {
			return restore.Named(f, errors.New("it is of another server or timeline"))
		}
		done += f.Size
	}
	r.progress("prove", total, total)
	return ctx.Err()
}

// read reads a file to its end and compares it with its name.
func (r *Restorer) read(ctx context.Context, f spool.File) (head pgwal.Head, end pgwal.End, err error) {
	size := uint64(0)
	head, end, err = r.each(ctx, f, func(data []byte, _ uint64) error {
		size += uint64(len(data))
		return nil
	})
	if err == nil {
		err = pgwal.Fits(f, head, end, size)
	}
	return head, end, restore.Named(f, err)
}

// each hands over the bytes of a file, each with the number of those before.
func (r *Restorer) each(ctx context.Context, f spool.File, hand func(data []byte, before uint64) error) (head pgwal.Head, end pgwal.End, err error) {
	content, err := restore.Open(ctx, r.source, r.cipher, f)
	if err != nil {
		return head, end, err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	in, err := pgwal.NewReader(content)
	if err != nil {
		return head, end, err
	}
	for before := uint64(0); ; {
		data, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = errors.Join(ctx.Err(), hand(data, before))
		}
		if err != nil {
			return head, end, err
		}
		before += uint64(len(data))
	}
	end, err = in.End()
	return in.Head, end, err
}
