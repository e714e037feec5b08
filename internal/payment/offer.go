package payment

import (
	"context"
	"slices"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// ErrUnfit says that none of a channel's accounts takes such a payment now.
var ErrUnfit = errs.New(errs.Conflict, "channel_unfit",
	"this way to pay does not take this payment at the moment; choose another one")

// sameChannel tells whether two accounts are one way to pay to a buyer. The
// payer of "jsapi" is known to one application only.
func (a Account) sameChannel(b Account) bool {
	return a.Provider == b.Provider && a.Method == b.Method && (a.Method != "jsapi" || a.AppRef == b.AppRef)
}

// Carried tells whether p runs through an account of a's channel.
func (a Account) Carried(p Payment) bool { return a.Provider == p.Provider && a.Method == p.Method }

// Candidates returns the accounts of one channel that take new payments, by
// position. A channel is named by any of its accounts; the zero id is the first
// channel. ErrNoAccount: there is none.
func (a *Accounts) Candidates(ctx context.Context, merchantID, channel id.ID) ([]Account, error) {
	var all []Account
	err := a.db.View(ctx, func(tx *db.Tx) (err error) {
		all, err = AccountsTx(tx, merchantID)
		return err
	})
	if err != nil {
		return nil, err
	}
	named := slices.IndexFunc(all, func(acc Account) bool { return acc.ID == channel || channel.IsZero() && acc.On })
	if named < 0 {
		return nil, ErrNoAccount
	}
	found := slices.DeleteFunc(slices.Clone(all), func(acc Account) bool { return !acc.On || !acc.sameChannel(all[named]) })
	if len(found) == 0 {
		return nil, ErrNoAccount
	}
	return found, nil
}

// Offers returns a merchant's channels, each as the first of its accounts that
// takes the payment; On tells whether there is one.
func (a *Accounts) Offers(ctx context.Context, merchantID id.ID, w Want) ([]Account, error) {
	return a.OffersOf(ctx, merchantID, w, func(Account) bool { return true })
}

// OffersOf is Offers among the accounts that are usable.
func (a *Accounts) OffersOf(ctx context.Context, merchantID id.ID, w Want, usable func(Account) bool) (channels []Account, err error) {
	err = a.db.View(ctx, func(tx *db.Tx) error {
		all, err := AccountsTx(tx, merchantID)
		if err != nil {
			return err
		}
		channels = nil
		for _, acc := range all {
			if !acc.On {
				continue
			}
			if acc.On, err = FitsTx(tx, acc, w); err != nil {
				return err
			}
			acc.On = acc.On && usable(acc)
			at := slices.IndexFunc(channels, acc.sameChannel)
			switch {
			case at < 0:
				channels = append(channels, acc)
			case acc.On && !channels[at].On:
				channels[at] = acc
			}
		}
		return nil
	})
	return channels, err
}

// FitsTx tells whether an account takes a payment now. Within Update the answer
// holds until the commit, for accounts with limits a day.
func FitsTx(tx *db.Tx, a Account, w Want) (bool, error) {
	if !a.Limits.fit(w, tx.Now()) {
		return false, nil
	}
	if !a.Limits.counted() {
		return true, nil
	}
	var count, amount int64
	err := tx.Get([]any{&count, &amount}, `SELECT COUNT(*), COALESCE(SUM(amount), 0) FROM payments
		WHERE account_id = $1 AND counted = 1 AND created_at >= $2 AND status <> 'closed'`, a.ID, db.Millis(dayBegin(tx.Now())))
	return err == nil && a.Limits.leaves(w, count, amount), err
}

// ChooseTx finds the first account that takes a payment, and lets nobody else
// count towards its day until the transaction ends. ErrUnfit: there is none.
func ChooseTx(tx *db.Tx, from []Account, w Want) (Account, error) {
	for _, acc := range from {
		if acc.Limits.counted() {
			if err := tx.Alone("payment account day " + acc.ID.String()); err != nil {
				return Account{}, err
			}
		}
		if fits, err := FitsTx(tx, acc, w); fits || err != nil {
			return acc, err
		}
	}
	return Account{}, ErrUnfit
}

// Counts tells whether the payments of a count towards a limit a day.
func (a Account) Counts() bool { return a.Limits.counted() }
