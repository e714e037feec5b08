package ship

import (
	"context"
	"fmt"

	"github.com/benbjohnson/litestream"

	"panshi/internal/db"
)

// limits say how long the log may become, in pages of 4 KiB.
type limits struct {
	every int // between two checkpoints
	most  int // at which readers are waited for
	rest  int // unshipped pages that the writer waits for at most
}

// usual are long: a checkpoint costs the writer about as much whatever the
// length, and restoring does not read the log.
func usual() limits { return limits{every: 16000, most: 64000, rest: 1500} }

// pages is what the Checkpointer remembers of the log. It belongs to the
// writer's goroutine.
type pages struct {
	last int // in the log after the last batch
	next int // in the log when the next checkpoint is due

	restarts int // how often the log started over
}

// AfterBatch implements db.Checkpointer: it notes that there is something to
// ship and, when the log is long enough and nearly all of it is shipped,
// restarts the log.
func (s *Shipper) AfterBatch(ctx context.Context, log db.Log) error {
	state, err := log.State(ctx)
	if err != nil {
		return err
	}
	s.progress.committed(state.Pages)
	if state.Pages < s.pages.last {
		s.pages.next = s.limits.every
		s.pages.restarts++
	}
	s.pages.last = state.Pages
	s.stand()
	if state.Pages < max(s.pages.next, s.limits.every) || !s.cycle.TryLock() {
		return nil
	}
	defer s.cycle.Unlock()
	if !s.running {
		return nil
	}
	if rest := state.Pages - s.progress.shippedPages(); rest > s.limits.rest && state.Pages < s.limits.most {
		if !s.Failing() { // else it is tried again at its time
			s.hurry()
		}
		return nil
	}
	s.pages.next = state.Pages + s.limits.every/4 // if a reader holds it up, not at every batch again
	return s.restart(ctx, state)
}

// restart lets litestream read the log to its end and then copy it into the
// database file, while nobody can commit.
func (s *Shipper) restart(ctx context.Context, state db.LogState) error {
	mode := litestream.CheckpointModePassive
	if state.Pages >= s.limits.most {
		mode = litestream.CheckpointModeRestart
	}
	if err := s.engine.Checkpoint(ctx, mode); err != nil {
		return fmt.Errorf("ship: checkpoint: %w", err)
	}
	s.progress.restarted()
	return nil
}

// hurry asks for a shipment before its time.
func (s *Shipper) hurry() {
	select {
	case s.soon <- struct{}{}:
	default: // one is asked for already
	}
}

// AtClose implements db.Checkpointer: the log stays as it is, for Close to ship
// what is left of it and for the next start to go on with it.
func (*Shipper) AtClose(context.Context, db.Log) error { return nil }
