package payment

import (
	"context"
	"errors"
	"time"

	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/jobs"
)

// Renewer is a Provider whose platform changes the keys that it signs with.
type Renewer interface {
	// Renew asks the platform for its keys if those in hand are old or end
	// soon. It may be called often: it asks as seldom as the platform wants.
	Renew(ctx context.Context) error
}

const (
	renewEvery = 10 * time.Minute
	renewBatch = 20 // accounts in one run: each may wait for its platform
)

// Sweeps are the works of accounts that find themselves.
func (a *Accounts) Sweeps() []jobs.Sweep {
	var last id.ID // of the run before; runs of a sweep follow each other
	return []jobs.Sweep{{Name: "payments.keys", Every: renewEvery, Run: func(ctx context.Context) (more bool, err error) {
		last, more, err = a.renewAfter(ctx, last)
		return more, err
	}}}
}

// renewAfter renews the platform's keys of the next accounts, those that are
// off too: what was created stays with its account. One that fails leaves the
// others their turn.
func (a *Accounts) renewAfter(ctx context.Context, last id.ID) (next id.ID, more bool, err error) {
	var accounts []id.ID
	err = a.db.View(ctx, func(tx *db.Tx) (err error) {
		accounts, err = accountsAfterTx(tx, last, renewBatch)
		return err
	})
	if err != nil {
		return last, false, err
	}
	for _, account := range accounts {
		_, p, err2 := a.Provider(ctx, account)
		if r, ok := p.(Renewer); ok && err2 == nil {
			err2 = r.Renew(ctx)
		}
		err = errors.Join(err, err2)
	}
	if len(accounts) < renewBatch {
		return id.ID{}, false, err // the end: from the first again
	}
	return accounts[len(accounts)-1], true, err
}
