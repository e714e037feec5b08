package histories

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"

	"panshi/internal/db"
	"panshi/internal/errs"
)

// lossy is a real database of which some answers to commits are lost: what was
// to be written was, or was not.
type lossy struct {
	db.DB
	oneIn int // answers

	mu   sync.Mutex
	dice *rand.Rand // guarded by mu
}

var errLost = errors.New("the answer was lost")

func (l *lossy) roll() (lose, before bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.dice.IntN(2 * l.oneIn)
	return n < 2, n == 0
}

// Update implements db.DB.
func (l *lossy) Update(ctx context.Context, fn func(tx *db.Tx) error) error {
	lose, before := l.roll()
	unknown := errs.Wrap(errLost, db.ErrUnknown.Kind, db.ErrUnknown.Code, db.ErrUnknown.Msg)
	if lose && before {
		return unknown
	}
	err := l.DB.Update(ctx, fn)
	if lose && err == nil {
		return unknown
	}
	return err
}

// spoilt is a real database that runs some statements otherwise than they were
// written, as a shop with a defect would have written them.
type spoilt struct {
	db.DB
	spoil  func(query string) string // gives query if it is none that the defect is in
	spoils atomic.Int64              // statements that were changed
}

// Update implements db.DB.
func (s *spoilt) Update(ctx context.Context, fn func(tx *db.Tx) error) error {
	return s.DB.Update(ctx, func(tx *db.Tx) error {
		inner := db.NewTx(ctx, spoiltConn{s, tx}, tx.Engine(), tx.Now())
		tx.OnCommit(inner.Committed)
		return fn(inner)
	})
}

type spoiltConn struct {
	*spoilt
	tx *db.Tx
}

func (c spoiltConn) change(query string) string {
	changed := c.spoil(query)
	if changed != query {
		c.spoils.Add(1)
	}
	return changed
}

// Exec implements db.Conn.
func (c spoiltConn) Exec(_ context.Context, query string, args []any) (int64, error) {
	return c.tx.Exec(c.change(query), args...)
}

// Query implements db.Conn.
func (c spoiltConn) Query(_ context.Context, query string, args []any) (db.Rows, error) {
	return c.tx.Query(c.change(query), args...)
}

// claims tells whether a statement takes cards for orders.
func claims(query string) bool {
	return strings.Contains(query, "UPDATE cards") && strings.Contains(query, "'held'") &&
		strings.Contains(query, "status = 'available'") && !strings.Contains(query, "SET status = 'available'")
}
