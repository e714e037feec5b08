package pgship

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"panshi/internal/backup/pgwal"
	"panshi/internal/backup/spool"
	"panshi/internal/db/pgstream"
	"panshi/internal/errs"
)

const (
	baseLook = 250 * time.Millisecond // how often it is looked whether one is due
	baseWait = 5 * time.Second        // after one that failed; doubles
	baseMost = 10 * time.Minute
	// logPatience is how long a base waits for the log that it needs.
	logPatience = time.Minute
)

// bases makes a base whenever one is due, until closing.
func (s *Shipper) bases(ctx context.Context) {
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a base under way is given up when the shop closes
		select {
		case <-s.closing:
			cancel()
		case <-work.Done():
		}
	}()
	for wait := baseWait; s.pause(work, baseLook); {
		due, fast := s.baseDue()
		if !due {
			continue
		}
		err := s.base(work, fast)
		switch {
		case err == nil:
			wait = baseWait
			continue
		case work.Err() != nil:
			return
		}
		s.baseFailed(err)
		if !s.pause(work, wait) {
			return
		}
		wait = min(2*wait, baseMost)
	}
}

func (s *Shipper) baseFailed(err error) {
	s.log.Error("backup: no whole copy of the server could be made", slog.Any("error", err))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.full = coded(err)
}

// baseDue tells whether a base has to be made, and whether one is missing
// altogether.
func (s *Shipper) baseDue() (due, fast bool) {
	st := s.look()
	if !st.live {
		return false, false
	}
	last, ok := s.lastBase(st.generation)
	if !ok || s.wanted.Load() {
		return true, true
	}
	now := s.clock.Now()
	return s.daily.Due(last.Time, now) || s.cfg.FullEvery > 0 && now.Sub(last.Time) >= s.cfg.FullEvery, false
}

func (s *Shipper) lastBase(generation string) (spool.File, bool) {
	all := s.spool.Level(generation, spool.SnapshotLevel, 0)
	if len(all) == 0 {
		return spool.File{}, false
	}
	last := all[0]
	for _, f := range all {
		if f.Time.After(last.Time) {
			last = f
		}
	}
	return last, true
}

// base copies the server into the spool. The file stands there only when the log
// that it needs stands there, too.
func (s *Shipper) base(ctx context.Context, fast bool) error {
	wanted := s.wanted.Swap(false)
	err := s.copyServer(ctx, fast)
	if err != nil && wanted {
		s.wanted.Store(true)
	}
	return err
}

func (s *Shipper) copyServer(ctx context.Context, fast bool) error {
	st, began := s.look(), s.clock.Now()
	c, err := pgstream.Connect(ctx, s.cfg.URL)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() //nolint:contextcheck // goodbye to the server, whoever has gone; it was only read from
	b, err := c.Base(ctx, "panshi "+st.generation, fast)
	if err != nil {
		return err
	}
	if b.Timeline != st.head.Timeline {
		return errs.New(errs.Unavailable, "backup_server_changed", "the server is on another timeline than its log")
	}
	head := st.head
	head.Base, head.Start, head.Database, head.Role = true, uint64(b.Start), s.cfg.Database, s.cfg.Role
	content, to := io.Pipe()
	go func() { _ = to.CloseWithError(s.pump(ctx, b, head, st.generation, to)) }() // always nil
	f, err := s.spool.Write(ctx, spool.File{
		Generation: st.generation, Level: spool.SnapshotLevel, First: 1, Last: head.Start - head.Start%head.Segment, Time: s.clock.Now(),
	}, content)
	_ = content.CloseWithError(err) // always nil; ends the pump
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.state.written, s.state.full = s.state.written+f.Size, nil
	s.mu.Unlock()
	s.log.Info("backup: the whole server was copied", slog.Int64("bytes", f.Size), slog.Duration("took", s.clock.Now().Sub(began)))
	return nil
}

// pump writes a base as the server sends it.
func (s *Shipper) pump(ctx context.Context, b *pgstream.Base, head pgwal.Head, generation string, to io.Writer) error {
	w, err := pgwal.NewWriter(to, head)
	if err != nil {
		return err
	}
	for {
		data, manifest, end, err := b.Next(ctx)
		switch {
		case err != nil:
			return err
		case data == nil:
			if err := s.awaitLog(ctx, generation, end); err != nil {
				return err
			}
			return w.Close(pgwal.End{Log: uint64(end)})
		case manifest:
			err = w.Manifest(data)
		default:
			err = w.Data(data)
		}
		if err != nil {
			return err
		}
	}
}

// awaitLog waits until the spool has the log of a generation up to a position.
func (s *Shipper) awaitLog(ctx context.Context, generation string, end pgstream.LSN) error {
	for until := s.clock.Now().Add(logPatience); s.clock.Now().Before(until); {
		st := s.look()
		if st.generation != generation {
			break
		}
		if st.spooled >= end {
			return nil
		}
		if !s.pause(ctx, baseLook/5) {
			return errors.Join(context.Canceled, ctx.Err())
		}
	}
	return errs.New(errs.Unavailable, "backup_base_without_log", "the log that a whole copy needs did not reach the spool")
}
