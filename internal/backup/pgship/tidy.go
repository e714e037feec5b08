package pgship

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"panshi/internal/backup/pgwal"
	"panshi/internal/backup/ship"
	"panshi/internal/backup/spool"
)

const (
	tidyEvery = 10 * time.Second
	// mergeAfter and mergeSize bound what one merged file has: a restore to a
	// moment has to read all of the one that the moment is in.
	mergeAfter = 5 * time.Minute
	mergeSize  = 64 << 20

	watchEvery  = 10 * time.Second
	alarmingLag = 30 * time.Second
	alarmAgain  = time.Minute
)

// tidy merges pieces and removes what has expired, until closing.
func (s *Shipper) tidy(ctx context.Context) {
	for s.pause(ctx, tidyEvery) {
		if err := errors.Join(s.mergeDue(ctx), s.expire(ctx)); err != nil && ctx.Err() == nil {
			s.log.Error("backup: the spool is not tidied", slog.Any("error", err))
		}
	}
}

// mergeDue merges the pieces of minutes that are over.
func (s *Shipper) mergeDue(ctx context.Context) error {
	generation := s.look().generation
	if generation == "" {
		return nil
	}
	for !s.ending(ctx) {
		run := s.nextRun(generation, s.clock.Now())
		if len(run) == 0 {
			return nil
		}
		if err := s.merge(ctx, run); err != nil {
			return err
		}
	}
	return nil
}

// nextRun is the pieces that make up the next merged file; none if it is not
// time.
func (s *Shipper) nextRun(generation string, now time.Time) []spool.File {
	from := uint64(1)
	for _, f := range s.spool.Level(generation, pgwal.LevelMerged, 0) {
		from = max(from, f.Last+1)
	}
	var run []spool.File
	size := int64(0)
	for _, f := range s.spool.Level(generation, pgwal.LevelPiece, from) {
		if len(run) > 0 && (f.First != run[len(run)-1].Last+1 || size >= mergeSize || f.Time.Sub(run[0].Time) >= mergeAfter) {
			return run
		}
		run = append(run, f)
		size += f.Size
	}
	if len(run) > 0 && (size >= mergeSize || now.Sub(run[0].Time) >= 2*mergeAfter) {
		return run
	}
	return nil
}

// merge writes one file with the log of several.
func (s *Shipper) merge(ctx context.Context, run []spool.File) error {
	first, last := run[0], run[len(run)-1]
	content, to := io.Pipe()
	go func() { _ = to.CloseWithError(s.join(ctx, run, to)) }() // always nil
	f, err := s.spool.Write(ctx, spool.File{
		Generation: first.Generation, Level: pgwal.LevelMerged, First: first.First, Last: last.Last, Time: last.Time,
	}, content)
	_ = content.CloseWithError(err) // always nil; ends the goroutine
	s.mu.Lock()
	s.state.written += f.Size
	s.mu.Unlock()
	return err
}

func (s *Shipper) join(ctx context.Context, run []spool.File, to io.Writer) error {
	var w *pgwal.Writer
	var end pgwal.End
	for _, f := range run {
		content, err := s.spool.Read(ctx, f.Name)
		if err != nil {
			return err
		}
		r, err := pgwal.NewReader(content)
		if err == nil && w == nil {
			w, err = pgwal.NewWriter(to, r.Head)
		}
		if err == nil {
			end, err = pour(r, w)
		}
		if err := errors.Join(err, content.Close()); err != nil {
			return err
		}
	}
	return w.Close(end)
}

// pour copies the log of a file.
func pour(r *pgwal.Reader, w *pgwal.Writer) (pgwal.End, error) {
	for {
		data, err := r.Next()
		if errors.Is(err, io.EOF) {
			return r.End()
		}
		if err == nil {
			err = w.Data(data)
		}
		if err != nil {
			return pgwal.End{}, err
		}
	}
}

// expire removes what no kept moment needs and nobody has to copy. A spool that
// is too large gets a base, so that what is before it can go.
func (s *Shipper) expire(ctx context.Context) error {
	files, err := s.spool.List(ctx, "")
	if err != nil {
		return err
	}
	for _, name := range ship.Expired(files, s.look().generation, s.clock.Now(), s.cfg.Config) {
		if f, ok := spool.Parse(name); ok && s.needed(f) {
			continue
		}
		if err := s.spool.Remove(ctx, name); err != nil {
			return err
		}
	}
	last, ok := s.lastBase(s.look().generation)
	if s.cfg.SpoolMax > 0 && s.spool.Size() > s.cfg.SpoolMax && ok && s.clock.Now().Sub(last.Time) > time.Hour {
		s.log.Warn("backup: the spool is larger than backup.spool_max", slog.Int64("bytes", s.spool.Size()))
		s.WantFull()
	}
	return nil
}

// watch tells of shipping that stands still.
func (s *Shipper) watch(ctx context.Context) {
	var told time.Time
	for s.pause(ctx, watchEvery) {
		if now, lag := s.clock.Now(), s.Lag(); lag > alarmingLag && now.Sub(told) >= alarmAgain {
			told = now
			s.log.Error("backup: shipping stands still; what was sold since is on the server only",
				slog.Duration("lag", lag), slog.Any("error", s.look().failed))
		}
	}
}
