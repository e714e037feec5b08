package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"panshi/internal/db"
)

// Waits before a closure runs again: about firstWait, twice as long each
// time, lastWait at most.
const (
	firstWait = 4 * time.Millisecond
	lastWait  = 400 * time.Millisecond
)

// againLimit is how long a closure that has to run again waits for a
// connection: its caller's context does not count any more.
const againLimit = 5 * time.Second

// run is one Update or View on its way.
type run struct {
	db      *DB
	pool    *pool
	fn      func(*db.Tx) error
	mode    mode
	started bool // the closure ran: an Update's caller cannot leave any more
	careful bool // every statement gets a savepoint
}

// verdict is what a run of the closure came to.
type verdict int

const (
	final verdict = iota // the answer
	later                // again, after a while
	atOnce
)

// transact runs fn as often as it takes.
func (d *DB) transact(ctx context.Context, fn func(*db.Tx) error, m mode) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	leave, err := d.gate.enter(m)
	if err != nil {
		return err
	}
	defer leave()
	r := &run{db: d, pool: d.online, fn: fn, mode: m}
	if db.IsLong(ctx) {
		r.pool = d.long
	}
	for n := 0; ; {
		v, err := r.once(ctx)
		if v == final || v == later && n == d.cfg.Retries {
			return err
		}
		if v == later {
			d.stats.retries.Add(1)
			d.cfg.Logger.Debug("db: a transaction runs again", slog.Int("time", n+1), slog.Any("because", err))
			if err := r.pause(ctx, n); err != nil {
				return err
			}
			n++
		}
	}
}

// once runs the closure in one transaction.
func (r *run) once(ctx context.Context) (verdict, error) {
	conn, v, err := r.connect(ctx)
	if err != nil {
		return v, err
	}
	defer conn.Release() // closed unless it is idle outside of any transaction
	scope := context.WithoutCancel(ctx)
	if r.mode == reading {
		bound, release := r.db.gate.bind(ctx)
		defer release()
		scope = bound
	}
	t := &txn{
		link: linkOf(conn), ctx: scope, mode: r.mode, limit: r.pool.limit,
		careful: r.careful, wary: r.db.wary,
	}
	defer t.end(ctx) // also when fn panics or calls Goexit
	tx := db.NewTx(ctx, t, db.Postgres, r.db.cfg.Clock.Now())
	r.started = true
	err = r.fn(tx)
	return r.settle(t, tx, err)
}

// settle judges what the closure returned, and commits.
func (r *run) settle(t *txn, tx *db.Tx, err error) (verdict, error) {
	t.over = true
	t.drain()
	switch {
	case t.dead != nil:
		if !errors.Is(err, t.dead) {
			err = t.dead
		}
		if t.stale {
			r.pool.Reset() // every connection has prepared what does not fit any more
		}
		if t.retry {
			return later, err
		}
		return final, err
	case t.spoilt != nil && (t.went || err == nil):
		if r.careful {
			return final, t.spoilt // not even savepoints could be made
		}
		r.beCareful(t)
		return atOnce, err
	case r.mode == reading:
		r.db.stats.views.Add(1)
		return final, err
	case err != nil:
		return final, err
	}
	return r.commit(t, tx)
}

// beCareful remembers that a closure handles a statement's failure.
func (r *run) beCareful(t *txn) {
	r.careful = true
	r.db.stats.careful.Add(1)
	r.db.wary.remember(t.culprit)
}

func (r *run) commit(t *txn, tx *db.Tx) (verdict, error) {
	err := t.commit()
	switch {
	case err == nil:
		r.db.stats.commits.Add(1)
		if !r.db.wakes.committed(tx) {
			r.db.stats.wakesLost.Add(1)
		}
		return final, nil
	case t.retry:
		return later, err
	case errors.Is(err, db.ErrUnknown):
		r.db.stats.unknown.Add(1)
		r.db.cfg.Logger.Error("db: the outcome of a commit is unknown", slog.Any("error", err))
	}
	return final, err
}

// connect takes a connection of the pool. A caller may leave until its
// closure has started.
func (r *run) connect(ctx context.Context) (*pgxpool.Conn, verdict, error) {
	wait, release := r.patience(ctx)
	defer release()
	conn, err := r.pool.Acquire(wait)
	switch {
	case err == nil:
		return conn, final, nil
	case wait.Err() != nil && !r.started:
		return nil, final, why(wait)
	case wait.Err() != nil:
		return nil, final, because(db.ErrBusy, err)
	}
	return nil, later, because(db.ErrBusy, err)
}

// patience is the context under which the run may wait.
func (r *run) patience(ctx context.Context) (context.Context, func()) {
	if r.started && r.mode == writing {
		wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), againLimit)
		return wait, cancel
	}
	return r.db.gate.bind(ctx)
}

// pause waits before the next run, for a time that differs between those who
// collided.
func (r *run) pause(ctx context.Context, n int) error {
	wait, release := r.patience(ctx)
	defer release()
	timer := time.NewTimer(backOff(n))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-wait.Done():
		return why(wait)
	}
}

// backOff is the n-th wait: between half of and one and a half its length.
func backOff(n int) time.Duration {
	length := min(firstWait<<min(n, 20), lastWait)
	var b [1]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return length/2 + length*time.Duration(b[0])/255
}
