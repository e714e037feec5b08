package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"panshi/internal/db"
)

// rollbackLimit is how long the server may take to forget a transaction.
const rollbackLimit = 5 * time.Second

var (
	errOver  = errors.New("db: this transaction is over")
	errAgain = errors.New("db: an earlier statement spoilt this transaction; it runs again")
)

// txn is one run's transaction. It implements db.Conn and belongs to the
// goroutine of the closure.
type txn struct {
	link    *link
	ctx     context.Context //nolint:containedctx // of the run: it ends a View's statements, and never an Update's
	mode    mode
	limit   time.Duration // of one statement
	careful bool          // every statement gets a savepoint
	wary    *wary

	begun   bool
	open    *rows  // the result that still comes over the connection
	dead    error  // why nothing can be saved from this run; nil while it stands
	retry   bool   // a new run may fare better than dead
	stale   bool   // a table changed since statements were prepared
	spoilt  error  // a failed statement without a savepoint: the closure may handle it, this transaction cannot
	culprit string // the text of the statement that spoilt it
	went    bool   // the closure went on after that
	over    bool
}

// Exec implements db.Conn.
func (t *txn) Exec(_ context.Context, query string, args []any) (int64, error) {
	r, err := t.start(query, args)
	if err != nil {
		return 0, err
	}
	if err := r.Close(); err != nil {
		return 0, err
	}
	return r.tag.RowsAffected(), nil
}

// Query implements db.Conn.
func (t *txn) Query(_ context.Context, query string, args []any) (db.Rows, error) {
	r, err := t.start(query, args)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// start sends a statement and returns its result.
func (t *txn) start(query string, args []any) (*rows, error) {
	if err := t.ready(); err != nil {
		return nil, err
	}
	s, err := t.prepare(query)
	if err != nil {
		return nil, err
	}
	values, formats, err := s.encode(args)
	if err != nil {
		return nil, err
	}
	guarded := t.guards(query)
	p := t.link.pipeline(t.ctx, t.limit)
	before := t.prelude(p, guarded)
	p.SendQueryStatement(s.desc, values, formats, s.formats)
	if guarded {
		p.SendQueryParams("RELEASE SAVEPOINT s", nil, nil, nil, nil)
	}
	reader, err := first(p, before)
	if err != nil {
		_ = p.Close() // repeats the error
		return nil, t.failed(err, query, guarded)
	}
	t.begun = true
	t.open = &rows{txn: t, stmt: s, pipeline: p, reader: reader, guarded: guarded}
	return t.open, nil
}

// guards tells whether a statement needs a savepoint.
func (t *txn) guards(query string) bool {
	return t.careful || t.mode == writing && t.wary.of(query)
}

// ready makes room on the connection, and refuses if the run is lost.
func (t *txn) ready() error {
	if t.over {
		return errOver
	}
	if t.open != nil {
		t.open.spill()
	}
	if t.dead != nil {
		return t.dead
	}
	if t.spoilt != nil {
		t.went = true
		return errAgain
	}
	if t.ctx.Err() != nil {
		t.dead = why(t.ctx)
		return t.dead
	}
	return nil
}

// prepare gives query's statement. The server refuses what it cannot
// understand in a round trip of its own, with a savepoint if one is needed.
func (t *txn) prepare(query string) (*stmt, error) {
	if s := t.link.known(query); s != nil {
		return s, nil
	}
	if err := inspect(query); err != nil {
		return nil, err
	}
	guarded := t.begun && t.guards(query)
	if guarded {
		if _, err := t.link.control(t.ctx, "SAVEPOINT s", t.limit); err != nil {
			return nil, t.failed(err, query, false)
		}
	}
	s, err := t.link.parse(t.ctx, query, t.limit)
	if err != nil {
		if t.begun || !isServerError(err) {
			return nil, t.failed(err, query, guarded)
		}
		return nil, t.translated(err, query) // outside of a transaction nothing is spoilt
	}
	if guarded {
		if _, err := t.link.control(t.ctx, "RELEASE SAVEPOINT s", t.limit); err != nil {
			return nil, t.failed(err, query, false)
		}
	}
	return s, nil
}

// prelude queues what must run before a statement and counts it.
func (t *txn) prelude(p *pgconn.Pipeline, guarded bool) (n int) {
	if !t.begun {
		verb := "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
		if t.mode == reading {
			verb = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
		}
		p.SendQueryParams(verb, nil, nil, nil, nil)
		n++
	}
	if guarded {
		p.SendQueryParams("SAVEPOINT s", nil, nil, nil, nil)
		n++
	}
	return n
}

// first sends what is queued and returns the result behind the first n.
func first(p *pgconn.Pipeline, n int) (*pgconn.ResultReader, error) {
	if err := p.Sync(); err != nil {
		return nil, err
	}
	for i := 0; ; i++ {
		result, err := p.GetResults()
		if err != nil {
			return nil, err
		}
		reader, ok := result.(*pgconn.ResultReader)
		if !ok {
			return nil, fmt.Errorf("db: the server answered %T", result)
		}
		if i == n {
			return reader, nil
		}
	}
}

// failed translates a statement's error and finds out what it did to the
// transaction: nothing (it had a savepoint), spoilt it, or ended the run.
func (t *txn) failed(err error, query string, guarded bool) error {
	known := t.translated(err, query)
	switch {
	case t.dead != nil:
		return t.dead
	case t.link.pg.IsClosed():
		if t.ctx.Err() == nil {
			known = because(db.ErrBusy, discreet(err))
		}
		t.dead, t.retry = known, t.ctx.Err() == nil && !pgconn.Timeout(err)
	case isFinal(err):
		t.dead, t.retry, t.stale = known, isRetriable(err), isStalePlan(err)
	case t.link.pg.TxStatus() != 'E':
	case !t.begun:
		t.undo("ROLLBACK") // it was the first: there is nothing else to keep
	case guarded:
		t.undo("ROLLBACK TO SAVEPOINT s", "RELEASE SAVEPOINT s")
	default:
		t.spoilt, t.culprit = known, query
	}
	return known
}

// undo takes back the one statement that failed.
func (t *txn) undo(verbs ...string) {
	for _, verb := range verbs {
		if _, err := t.link.control(t.ctx, verb, t.limit); err != nil {
			t.dead, t.retry = t.translated(err, verb), true
			return
		}
	}
}

// translated is an error in the contract's words; whoever cancelled a
// statement is its cause.
func (t *txn) translated(err error, query string) error {
	if t.ctx.Err() != nil && !isConstraint(err) {
		return why(t.ctx)
	}
	return translate(err, query)
}

// commit is nil after a durable commit.
func (t *txn) commit() error {
	if !t.begun {
		return nil
	}
	t.link.warning()
	tag, err := t.link.control(t.ctx, "COMMIT", t.limit)
	if err == nil && t.link.warning() != "" {
		return because(db.ErrUnknown, errors.New("the server warned during COMMIT: a standby may lack it"))
	}
	if err == nil && tag != "COMMIT" {
		return fmt.Errorf("db: the server answered COMMIT with %q", tag)
	}
	if err == nil {
		return nil
	}
	if isServerError(err) && !t.link.pg.IsClosed() || pgconn.SafeToRetry(err) || isEvicted(err) {
		t.retry = isRetriable(err) || t.link.pg.IsClosed()
		return translate(err, "COMMIT")
	}
	return because(db.ErrUnknown, err)
}

// end closes what the closure left open and makes sure that no transaction
// is. A connection on which that fails is closed by the pool.
func (t *txn) end(ctx context.Context) {
	t.over = true
	t.drain()
	if t.link.pg.IsClosed() {
		return
	}
	if t.link.pg.TxStatus() != 'I' {
		_, _ = t.link.control(context.WithoutCancel(ctx), "ROLLBACK", rollbackLimit) // the pool looks at what it came to
	}
	_ = t.link.pg.Conn().SetDeadline(time.Time{}) // a closed connection tells at the next use
}

// drain reads what is left of an open result: a statement's error counts even
// if the closure did not read so far.
func (t *txn) drain() {
	if t.open != nil {
		_ = t.open.Close() // failed noted it
	}
}
