package ship

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"panshi/internal/errs"
)

// freezeLimit is how long the writer waits for one look, and who looks for the
// writer.
const freezeLimit = 2 * time.Second

// Moment is one state of the database, by its place in what is shipped: a
// restore that ends at Transaction gives exactly this state.
type Moment struct {
	Generation  string
	Transaction uint64
	Time        time.Time // by the shop's clock
}

// freeze is the writer standing still for somebody who looks.
type freeze struct {
	reached chan struct{} // closed when the writer stands
	free    chan struct{} // closed when it may go on
	late    atomic.Bool   // it went on by itself
}

func notFrozen(text string, err error) error {
	return errs.Wrap(err, errs.Unavailable, "backup_not_counted", text)
}

// Freeze calls look while nobody can commit and all that is committed has been
// read into the transaction that it returns. look begins a read of the database
// and returns: every write waits for it. nudge makes the writer commit
// something, or nothing, soon; it is called once, and must not wait. Code
// backup_not_counted: it did not work out this time, and look may have run.
func (s *Shipper) Freeze(ctx context.Context, nudge func(), look func() error) (Moment, error) {
	// What is left to read while the writer stands should be little.
	if err := s.ship(ctx); err != nil {
		return Moment{}, notFrozen("shipping does not work", err)
	}
	s.cycle.Lock()
	defer s.cycle.Unlock()
	if !s.running {
		return Moment{}, notFrozen("shipping has not begun", nil)
	}
	f := &freeze{reached: make(chan struct{}), free: make(chan struct{})}
	s.frozen.Store(f)
	defer close(f.free)
	defer s.frozen.CompareAndSwap(f, nil)
	nudge()
	late := time.NewTimer(freezeLimit)
	defer late.Stop()
	select {
	case <-f.reached:
	case <-late.C:
		return Moment{}, notFrozen("the writer was busy", nil)
	case <-ctx.Done():
		return Moment{}, ctx.Err()
	}
	return s.look(ctx, f, look)
}

// look reads the log to its end and begins the look, both before the writer
// goes on.
func (s *Shipper) look(ctx context.Context, f *freeze, look func() error) (Moment, error) {
	if err := s.engine.Sync(ctx); err != nil {
		return Moment{}, notFrozen("the log could not be read", err)
	}
	position, err := s.engine.Pos()
	if err != nil {
		return Moment{}, fmt.Errorf("ship: %w", err)
	}
	m := Moment{Generation: s.client.generation, Transaction: uint64(position.TXID), Time: s.clock.Now()}
	if err := look(); err != nil {
		return Moment{}, err
	}
	if f.late.Load() {
		return Moment{}, notFrozen("it took too long", nil)
	}
	return m, nil
}

// stand lets who asked for it look, in the writer's goroutine.
func (s *Shipper) stand() {
	f := s.frozen.Swap(nil)
	if f == nil {
		return
	}
	close(f.reached)
	late := time.NewTimer(freezeLimit)
	defer late.Stop()
	select {
	case <-f.free:
	case <-late.C:
		f.late.Store(true)
	}
}
