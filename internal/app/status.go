package app

import (
	"context"
	"os"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/db"
	"panshi/internal/merchant"
	"panshi/internal/payment"
	"panshi/internal/payment/routing"
	"panshi/internal/reconcile"
)

// Status tells what only an open shop knows.
func (s *Shop) Status(ctx context.Context) (adminsock.Status, error) {
	status := adminsock.Status{Version: Version(), PID: os.Getpid(), Roles: s.cfg.told(), Replicas: s.db.toldReplicas()}
	if since := s.since.Load(); since != nil {
		status.Since = *since
		status.Shop, status.Console, status.Sandbox = s.cfg.Shop.PublicURL, urlOf(s.cfg.Console), s.sandbox.url
	}
	err := s.db.View(db.WithLong(ctx), func(tx *db.Tx) error {
		var err error
		if status.Engine, err = s.db.version(tx); err != nil {
			return err
		}
		told, err := payment.ToldTx(tx, tx.Now().Add(-24*time.Hour))
		status.ByCallback, status.ByQuery, status.Holds = told.ByCallback, told.ByQuery, told.OpenHolds
		if err != nil {
			return err
		}
		if status.Unreconciled, err = reconcile.LateTx(tx); err != nil {
			return err
		}
		if status.Failing, err = s.failingTx(tx); err != nil {
			return err
		}
		status.Unshipped, err = s.unshippedTx(tx)
		return err
	})
	if err != nil {
		return status, err
	}
	status.Alerts, err = s.notify.Standing(ctx)
	return status, err
}

// lately is for how long a failure of a payment account is told.
const lately = time.Hour

// failingTx names the payment accounts that failed lately in this process.
func (s *Shop) failingTx(tx *db.Tx) (all []adminsock.FailingAccount, err error) {
	calls, bills := s.router.Healths(), s.router.BillHealths()
	merchants, err := merchant.AllTx(tx)
	if err != nil {
		return nil, err
	}
	for _, m := range merchants {
		accounts, err := payment.AccountsTx(tx, m.ID)
		if err != nil {
			return nil, err
		}
		for _, a := range accounts {
			for _, h := range []struct {
				routing.Health
				bills bool
			}{{calls[a.ID], false}, {bills[a.ID], true}} {
				if h.FailedAt.IsZero() || tx.Now().Sub(h.FailedAt) > lately {
					continue
				}
				all = append(all, adminsock.FailingAccount{
					Merchant: m.Slug, Provider: a.Provider, Method: a.Method, Number: a.ExternalRef, Bills: h.bills,
					Breaker: h.Breaker, Errors: h.Errors, FailedAt: h.FailedAt, Since: h.Failing,
				})
			}
		}
	}
	return all, nil
}
