package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	lib "modernc.org/sqlite/lib"

	"panshi/internal/db"
)

// stmtLimit is how many prepared statements a connection keeps.
const stmtLimit = 400

// conn is one connection to SQLite with what it needs to run closures. It
// belongs to one goroutine at a time: the writer's or reader's, which lends it
// to a closure.
type conn struct {
	sql     *sql.Conn
	handle  *handle
	dog     *watchdog
	stmts   *stmtCache
	control map[string]*sql.Stmt // BEGIN, COMMIT and the like
	limit   func(long bool) time.Duration

	open   []*rows // not yet closed by the closure
	dead   error   // why the transaction that a closure runs in is gone; nil while it stands
	broken bool    // an error told that the disk failed
}

// newConn takes a connection of pool for itself.
func newConn(ctx context.Context, pool *sql.DB, limit func(bool) time.Duration) (*conn, error) {
	c, err := pool.Conn(ctx)
	if err != nil {
		return nil, translate(err, "open")
	}
	h, err := newHandle(c)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &conn{
		sql: c, handle: h, dog: &watchdog{interrupt: h.interrupt}, limit: limit,
		stmts: newStmtCache(c, stmtLimit), control: make(map[string]*sql.Stmt),
	}, nil
}

// run executes one of the engine's own statements.
func (c *conn) run(query string) error {
	s := c.control[query]
	if s == nil {
		var err error
		if s, err = c.sql.PrepareContext(context.Background(), query); err != nil {
			return err
		}
		c.control[query] = s
	}
	_, err := s.ExecContext(context.Background())
	return err
}

// get reads one row of one of the engine's own queries.
func (c *conn) get(ctx context.Context, query string, dest ...any) error {
	s := c.control[query]
	if s == nil {
		var err error
		if s, err = c.sql.PrepareContext(ctx, query); err != nil {
			return err
		}
		c.control[query] = s
	}
	return s.QueryRowContext(ctx).Scan(dest...)
}

// begin starts a transaction with the given verb.
func (c *conn) begin(verb string) error {
	c.dead = nil
	return c.run(verb)
}

// exec runs a closure's statement.
func (c *conn) exec(long bool, query string, args []any) (int64, error) {
	s, err := c.ready(query, args)
	if err != nil {
		return 0, err
	}
	defer c.stmts.release(s)
	outer := c.dog.start(c.limit(long))
	result, err := s.ExecContext(context.Background(), args...)
	c.dog.stop(outer)
	if err != nil {
		return 0, c.failed(err, query)
	}
	return result.RowsAffected()
}

// query runs a closure's query.
func (c *conn) query(long bool, query string, args []any) (*rows, error) {
	s, err := c.ready(query, args)
	if err != nil {
		return nil, err
	}
	outer := c.dog.start(c.limit(long))
	found, err := s.QueryContext(context.Background(), args...)
	if err != nil {
		c.dog.stop(outer)
		c.stmts.release(s)
		return nil, c.failed(err, query)
	}
	r := &rows{rows: found, conn: c, stmt: s, outer: outer}
	c.open = append(c.open, r)
	return r, nil
}

// ready prepares a statement unless the transaction is gone or its caller is.
func (c *conn) ready(query string, args []any) (*stmt, error) {
	if c.dead != nil {
		return nil, c.dead
	}
	if err := c.dog.gone(); err != nil {
		return nil, err
	}
	s, err := c.stmts.take(query)
	if err != nil {
		return nil, err
	}
	if err := checkArgs(query, s.params, args); err != nil {
		c.stmts.release(s)
		return nil, err
	}
	return s, nil
}

// failed translates a statement's error and finds out whether it took the
// transaction along.
func (c *conn) failed(err error, query string) error {
	c.broken = c.broken || isBroken(code(err))
	if code(err)&0xff == lib.SQLITE_INTERRUPT {
		err = fmt.Errorf("%w (in %s)", c.dog.why(), head(query))
	} else {
		err = translate(err, query)
	}
	if c.dead == nil && !c.handle.inTransaction() {
		c.dead = err
	}
	return err
}

// closeRows ends the queries that a closure left open.
func (c *conn) closeRows() {
	for len(c.open) > 0 {
		c.open[len(c.open)-1].end()
	}
}

func (c *conn) forget(r *rows) {
	if i := slices.Index(c.open, r); i >= 0 {
		c.open = slices.Delete(c.open, i, i+1)
	}
}

// pragma reads a setting back.
func (c *conn) pragma(ctx context.Context, name string) (string, error) {
	var value string
	err := c.sql.QueryRowContext(ctx, "PRAGMA "+name).Scan(&value)
	if err != nil {
		return "", fmt.Errorf("db: reading back %s: %w", name, translate(err, name))
	}
	return value, nil
}

func (c *conn) close() error {
	c.dog.close()
	c.closeRows()
	c.stmts.close()
	for _, s := range c.control {
		_ = s.Close() // the connection closes next
	}
	c.handle.close()
	return c.sql.Close()
}

// session is a closure's view of a conn for one run; it refuses to work once
// the run is over.
type session struct {
	conn *conn
	over bool
}

var errOver = errors.New("db: this transaction is over")

// Exec implements db.Conn.
func (s *session) Exec(ctx context.Context, query string, args []any) (int64, error) {
	if s.over {
		return 0, errOver
	}
	return s.conn.exec(db.IsLong(ctx), query, args)
}

// Query implements db.Conn.
func (s *session) Query(ctx context.Context, query string, args []any) (db.Rows, error) {
	if s.over {
		return nil, errOver
	}
	r, err := s.conn.query(db.IsLong(ctx), query, args)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// rows is a result being read.
type rows struct {
	rows  *sql.Rows
	conn  *conn
	stmt  *stmt
	outer time.Time
	ended bool
	err   error
}

// Next implements db.Rows.
func (r *rows) Next() bool {
	if r.ended {
		return false
	}
	if r.rows.Next() {
		return true
	}
	r.end()
	return false
}

// Scan implements db.Rows.
func (r *rows) Scan(dest ...any) error {
	if err := r.rows.Scan(dest...); err != nil {
		return fmt.Errorf("%w (in %s)", err, head(r.stmt.query))
	}
	return nil
}

// Err implements db.Rows.
func (r *rows) Err() error { return r.err }

// Close implements db.Rows.
func (r *rows) Close() error {
	r.end()
	return r.err
}

// end gives the statement back. Closing repeats an error of the last step.
func (r *rows) end() {
	if r.ended {
		return
	}
	r.ended = true
	err := r.rows.Err()
	if closing := r.rows.Close(); err == nil {
		err = closing
	}
	r.conn.dog.stop(r.outer)
	r.conn.stmts.release(r.stmt)
	r.conn.forget(r)
	if err != nil {
		r.err = r.conn.failed(err, r.stmt.query)
	}
}
