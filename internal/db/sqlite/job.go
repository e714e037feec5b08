package sqlite

import (
	"context"
	"sync/atomic"

	"panshi/internal/db"
)

// States of a job. Whoever changes it away from waiting decides its fate: the
// writer by starting it, the caller by giving up.
const (
	waiting int32 = iota
	started
	abandoned
)

// job is one Update on its way through the writer.
type job struct {
	ctx   context.Context //nolint:containedctx // a job is one call's scope
	fn    func(*db.Tx) error
	state atomic.Int32
	turn  chan turn // from the writer: run now, or the answer

	// Owned by the writer.
	tx   *db.Tx
	err  error
	gone bool // the closure panicked or called Goexit: it cannot run again
}

// turn is what the writer tells a job: run with tx, or (tx nil) the answer.
type turn struct {
	tx  *db.Tx
	err error
}

// outcome is what a closure came to.
type outcome struct {
	err  error
	gone bool
}

func newJob(ctx context.Context, fn func(*db.Tx) error) *job {
	return &job{ctx: ctx, fn: fn, turn: make(chan turn, 1)}
}

func (j *job) claim(as int32) bool { return j.state.CompareAndSwap(waiting, as) }

// answer ends the job; the caller's Update returns err.
func (j *job) answer(err error) { j.turn <- turn{err: err} }

// await runs the closure as often as the writer asks for, in the caller's own
// goroutine, and returns the answer.
func (j *job) await(w *writer) error {
	left := j.ctx.Done()
	stopped := w.stopped
	for {
		select {
		case t := <-j.turn:
			if t.tx == nil {
				return t.err
			}
			left = nil // from here on the outcome is the commit's
			j.run(w, t.tx)
		case <-left:
			if j.claim(abandoned) {
				return j.ctx.Err()
			}
			left = nil
		case <-stopped:
			if j.claim(abandoned) {
				return db.ErrClosing
			}
			stopped = nil // the answer was sent before the writer stopped
		}
	}
}

// run calls the closure and tells the writer how it ended. If it panics or
// calls Goexit, the goroutine keeps unwinding, but not before the writer has
// undone and settled everything.
func (j *job) run(w *writer, tx *db.Tx) {
	returned := false
	defer func() {
		if !returned {
			w.outcome <- outcome{gone: true}
			<-j.turn
		}
	}()
	err := j.fn(tx)
	returned = true
	w.outcome <- outcome{err: err}
}
