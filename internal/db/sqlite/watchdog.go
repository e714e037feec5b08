package sqlite

import (
	"context"
	"errors"
	"sync"
	"time"

	"panshi/internal/db"
)

// nudge is how soon a statement that outlived an interrupt gets another: one
// that arrives before the statement's first step is lost.
const nudge = 20 * time.Millisecond

// watchdog interrupts statements that outlive their deadline, or whose caller
// has gone. It costs the hot path a lock and a look at the clock; its timer
// stays armed between statements.
type watchdog struct {
	interrupt func()

	mu       sync.Mutex
	timer    *time.Timer // guarded by mu
	fires    time.Time   // guarded by mu; when timer will fire, zero if it will not
	running  int         // guarded by mu; statements started and not stopped: queries nest
	deadline time.Time   // guarded by mu; of the innermost running statement, zero if none runs
	cause    error       // guarded by mu; why statements are being interrupted
	watched  uint64      // guarded by mu; counts watch, so that a late cancel misses the next user
	closed   bool        // guarded by mu
}

// start begins a statement and returns what stop needs.
func (w *watchdog) start(limit time.Duration) (outer time.Time) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	outer, w.deadline = w.deadline, now.Add(limit)
	w.running++
	if outer.IsZero() && !isGone(w.cause) {
		w.cause = nil
	}
	w.arm(now, w.deadline)
	return outer
}

// stop ends a statement; the one around it, if any, is watched again. Queries
// may end in any order.
func (w *watchdog) stop(outer time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running--
	switch {
	case w.running == 0:
		w.deadline = time.Time{}
	case !outer.IsZero():
		w.deadline = outer
	}
}

// arm makes the timer fire no later than at. Call it with mu held.
func (w *watchdog) arm(now, at time.Time) {
	if w.closed || !w.fires.IsZero() && !w.fires.After(at) {
		return
	}
	w.fires = at
	if w.timer == nil {
		w.timer = time.AfterFunc(at.Sub(now), w.fire)
		return
	}
	w.timer.Reset(at.Sub(now))
}

func (w *watchdog) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fires = time.Time{}
	if w.closed || w.deadline.IsZero() {
		return
	}
	now := time.Now()
	if now.Before(w.deadline) && w.cause == nil {
		w.arm(now, w.deadline)
		return
	}
	if w.cause == nil {
		w.cause = db.ErrTimeout
	}
	w.interrupt()
	w.arm(now, now.Add(nudge))
}

// isGone tells the causes that last as long as the caller's turn from those of
// one statement.
func isGone(cause error) bool { return cause != nil && !errors.Is(cause, db.ErrTimeout) }

// watch interrupts what runs from now on when ctx ends, until the returned
// function is called.
func (w *watchdog) watch(ctx context.Context) (unwatch func()) {
	w.mu.Lock()
	w.watched++
	turn := w.watched
	w.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { w.cancel(turn, ctx.Err()) })
	return func() {
		stop()
		w.mu.Lock()
		w.watched++
		w.cause = nil
		w.mu.Unlock()
	}
}

// leave interrupts whatever runs, because the engine closes.
func (w *watchdog) leave() {
	w.mu.Lock()
	turn := w.watched
	w.mu.Unlock()
	w.cancel(turn, db.ErrClosing)
}

// cancel interrupts the turn's statements, the present and the later ones.
func (w *watchdog) cancel(turn uint64, cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || turn != w.watched {
		return
	}
	w.cause = cause
	if !w.deadline.IsZero() {
		w.interrupt()
		now := time.Now()
		w.arm(now, now.Add(nudge))
	}
}

// why tells what an interrupted statement was interrupted for.
func (w *watchdog) why() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cause == nil {
		return db.ErrTimeout
	}
	return w.cause
}

// gone tells whether the caller has left, so that no statement need start.
func (w *watchdog) gone() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if isGone(w.cause) {
		return w.cause
	}
	return nil
}

// close makes sure that no interrupt comes any more.
func (w *watchdog) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
}
