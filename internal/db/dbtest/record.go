package dbtest

import (
	"context"
	"sync"

	"panshi/internal/db"
)

// Statement is one that a closure ran.
type Statement struct {
	Query string
	Args  []any
}

// Recorder is a database that notes what runs on it. It is safe for concurrent
// use.
type Recorder struct {
	db.DB

	mu         sync.Mutex
	statements []Statement
	most       int64 // rows that one Update wrote
}

// Record returns d with a recorder before it.
func Record(d db.DB) *Recorder { return &Recorder{DB: d} }

// View implements db.DB.
func (r *Recorder) View(ctx context.Context, fn func(tx *db.Tx) error) error {
	return r.DB.View(ctx, func(tx *db.Tx) error { return fn(r.wrap(ctx, &recording{recorder: r, tx: tx})) })
}

// Update implements db.DB.
func (r *Recorder) Update(ctx context.Context, fn func(tx *db.Tx) error) error {
	return r.DB.Update(ctx, func(tx *db.Tx) error {
		noted := &recording{recorder: r, tx: tx}
		err := fn(r.wrap(ctx, noted))
		r.mu.Lock()
		defer r.mu.Unlock()
		r.most = max(r.most, noted.written)
		return err
	})
}

// Take returns the statements since the last call, in the order in which they
// ran.
func (r *Recorder) Take() []Statement {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.statements
	r.statements = nil
	return taken
}

// MostWritten is how many rows the largest Update wrote.
func (r *Recorder) MostWritten() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most
}

func (r *Recorder) wrap(ctx context.Context, c *recording) *db.Tx {
	outer := db.NewTx(ctx, c, c.tx.Engine(), c.tx.Now())
	c.tx.OnCommit(outer.Committed)
	return outer
}

// recording is one transaction under a recorder. It belongs to the closure's
// goroutine.
type recording struct {
	recorder *Recorder
	tx       *db.Tx
	written  int64
}

func (c *recording) note(query string, args []any) {
	c.recorder.mu.Lock()
	defer c.recorder.mu.Unlock()
	c.recorder.statements = append(c.recorder.statements, Statement{query, args})
}

// Exec implements db.Conn.
func (c *recording) Exec(_ context.Context, query string, args []any) (int64, error) {
	c.note(query, args)
	n, err := c.tx.Exec(query, args...)
	c.written += n
	return n, err
}

// Query implements db.Conn.
func (c *recording) Query(_ context.Context, query string, args []any) (db.Rows, error) {
	c.note(query, args)
	return c.tx.Query(query, args...)
}
