package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	lib "modernc.org/sqlite/lib"

	"panshi/internal/db"
)

// rounds is how often a batch is run again as a whole after its transaction
// was lost; after that each closure runs in a transaction of its own, so that
// a disk that stays full costs linear work.
const rounds = 3

// stall is when a closure that keeps everybody waiting is reported: it waits
// for something, perhaps for an Update inside its Update.
const stall = 10 * time.Second

// writer owns the writing connection and runs all Updates.
type writer struct {
	cfg     Config
	conn    *conn // owned by loop's goroutine, lent to the closure that runs
	queue   chan *job
	outcome chan outcome // from the one closure that runs
	closing chan struct{}
	stopped chan struct{} // closed when loop has ended
	wakes   chan []*db.Tx // committed transactions, in order, to notify's goroutine
	woken   chan struct{} // closed when notify has ended
	board   db.Board      // who hears messages
	broken  atomic.Bool   // the disk failed: no more writes
	stats   counters
	commit  func() error // conn's COMMIT; a seam for faults
}

func newWriter(cfg Config, c *conn) *writer {
	w := &writer{
		cfg: cfg, conn: c,
		queue:   make(chan *job, cfg.QueueLen),
		outcome: make(chan outcome),
		closing: make(chan struct{}), stopped: make(chan struct{}),
		wakes: make(chan []*db.Tx, 256), woken: make(chan struct{}),
	}
	w.commit = func() error { return commit(c) }
	return w
}

// update is DB.Update.
func (w *writer) update(ctx context.Context, fn func(*db.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.broken.Load() {
		return db.ErrBroken
	}
	select {
	case <-w.closing:
		return db.ErrClosing
	default:
	}
	j := newJob(ctx, fn)
	select {
	case w.queue <- j:
		return j.await(w)
	case <-w.closing:
		return db.ErrClosing
	case <-ctx.Done():
		return ctx.Err()
	}
}

// loop runs batches until closing. Jobs still in the queue then see stopped.
func (w *writer) loop() {
	defer close(w.stopped)
	for {
		select {
		case <-w.closing:
			return
		default:
		}
		select {
		case <-w.closing:
			return
		case j := <-w.queue:
			w.batch(j)
			// Those just answered may queue again before the next batch begins.
			runtime.Gosched()
		}
	}
}

// batch runs first and what else waits, until every job of it is answered.
func (w *writer) batch(first *job) {
	again, alone := w.transaction(w.arrivals(first))
	for round := 1; len(again) > 0 && round <= rounds && !alone; round++ {
		w.stats.reruns.Add(int64(len(again)))
		again, alone = w.transaction(these(again))
	}
	for _, j := range again {
		w.stats.reruns.Add(1)
		w.transaction(these([]*job{j}))
	}
	w.checkpoint()
}

// arrivals yields first and then whatever waits, up to the batch's bounds.
func (w *writer) arrivals(first *job) func() *job {
	until := time.Now().Add(w.cfg.BatchTime)
	n := 0
	return func() *job {
		j := first
		first = nil
		for n < w.cfg.MaxBatch {
			if j != nil && j.claim(started) {
				n++
				return j
			}
			if n > 0 && time.Now().After(until) {
				return nil
			}
			select {
			case j = <-w.queue:
			default:
				return nil
			}
		}
		return nil
	}
}

func these(jobs []*job) func() *job {
	return func() *job {
		if len(jobs) == 0 {
			return nil
		}
		j := jobs[0]
		jobs = jobs[1:]
		return j
	}
}

// transaction runs jobs in one transaction and answers them, except those that
// have to run again, perhaps each alone.
func (w *writer) transaction(next func() *job) (again []*job, alone bool) {
	j := next()
	if j == nil {
		return nil, false
	}
	if err := w.begin(); err != nil {
		for ; j != nil; j = next() {
			j.answer(err)
		}
		return nil, false
	}
	var ran []*job
	for ; j != nil; j = next() {
		if w.closure(j) {
			ran = append(ran, j)
			continue
		}
		w.undo()
		j.answer(j.err)
		return w.others(ran, next), false
	}
	return w.settle(ran)
}

func (w *writer) begin() error {
	if w.broken.Load() {
		return db.ErrBroken
	}
	if err := w.conn.begin("BEGIN IMMEDIATE"); err != nil {
		w.note(err)
		return translate(err, "BEGIN IMMEDIATE")
	}
	w.stats.batches.Add(1)
	return nil
}

// others are the jobs of a lost transaction that can run again: those that
// ran and those that did not get to it.
func (w *writer) others(ran []*job, next func() *job) []*job {
	var again []*job
	for _, j := range ran {
		if j.gone {
			j.answer(nil)
			continue
		}
		again = append(again, j)
	}
	for len(again) < w.cfg.MaxBatch {
		j := next()
		if j == nil {
			break
		}
		again = append(again, j)
	}
	return again
}

// closure lets one job run in a savepoint. It tells whether the transaction
// still stands; if not, j.err says why and j is the culprit.
func (w *writer) closure(j *job) (stands bool) {
	w.stats.closures.Add(1)
	if err := w.conn.run("SAVEPOINT closure"); err != nil {
		return w.lost(j, err)
	}
	s := &session{conn: w.conn}
	j.tx = db.NewTx(j.ctx, s, db.SQLite, w.cfg.Clock.Now())
	j.turn <- turn{tx: j.tx}
	out := w.await()
	s.over = true
	j.err, j.gone = out.err, out.gone
	w.conn.closeRows()
	if dead := w.conn.dead; dead != nil {
		if !errors.Is(j.err, dead) {
			j.err = dead
		}
		return false
	}
	if j.err != nil || j.gone {
		if err := w.conn.run("ROLLBACK TO closure"); err != nil {
			return w.lost(j, err)
		}
	}
	if err := w.conn.run("RELEASE closure"); err != nil {
		return w.lost(j, err)
	}
	return true
}

// lost notes that one of the engine's own statements failed around j.
func (w *writer) lost(j *job, err error) bool {
	w.note(err)
	j.err = translate(err, "SAVEPOINT")
	return false
}

// await waits for the closure that runs.
func (w *writer) await() outcome {
	slow := time.NewTimer(stall)
	defer slow.Stop()
	select {
	case out := <-w.outcome:
		return out
	case <-slow.C:
		w.cfg.Logger.Error("db: a closure keeps every other write waiting", slog.Duration("for", stall))
		return <-w.outcome
	}
}

// settle commits and answers. Nobody hears of success or failure before.
func (w *writer) settle(ran []*job) (again []*job, alone bool) {
	err := w.commit()
	if err == nil {
		w.committed(ran)
		return nil, false
	}
	w.undo()
	c := code(err)
	switch {
	case c&0xff == lib.SQLITE_CONSTRAINT && len(ran) > 1:
		// A deferred key that one of them broke: alone, each answers for itself.
		return w.others(ran, these(nil)), true
	case c&0xff == lib.SQLITE_CONSTRAINT, isFull(c), c&0xff == lib.SQLITE_NOMEM, c&0xff == lib.SQLITE_BUSY:
		err = translate(err, "COMMIT")
	default:
		w.breakdown(err)
		err = because(db.ErrUnknown, err)
	}
	w.stats.failed.Add(1)
	for _, j := range ran {
		j.answer(err)
	}
	return nil, false
}

func (w *writer) committed(ran []*job) {
	wakes := make([]*db.Tx, 0, len(ran))
	for _, j := range ran {
		if j.err == nil && !j.gone {
			wakes = append(wakes, j.tx)
		}
	}
	select {
	case w.wakes <- wakes:
	default: // wake-ups are hints, and whoever called 256 slow ones loses some
		w.stats.wakesLost.Add(int64(len(wakes)))
	}
	for _, j := range ran {
		j.answer(j.err)
	}
	if w.conn.broken {
		w.breakdown(db.ErrBroken)
	}
}

// undo makes sure that no transaction is open.
func (w *writer) undo() {
	if w.conn.broken {
		w.breakdown(w.conn.dead)
	}
	if !w.conn.handle.inTransaction() {
		return
	}
	if err := w.conn.run("ROLLBACK"); err != nil && w.conn.handle.inTransaction() {
		w.breakdown(fmt.Errorf("rolling back: %w", err))
	}
}

// note remembers if err tells of a broken disk.
func (w *writer) note(err error) {
	if isBroken(code(err)) {
		w.breakdown(err)
	}
}

// breakdown ends writing until the database is opened anew.
func (w *writer) breakdown(err error) {
	if !w.broken.Swap(true) {
		w.cfg.Logger.Error("db: the disk failed; no write is accepted until a restart", slog.Any("error", err))
	}
}

// notify calls the wake-ups of committed transactions in order.
func (w *writer) notify() {
	defer close(w.woken)
	for wakes := range w.wakes {
		for _, tx := range wakes {
			w.wake(tx)
		}
	}
}

func (w *writer) wake(tx *db.Tx) {
	defer func() {
		if p := recover(); p != nil {
			w.cfg.Logger.Error("db: a wake-up panicked", slog.Any("panic", p))
		}
	}()
	tx.Committed()
	for _, m := range tx.Told() {
		w.board.Post(m.Topic, m.Text)
	}
}
