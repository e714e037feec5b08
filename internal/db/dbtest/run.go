package dbtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/db"
)

// Options is what a case of the suite asks of the database that it gets.
type Options struct {
	StatementLimit time.Duration // 0: the engine's default
	LongLimit      time.Duration // 0: the engine's default
	Clock          clock.Clock   // nil: the system's
}

// Opened is an empty database with the tables of Schema.
type Opened struct {
	DB db.DB
	// Close closes DB; repeats return what the first did. Run's caller sees to
	// it that it is called in the end.
	Close func() error
	// Reopen opens the same database again after Close.
	Reopen func() db.DB
	// Serial tells that closures run one after the other, so that one which
	// waits makes those behind it share a commit.
	Serial bool
}

// Schema is the suite's tables, in the engine's words.
func Schema(engine db.Engine) string {
	if engine == db.Postgres {
		return `
			CREATE TABLE item (k BIGINT PRIMARY KEY, v BIGINT NOT NULL, tag TEXT COLLATE "C" UNIQUE);
			CREATE TABLE thing (i BIGINT, s TEXT, b BYTEA, f BIGINT, id BYTEA, at BIGINT);
			CREATE TABLE parent (k BIGINT PRIMARY KEY);
			CREATE TABLE child (k BIGINT PRIMARY KEY, p BIGINT NOT NULL REFERENCES parent (k) DEFERRABLE INITIALLY DEFERRED);
			CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, fence BIGINT NOT NULL, until_ms BIGINT NOT NULL);`
	}
	return `
		CREATE TABLE item (k INTEGER PRIMARY KEY, v INTEGER NOT NULL, tag TEXT UNIQUE) STRICT;
		CREATE TABLE thing (i INTEGER, s TEXT, b BLOB, f INTEGER, id BLOB, at INTEGER) STRICT;
		CREATE TABLE parent (k INTEGER PRIMARY KEY) STRICT;
		CREATE TABLE child (k INTEGER PRIMARY KEY, p INTEGER NOT NULL REFERENCES parent (k) DEFERRABLE INITIALLY DEFERRED) STRICT;
		CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, fence INTEGER NOT NULL, until_ms INTEGER NOT NULL) STRICT;`
}

// Run holds an engine to the contract of package db. open returns a new, empty
// database for each case.
func Run(t *testing.T, open func(t *testing.T, opts Options) Opened) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := open(t, c.opts)
			defer func() { require.NoError(t, o.Close()) }()
			c.run(t, &suite{Opened: o})
		})
	}
}

type testCase struct {
	name string
	opts Options
	run  func(t *testing.T, s *suite)
}

func cases() []testCase {
	short := Options{StatementLimit: 150 * time.Millisecond, LongLimit: time.Minute}
	start := time.Date(2031, 4, 5, 6, 7, 8, 9_876_543, time.UTC)
	still, moving := clock.NewManual(start), clock.NewManual(start)
	return []testCase{
		{"UpdateIsSeen", Options{}, updateIsSeen},
		{"ViewIsOneState", Options{}, viewIsOneState},
		{"ReaderNeverSeesHalf", Options{}, readerNeverSeesHalf},
		{"ErrorUndoesOnlyItsOwn", Options{}, errorUndoesOnlyItsOwn},
		{"PanicHarmsNobodyElse", Options{}, panicHarmsNobodyElse},
		{"GoexitHarmsNobodyElse", Options{}, goexitHarmsNobodyElse},
		{"CancelledBeforeStart", Options{}, cancelledBeforeStart},
		{"CancelledAfterStart", Options{}, cancelledAfterStart},
		{"CancelledView", Options{}, cancelledView},
		{"CloseWhileOthersWait", Options{}, closeWhileOthersWait},
		{"ClosedRefuses", Options{}, closedRefuses},
		{"SlowWriteFailsAlone", short, slowWriteFailsAlone},
		{"SlowWriteSwallowed", short, slowWriteSwallowed},
		{"SlowReadFails", short, slowReadFails},
		{"LongIsLonger", short, longIsLonger},
		{"UniqueIsRecoverable", Options{}, uniqueIsRecoverable},
		{"DeferredKeyFailsAlone", Options{}, deferredKeyFailsAlone},
		{"RandomClosures", Options{}, randomClosures},
		{"OnCommit", Options{}, onCommit},
		{"Messages", Options{}, messages},
		{"ViewRefusesWrites", Options{}, viewRefusesWrites},
		{"ControlRefused", Options{}, controlRefused},
		{"TxEndsWithItsClosure", Options{}, txEndsWithItsClosure},
		{"Arguments", Options{}, arguments},
		{"ArgumentsRefused", Options{}, argumentsRefused},
		{"OpenRows", Options{}, openRows},
		{"OneClockReading", Options{Clock: still}, oneClockReading},
		{"Leases", Options{Clock: moving}, func(t *testing.T, s *suite) { leases(t, s, moving) }},
		{"LeaseRace", Options{}, leaseRace},
	}
}

// suite is one case's database with the words that the cases are written in.
type suite struct{ Opened }

func (s *suite) update(fn func(tx *db.Tx) error) error {
	return s.DB.Update(context.Background(), fn)
}

// put inserts an item.
func put(tx *db.Tx, k, v int64) error {
	_, err := tx.Exec(`INSERT INTO item (k, v) VALUES ($1, $2)`, k, v)
	return err
}

// items reads the whole table.
func items(t *testing.T, d db.DB) map[int64]int64 {
	t.Helper()
	all := make(map[int64]int64)
	require.NoError(t, d.View(context.Background(), func(tx *db.Tx) error {
		clear(all)
		_, err := db.Collect(tx, func(r db.Rows) (struct{}, error) {
			var k, v int64
			err := r.Scan(&k, &v)
			all[k] = v
			return struct{}{}, err
		}, `SELECT k, v FROM item ORDER BY k`)
		return err
	}))
	return all
}

// held is an Update whose closure waits, so that on a serial engine all that
// come meanwhile share the next batch with what it is in.
type held struct {
	release chan struct{}
	done    chan error
}

// hold starts one that writes item k, and returns once its closure runs.
func (s *suite) hold(k int64) held {
	h := held{make(chan struct{}), make(chan error, 1)}
	running := make(chan struct{})
	var once sync.Once
	go func() {
		h.done <- s.update(func(tx *db.Tx) error {
			once.Do(func() { close(running) }) // it may run again
			<-h.release
			return put(tx, k, k)
		})
	}()
	<-running
	return h
}

// batch runs the closures behind a held one, so that on a serial engine they
// share its commit in this order, and returns their errors. The held one
// writes item 1,000,000.
func (s *suite) batch(t *testing.T, closures ...func(tx *db.Tx) error) []error {
	t.Helper()
	h := s.hold(1_000_000)
	results := make([]chan error, len(closures))
	for i, fn := range closures {
		results[i] = make(chan error, 1)
		queued := make(chan struct{})
		go func() {
			result := errors.New("its goroutine ended without a result")
			defer func() {
				if p := recover(); p != nil {
					result = panicked{p}
				}
				results[i] <- result
			}()
			ctx := &announcing{Context: context.Background(), asked: queued}
			result = s.DB.Update(ctx, fn)
		}()
		<-queued
		settleDown()
	}
	close(h.release)
	require.NoError(t, <-h.done)
	all := make([]error, len(closures))
	for i, result := range results {
		all[i] = <-result
	}
	return all
}

// panicked carries what a closure panicked with out of its goroutine.
type panicked struct{ value any }

func (p panicked) Error() string { return "panicked" }

// announcing tells when an Update first looks at its context: it is about to
// queue.
type announcing struct {
	context.Context //nolint:containedctx // it is one
	once            sync.Once
	asked           chan struct{}
}

func (a *announcing) Err() error {
	a.once.Do(func() { close(a.asked) })
	return a.Context.Err()
}

func (a *announcing) Done() <-chan struct{} {
	a.once.Do(func() { close(a.asked) })
	return a.Context.Done()
}

// settleDown gives a goroutine that is about to queue the time to do so. If it
// does not, the order in the batch differs, which no case depends on for its
// verdict.
func settleDown() { time.Sleep(2 * time.Millisecond) }
