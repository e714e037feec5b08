package checkout

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"panshi/internal/db"
	"panshi/internal/stock"
)

// engineOf remembers which engine the shop runs on: only a transaction knows.
type engineOf struct{ known atomic.Pointer[db.Engine] }

func (e *engineOf) of(ctx context.Context, d db.DB) (db.Engine, error) {
	if known := e.known.Load(); known != nil {
		return *known, nil
	}
	var engine db.Engine
	if err := d.View(ctx, func(tx *db.Tx) error {
		engine = tx.Engine()
		return nil
	}); err != nil {
		return "", err
	}
	e.known.Store(&engine)
	return engine, nil
}

// runsAlone tells whether a batch left a request to the single path: it does
// not belong there, or others were just taking the cards that it wants.
func runsAlone(err error) bool { return errors.Is(err, errAlone) || errors.Is(err, stock.ErrCardsBusy) }

// Waits for others who are just taking the last cards: the first, twice as
// long each time, 0.6 s in all.
const (
	busyWait  = 5 * time.Millisecond
	busyTries = 7
)

// patiently runs a transaction again while others are just taking the last
// cards. Sold out is what a counter tells; what is only locked may come back,
// and after a moment the counter or the cards show which it was. Between two
// tries nothing is held, so that two who wait for each other's cards both end.
func patiently(ctx context.Context, transaction func() error) error {
	wait := busyWait
	for range busyTries {
		err := transaction()
		if !errors.Is(err, stock.ErrCardsBusy) {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		wait *= 2
	}
	return transaction()
}
