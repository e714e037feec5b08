package ship

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/benbjohnson/litestream"
	"github.com/superfly/ltx"

	"panshi/internal/backup/spool"
)

// mergeEvery is how often small files are merged into one; every level above
// merges a number of those below.
const (
	mergeEvery   = 30 * time.Second
	secondLevel  = 10  // of 30 s: 5 minutes
	thirdLevel   = 120 // of 30 s: an hour
	watchEvery   = 5 * time.Second
	alarmingLag  = 30 * time.Second
	alarmAgain   = time.Minute
	retainRounds = 2         // of 30 s between two looks for what may go
	fullAgain    = time.Hour // between two whole copies that a full spool asks for
)

// mergeAll merges, writes whole copies and removes what is old until ctx ends.
func (s *Shipper) mergeAll(ctx context.Context) {
	tick := time.NewTicker(mergeEvery)
	defer tick.Stop()
	for round := 1; ; round++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.asked:
		}
		if err := s.maintain(ctx, round); err != nil && ctx.Err() == nil {
			s.log.Error("backup: the spool could not be kept in order", slog.Any("error", err))
		}
	}
}

// maintain is one round of keeping the spool in order.
func (s *Shipper) maintain(ctx context.Context, round int) error {
	s.cycle.Lock()
	running := s.running
	s.cycle.Unlock()
	if !running {
		return nil
	}
	all := []error{s.merge(ctx, 1), s.dropStaged()}
	if round%secondLevel == 0 {
		all = append(all, s.merge(ctx, 2))
	}
	if round%thirdLevel == 0 {
		all = append(all, s.merge(ctx, 3))
	}
	all = append(all, s.fullIfDue(ctx))
	if round%retainRounds == 0 {
		all = append(all, s.retain(ctx))
	}
	return errors.Join(all...)
}

// merge makes the next file of a level out of those of the level below.
func (s *Shipper) merge(ctx context.Context, level int) error {
	_, err := s.engine.Compact(ctx, level)
	if err != nil && !errors.Is(err, litestream.ErrNoCompaction) {
		return fmt.Errorf("ship: merging into level %d: %w", level, err)
	}
	return nil
}

// dropStaged removes staged files that are in the spool and merged there. The
// newest stays: it tells where the log was read to.
func (s *Shipper) dropStaged() error {
	merged := s.spool.Level(s.client.generation, 1, 1)
	if len(merged) == 0 {
		return nil
	}
	done := merged[len(merged)-1].Last
	dir := filepath.Join(s.staged(), "ltx", "0")
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return fmt.Errorf("ship: %w", err)
	}
	for _, e := range entries[:max(len(entries)-1, 0)] {
		if _, last, err := ltx.ParseFilename(e.Name()); err != nil || uint64(last) > done {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("ship: %w", err)
		}
	}
	return nil
}

// WantFull asks for a whole copy now, because a destination cannot go on without
// one or a person wants it. It does not wait.
func (s *Shipper) WantFull() {
	s.wanted.Store(true)
	select {
	case s.asked <- struct{}{}:
	default:
	}
}

// fullIfDue writes a whole copy when somebody wants one, or when its time has
// come. What has a time that is not yet and has everything stays the last one.
func (s *Shipper) fullIfDue(ctx context.Context) error {
	newest, ok := s.client.shipped()
	if !ok {
		return nil
	}
	whole := s.lastWhole()
	if s.wanted.Swap(false) {
		err := s.full(ctx)
		s.wanted.CompareAndSwap(false, err != nil)
		return err
	}
	now := s.clock.Now()
	if !s.fullDue(whole.Time, now) || newest.Last == whole.Last && whole.Time.After(now) {
		return nil
	}
	return s.full(ctx)
}

// fullDue tells whether it is time for a whole copy: the moment of the day has
// come, or the interval that was asked for has passed.
func (s *Shipper) fullDue(last, now time.Time) bool {
	return s.daily.Due(last, now) || s.cfg.FullEvery > 0 && now.Sub(last) >= s.cfg.FullEvery
}

// Fulls tells when the last whole copy was written and when the next one will
// be.
func (s *Shipper) Fulls() (last, next time.Time) {
	if s.client == nil {
		return time.Time{}, time.Time{}
	}
	now := s.clock.Now()
	last = s.lastWhole().Time
	next = s.daily.When(last, now)
	if s.cfg.FullEvery > 0 && last.Add(s.cfg.FullEvery).Before(next) {
		next = last.Add(s.cfg.FullEvery)
	}
	return last, next
}

// lastWhole is the newest whole copy of the generation: a snapshot, or the file
// that it began with.
func (s *Shipper) lastWhole() spool.File {
	if snapshots := s.spool.Level(s.client.generation, spool.SnapshotLevel, 1); len(snapshots) > 0 {
		return snapshots[len(snapshots)-1]
	}
	for level := range spool.SnapshotLevel {
		if files := s.spool.Level(s.client.generation, level, 1); len(files) > 0 && files[0].Whole() {
			return files[0]
		}
	}
	return spool.File{}
}

// full writes a whole copy of the database. The log cannot start over while it
// is read, and grows.
func (s *Shipper) full(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	start := s.clock.Now()
	info, err := s.engine.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("ship: writing a whole copy: %w", err)
	}
	s.log.Info("backup: whole copy written", slog.Uint64("transaction", uint64(info.MaxTXID)), slog.Duration("took", s.clock.Now().Sub(start)))
	return nil
}

// retain removes from the spool what no kept moment needs. A spool that is too
// large still gets a whole copy, so that what is before it can go.
func (s *Shipper) retain(ctx context.Context) error {
	if err := s.removeExpired(ctx); err != nil || s.cfg.SpoolMax == 0 || s.spool.Size() <= s.cfg.SpoolMax {
		return err
	}
	s.log.Warn("backup: the spool is larger than backup.spool_max", slog.Int64("bytes", s.spool.Size()))
	if s.clock.Now().Sub(s.lastWhole().Time) < fullAgain {
		return nil
	}
	if err := s.full(ctx); err != nil {
		return err
	}
	return s.removeExpired(ctx)
}

func (s *Shipper) removeExpired(ctx context.Context) error {
	files, err := s.spool.List(ctx, "")
	if err != nil {
		return err
	}
	for _, name := range Expired(files, s.client.generation, s.clock.Now(), s.cfg) {
		if f, ok := spool.Parse(name); ok && s.needed(f) {
			continue
		}
		if err := s.spool.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// watch tells of shipping that stands still.
func (s *Shipper) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var told time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		lag := s.progress.lag()
		if now := s.clock.Now(); lag > alarmingLag && now.Sub(told) >= alarmAgain {
			told = now
			_, failed := s.progress.last()
			s.log.Error("backup: shipping stands still; what was sold since is on this disk only",
				slog.Duration("lag", lag), slog.Any("error", failed))
		}
	}
}
