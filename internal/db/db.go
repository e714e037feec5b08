package db

import (
	"context"
	"errors"
	"time"

	"panshi/internal/errs"
)

// Engine names the database behind a DB, for the few statements that differ.
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// MaxRows is how many rows one Update may write at most (DESIGN.md, rule 3).
const MaxRows = 500

// Errors that a caller may meet. Busy and Closing promise that nothing of the
// closure was kept; Unknown is the only one after which it may have been.
var (
	ErrNoRows  = errors.New("db: no rows")
	ErrUnique  = errors.New("db: a unique key exists already")
	ErrClosing = errs.New(errs.Unavailable, "shutting_down", "the shop is shutting down; try again")
	ErrFull    = errs.New(errs.Unavailable, "storage_full", "the shop's storage is full; nothing was saved")
	ErrTimeout = errs.New(errs.Unavailable, "statement_timeout", "the database took too long; nothing was saved")
	ErrUnknown = errs.New(errs.Unavailable, "outcome_unknown", "the database failed during commit; ask again whether it was saved")
	ErrBusy    = errs.New(errs.Unavailable, "database_busy", "the database is busy; nothing was saved")
	ErrBroken  = errs.New(errs.Unavailable, "storage_failed", "the shop's storage failed; nothing is saved until it has been restarted")

	ErrReadOnly = errors.New("db: a View cannot write")
)

// DB runs closures in transactions.
type DB interface {
	// View runs fn on one consistent state. fn's writes fail. A cancelled ctx
	// ends it early.
	View(ctx context.Context, fn func(tx *Tx) error) error

	// Update runs fn in a transaction of its own and returns nil only after a
	// durable commit (fsync done). If fn fails or panics, all that it wrote is
	// undone, the writes of others are not, and Update returns fn's error (the
	// panic continues in the caller). ctx is honoured until fn starts: after
	// that the outcome is the commit's.
	Update(ctx context.Context, fn func(tx *Tx) error) error
}

// Rows is a result being read. Close it unless Next returned false.
type Rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

// Conn is what an engine gives to a Tx: statements inside one transaction.
type Conn interface {
	Exec(ctx context.Context, query string, args []any) (affected int64, err error)
	Query(ctx context.Context, query string, args []any) (Rows, error)
}

// Tx is one transaction. It lives as long as the closure that got it, and
// belongs to that closure's goroutine.
type Tx struct {
	ctx      context.Context //nolint:containedctx // a Tx is one call's scope; a second parameter on every helper would say the same
	conn     Conn
	engine   Engine
	now      time.Time
	onCommit []func()
	told     []Message
}

// NewTx is for engines: it wraps conn for one run of a closure. now is the
// transaction's one clock reading.
func NewTx(ctx context.Context, conn Conn, engine Engine, now time.Time) *Tx {
	return &Tx{ctx: ctx, conn: conn, engine: engine, now: now.UTC().Truncate(time.Millisecond)}
}

// Now is the transaction's one clock reading, UTC, whole milliseconds.
func (tx *Tx) Now() time.Time { return tx.now }

// Engine tells which of two texts to use where engines must differ.
func (tx *Tx) Engine() Engine { return tx.engine }

// Exec runs a statement and tells how many rows it changed. A broken unique
// key is ErrUnique.
func (tx *Tx) Exec(query string, args ...any) (affected int64, err error) {
	return tx.conn.Exec(tx.ctx, query, args)
}

// Query runs a query whose rows the caller reads and closes; Collect is the
// shorter way.
func (tx *Tx) Query(query string, args ...any) (Rows, error) {
	return tx.conn.Query(tx.ctx, query, args)
}

// Get reads the first row of a query into dest; no row is ErrNoRows.
func (tx *Tx) Get(dest []any, query string, args ...any) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() // Err below tells
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	return rows.Err()
}

// OnCommit remembers a wake-up to call after the commit, in no promised
// goroutine and not at all after a crash: a hint to look at the database
// sooner, never a step of the work.
func (tx *Tx) OnCommit(wake func()) { tx.onCommit = append(tx.onCommit, wake) }

// Committed is for engines: it calls the wake-ups.
func (tx *Tx) Committed() {
	for _, wake := range tx.onCommit {
		wake()
	}
}

// Tell remembers a message for whoever subscribed to topic, here and, on an
// engine that several processes share, in the others (see Board). Like a
// wake-up it is a hint and never a step: it goes out after the commit, some
// time, or not at all.
func (tx *Tx) Tell(topic, text string) { tx.told = append(tx.told, Message{topic, text, true}) }

// TellHere is Tell for this process alone.
func (tx *Tx) TellHere(topic, text string) { tx.told = append(tx.told, Message{topic, text, false}) }

// Told is for engines: the messages to give to their Board after the commit.
func (tx *Tx) Told() []Message { return tx.told }

// Collect reads all rows of a query through scan.
func Collect[T any](tx *Tx, scan func(Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() // Err below tells
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// Millis is how times are stored: Unix milliseconds; the zero time is NULL.
func Millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// MillisOrZero is a time in a list of them, which cannot hold nil: the zero
// time is 0, and NULLIF makes it NULL again.
func MillisOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time reads what Millis stored. It implements sql.Scanner.
type Time struct{ time.Time }

// Scan reads milliseconds or NULL.
func (t *Time) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		t.Time = time.Time{}
		return nil
	case int64:
		t.Time = time.UnixMilli(v).UTC()
		return nil
	}
	return errors.New("db: a time column holds no integer")
}

type longKey struct{}

// WithLong marks ctx for reports, checks and imports: statements get the long
// time limit and a reader of their own, so that they hold up no buyer.
func WithLong(ctx context.Context) context.Context {
	return context.WithValue(ctx, longKey{}, true)
}

// IsLong tells engines whether WithLong marked ctx.
func IsLong(ctx context.Context) bool {
	long, _ := ctx.Value(longKey{}).(bool)
	return long
}
