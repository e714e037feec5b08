package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"panshi/internal/db"
)

// leaveTime is how long closing waits for Views whose closures do not return
// although their statements are cancelled.
const leaveTime = 10 * time.Second

// mode is what a transaction may do.
type mode bool

const (
	reading mode = false
	writing mode = true
)

// gate counts the transactions that are inside, and lets none in once closed.
type gate struct {
	ctx    context.Context //nolint:containedctx // ends when the gate closes; Views and waits derive from it
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	closed  bool // guarded by mu
	updates sync.WaitGroup
	views   sync.WaitGroup
}

func newGate() *gate {
	g := &gate{}
	g.ctx, g.cancel = context.WithCancelCause(context.Background())
	return g
}

// enter lets one in; call leave when it is out.
func (g *gate) enter(m mode) (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, db.ErrClosing
	}
	inside := &g.views
	if m == writing {
		inside = &g.updates
	}
	inside.Add(1)
	return inside.Done, nil
}

// bind returns a context that ends with ctx or, with db.ErrClosing as its
// cause, when the gate closes.
func (g *gate) bind(ctx context.Context) (bound context.Context, release func()) {
	bound, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(g.ctx, func() { cancel(db.ErrClosing) })
	return bound, func() {
		stop()
		cancel(nil)
	}
}

// why tells why a bound context ended.
func why(bound context.Context) error {
	if errors.Is(context.Cause(bound), db.ErrClosing) {
		return db.ErrClosing
	}
	return bound.Err()
}

// close waits until all are out. It tells whether they are: of Views it waits
// for a time only.
func (g *gate) close() (left bool) {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel(db.ErrClosing)
	g.updates.Wait()
	out := make(chan struct{})
	go func() {
		g.views.Wait()
		close(out)
	}()
	late := time.NewTimer(leaveTime)
	defer late.Stop()
	select {
	case <-out:
		return true
	case <-late.C:
		return false
	}
}
