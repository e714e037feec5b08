package dbtest

import (
	"context"
	"sync"
	"time"

	"panshi/internal/db"
)

// Overlap is a database whose Updates wait for each other.
type Overlap struct {
	db.DB
	meetings [meetings]*meeting
}

// meetings is before how many of its Execs an Update waits.
const meetings = 2

// patience is how long one waits that others cannot reach.
const patience = 300 * time.Millisecond

// Overlapping is d with Updates that stand still before their first and before
// their second Exec until n of them have come so far. So all have read before
// any writes, and all have written once before any goes on, which is how
// decisions by stale reads come about on a server, and only there. Code that is
// right makes all but one wait earlier, at a lock; then the one goes on after a
// moment.
func Overlapping(d db.DB, n int) *Overlap {
	o := &Overlap{DB: d}
	for i := range o.meetings {
		o.meetings[i] = &meeting{left: n, all: make(chan struct{})}
	}
	return o
}

// Met tells whether n Updates came to their first Exec before one of them gave
// up waiting: none was held up by another.
func (o *Overlap) Met() bool {
	m := o.meetings[0]
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left <= 0 && !m.missed
}

// Update implements db.DB.
func (o *Overlap) Update(ctx context.Context, fn func(tx *db.Tx) error) error {
	return o.DB.Update(ctx, func(tx *db.Tx) error {
		execs := 0
		return through(ctx, tx, fn, func(writes bool) error {
			if writes && execs < meetings {
				o.meetings[execs].come()
				execs++
			}
			return nil
		})
	})
}

// meeting is where transactions wait for each other.
type meeting struct {
	mu     sync.Mutex
	left   int  // who has not come yet; guarded by mu
	missed bool // somebody went on alone; guarded by mu
	all    chan struct{}
}

func (m *meeting) come() {
	m.mu.Lock()
	if m.left--; m.left == 0 {
		close(m.all)
	}
	m.mu.Unlock()
	select {
	case <-m.all:
	case <-time.After(patience):
		m.mu.Lock()
		m.missed = true
		m.mu.Unlock()
	}
}

// Rerunning is d with Updates that run twice, as every closure must bear: the
// first run meets db.ErrBusy at its n-th statement and is undone. n goes round
// from 1 to limit, so that runs end early and late.
func Rerunning(d db.DB, limit int) db.DB { return &rerunning{DB: d, limit: limit} }

type rerunning struct {
	db.DB
	limit int

	mu   sync.Mutex
	turn int // guarded by mu
}

// Update implements db.DB.
func (r *rerunning) Update(ctx context.Context, fn func(tx *db.Tx) error) error {
	r.mu.Lock()
	r.turn = r.turn%r.limit + 1
	left := r.turn - 1
	r.mu.Unlock()
	_ = r.DB.Update(ctx, func(tx *db.Tx) error { // its outcome is forgotten, as that of a run that collided
		_ = through(ctx, tx, fn, func(bool) error {
			if left--; left < 0 {
				return db.ErrBusy
			}
			return nil
		})
		return db.ErrBusy
	})
	return r.DB.Update(ctx, fn)
}

// through runs fn on a transaction whose every statement asks before first.
func through(ctx context.Context, tx *db.Tx, fn func(*db.Tx) error, before func(writes bool) error) error {
	inner := db.NewTx(ctx, &asking{tx, before}, tx.Engine(), tx.Now())
	tx.OnCommit(inner.Committed)
	return fn(inner)
}

type asking struct {
	tx     *db.Tx
	before func(writes bool) error
}

// Exec implements db.Conn.
func (a *asking) Exec(_ context.Context, query string, args []any) (int64, error) {
	if err := a.before(true); err != nil {
		return 0, err
	}
	return a.tx.Exec(query, args...)
}

// Query implements db.Conn.
func (a *asking) Query(_ context.Context, query string, args []any) (db.Rows, error) {
	if err := a.before(false); err != nil {
		return nil, err
	}
	return a.tx.Query(query, args...)
}
