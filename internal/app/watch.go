package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/jobs"
	"panshi/internal/notify"
	"panshi/internal/payment"
	"panshi/internal/payment/routing"
)

// Bounds of what is alerted of.
const (
	accountDownAfter = 3 * time.Minute // a breaker that is not closed
	diskLow          = 1 << 30         // bytes free
	diskEnough       = 5 << 28         // and when it is over: 1.25 GiB
)

// watcher looks for what no single event tells: it keeps the alerts about it
// those that stand.
type watcher struct {
	db      db.DB
	notify  *notify.Service
	healths func() map[id.ID]routing.Health
	free    func() (bytes int64, err error) // where the data directory is
	clock   clock.Clock
	log     *slog.Logger

	// The sweep's own: it runs in one goroutine.
	due    map[string]time.Time // when each look is due
	broken map[id.ID]time.Time  // accounts whose breaker is not closed, since when
	low    bool                 // the disk
}

func (s *Shop) newWatcher() *watcher {
	return &watcher{
		db: s.db, notify: s.notify, healths: s.router.Healths, free: func() (int64, error) { return freeBytes(s.cfg.Data) },
		clock: clock.System{}, log: s.log, due: map[string]time.Time{}, broken: map[id.ID]time.Time{},
	}
}

// sweeps is one for all looks: each sweep costs a lease that is renewed.
// Accounts and disk are those of the process that has it.
func (w *watcher) sweeps() []jobs.Sweep {
	return []jobs.Sweep{{Name: "watch.shop", Every: 5 * time.Second, Run: w.look}}
}

// look takes those looks whose time has come. One that fails keeps no other
// from its turn.
func (w *watcher) look(ctx context.Context) (more bool, err error) {
	var failures []error
	for _, l := range []struct {
		name  string
		every time.Duration
		take  func(context.Context) error
	}{
		{"holds", 5 * time.Second, w.holds},
		{"callbacks", 10 * time.Minute, w.callbacks},
		{"accounts", 30 * time.Second, w.accounts},
		{"jobs", 30 * time.Second, w.jobs},
		{"disk", 30 * time.Second, w.disk},
	} {
		if now := w.clock.Now(); !now.Before(w.due[l.name]) {
			w.due[l.name] = now.Add(l.every)
			failures = append(failures, l.take(ctx))
		}
	}
	return false, errors.Join(failures...)
}

// holds ends the alerts of hold desks that are empty.
func (w *watcher) holds(ctx context.Context) error {
	var empty []notify.Stored
	if err := w.db.View(ctx, func(tx *db.Tx) error {
		empty = nil
		alerts, err := notify.OpenOfTx(tx, payment.HoldAlert, 200)
		for _, a := range alerts {
			held, err := payment.HasOpenHoldsTx(tx, a.MerchantID)
			if err != nil {
				return err
			}
			if !held {
				empty = append(empty, a)
			}
		}
		return err
	}); err != nil {
		return err
	}
	for _, a := range empty {
		if err := w.db.Update(ctx, func(tx *db.Tx) error {
			return notify.ResolveUnlessTx(tx, a.Alert, func() (bool, error) { return payment.HasOpenHoldsTx(tx, a.MerchantID) })
		}); err != nil {
			return err
		}
	}
	return nil
}

// callbacks judges as the doctor does how the payments of a day were learned
// of.
func (w *watcher) callbacks(ctx context.Context) error {
	var told payment.Told
	if err := w.db.View(db.WithLong(ctx), func(tx *db.Tx) (err error) {
		told, err = payment.ToldTx(tx, tx.Now().Add(-24*time.Hour))
		return err
	}); err != nil {
		return err
	}
	var now []notify.Alert
	if told.CallbacksBroken() {
		now = append(now, notify.Alert{Code: "callbacks_broken", Severity: notify.Critical, Args: map[string]string{"count": decimal(told.ByQuery)}})
	}
	return w.notify.Keep(ctx, "callbacks_broken", now)
}

// accounts looks for payment accounts that have not worked for minutes.
func (w *watcher) accounts(ctx context.Context) error {
	w.notice()
	var down []notify.Alert
	for accountID, since := range w.broken {
		if w.clock.Now().Sub(since) < accountDownAfter {
			continue
		}
		a := notify.Alert{Code: "account_down", Subject: accountID.String(), Severity: notify.Critical}
		if err := w.db.View(ctx, func(tx *db.Tx) error {
			account, err := payment.AccountByIDTx(tx, accountID)
			a.MerchantID = account.MerchantID
			a.Args = map[string]string{"account": account.Name + " " + account.ExternalRef, "provider": account.Provider, "minutes": decimal(int64(accountDownAfter / time.Minute))}
			return err
		}); err != nil {
			return err
		}
		down = append(down, a)
	}
	return w.notify.Keep(ctx, "account_down", down)
}

// notice remembers since when breakers are not closed.
func (w *watcher) notice() {
	healths := w.healths()
	for accountID := range w.broken {
		if healths[accountID].Breaker == "closed" {
			delete(w.broken, accountID)
		}
	}
	for accountID, h := range healths {
		if _, known := w.broken[accountID]; h.Breaker == "open" && !known {
			w.broken[accountID] = w.clock.Now()
		}
	}
}

// jobs looks for jobs that were given up.
func (w *watcher) jobs(ctx context.Context) error {
	var dead int64
	var kinds []string
	if err := w.db.View(ctx, func(tx *db.Tx) (err error) {
		dead, kinds, err = jobs.DeadTx(tx)
		return err
	}); err != nil {
		return err
	}
	var now []notify.Alert
	if dead > 0 {
		now = append(now, notify.Alert{
			Code: "jobs_dead", Severity: notify.Critical,
			Args: map[string]string{"count": decimal(dead), "kinds": strings.Join(kinds, ", ")},
		})
	}
	return w.notify.Keep(ctx, "jobs_dead", now)
}

// disk looks at the space where the data directory is.
func (w *watcher) disk(ctx context.Context) error {
	free, err := w.free()
	if err != nil {
		return err
	}
	w.low = free < diskLow || w.low && free < diskEnough
	var now []notify.Alert
	if w.low {
		now = append(now, notify.Alert{Code: "disk_low", Severity: notify.Critical, Args: map[string]string{"free": decimal(free >> 20)}})
	}
	return w.notify.Keep(ctx, "disk_low", now)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// freeBytes is the space that is left for files in dir.
func freeBytes(dir string) (int64, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return 0, err
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}
