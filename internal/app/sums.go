package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/ship"
	"panshi/internal/backup/tally"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
)

const (
	// countEvery is how old the sums in a manifest may become while a shop sells.
	countEvery = 5 * time.Minute
	// countRetry is how long after a failure, or before shipping has begun.
	countRetry = 2 * time.Second
)

// counting adds up the shop that serves, for manifests.
type counting struct {
	db      db.DB
	by      freezer        // nil for a server, which is not stopped for anybody
	counter *tally.Counter // owned by run's goroutine
	log     *slog.Logger
	last    atomic.Pointer[manifest.Sums]
}

// freezer ships a database of which one state can be held still (ship.Shipper).
type freezer interface {
	Freeze(ctx context.Context, nudge func(), look func() error) (ship.Moment, error)
	Lag() time.Duration
	Transaction() uint64
}

func newCounting(d db.DB, by spooled, log *slog.Logger) *counting {
	frozen, _ := by.(freezer)
	return &counting{db: d, by: frozen, counter: tally.NewCounter(tableNames()), log: log}
}

// tableNames are all tables of a shop.
func tableNames() []string {
	var names []string
	for _, t := range Columns() {
		names = append(names, t.Name)
	}
	return names
}

// run counts until ctx ends.
func (c *counting) run(ctx context.Context) {
	for c.by != nil {
		pause := countEvery
		if err := c.count(ctx); err != nil {
			pause = countRetry
			if !backup.Is(err, "backup_not_counted") && ctx.Err() == nil {
				c.log.Error("backup: the shop could not be added up", slog.Any("error", err))
				pause = countEvery
			}
		}
		if backup.Pause(ctx, pause) != nil {
			return
		}
	}
}

// count adds up one state, if there is another than last time. The writer
// stands still while the read begins, not while it goes on.
func (c *counting) count(ctx context.Context) error {
	if last := c.last.Load(); last != nil && c.by.Lag() == 0 && c.by.Transaction() == last.Tx {
		return nil
	}
	if err := c.counter.CatchUp(ctx, c.db, clock.System{}.Now()); err != nil {
		return err
	}
	var sums manifest.Sums
	err := c.db.View(db.WithLong(ctx), func(tx *db.Tx) error {
		m, err := c.by.Freeze(ctx, func() { go c.nudge(ctx) }, func() error {
			var found bool // the first read decides which state all others see
			return tx.Get([]any{&found}, `SELECT EXISTS (SELECT 1 FROM merchants)`)
		})
		if err != nil {
			return err
		}
		sums, err = c.counter.Count(tx, m.Time)
		sums.Generation, sums.Tx = m.Generation, m.Transaction
		return err
	})
	if err == nil {
		c.last.Store(&sums)
	}
	return err
}

// nudge has the writer come by on an idle shop.
func (c *counting) nudge(ctx context.Context) {
	_ = c.db.Update(ctx, func(*db.Tx) error { return nil }) // whoever waits for it sees that it did not come
}

// sums gives what was counted last. Code backup_not_counted.
func (c *counting) sums(context.Context) (manifest.Sums, error) {
	last := c.last.Load()
	if last == nil {
		return manifest.Sums{}, errs.New(errs.Unavailable, "backup_not_counted", "nothing was counted yet")
	}
	return *last, nil
}
