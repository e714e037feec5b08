package ship

import (
	"context"
	"fmt"

	"github.com/benbjohnson/litestream"

	"panshi/internal/db"
)

// How long the log may become, in pages of 4 KiB. A checkpoint costs the
// writer about 30 ms whatever the length, so it is long; restoring does not
// read it.
const (
	checkpointEvery = 16000 // pages between two checkpoints
	checkpointLimit = 64000 // pages at which readers are waited for
	checkpointRest  = 1500  // unshipped pages that the writer waits for at most
)

// pages is what the Checkpointer remembers of the log. It belongs to the
// writer's goroutine.
type pages struct {
	last int // in the log after the last batch
	next int // in the log when the next checkpoint is due
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
		s.pages.next = checkpointEvery // it started over
	}
	s.pages.last = state.Pages
	if state.Pages < max(s.pages.next, checkpointEvery) || !s.cycle.TryLock() {
		return nil
	}
	defer s.cycle.Unlock()
	if !s.running {
		return nil
	}
	if rest := state.Pages - s.progress.shippedPages(); rest > checkpointRest && state.Pages < checkpointLimit {
		s.hurry()
		return nil
	}
	s.pages.next = state.Pages + checkpointEvery/4 // if a reader holds it up, not at every batch again
	return s.restart(ctx, state)
}

// restart lets litestream read the log to its end and then copy it into the
// database file, while nobody can commit.
func (s *Shipper) restart(ctx context.Context, state db.LogState) error {
	mode := litestream.CheckpointModePassive
	if state.Pages >= checkpointLimit {
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

// AtClose implements db.Checkpointer: it ships what is left and leaves the log
// as it is, so that the next start finds it and goes on.
func (s *Shipper) AtClose(ctx context.Context, _ db.Log) error {
	if s.engine == nil {
		return nil
	}
	return s.ship(ctx)
}
