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

// Rules are what may be set of a stored account without its secrets.
type Rules struct {
	On       bool
	Position int
	Limits   Limits
}

// ErrAccountUnknown says that a merchant has no such account.
var ErrAccountUnknown = errs.New(errs.NotFound, "account_unknown", "there is no such payment account")

// SetRulesTx stores the rules that change makes of an account's own, and
// returns the account as it is then.
func SetRulesTx(tx *db.Tx, merchantID, accountID id.ID, change func(*Rules)) (Account, error) {
	found, err := db.Collect(tx, scanAccount, `SELECT `+accountColumns+` FROM payment_accounts
		WHERE id = $1 AND merchant_id = $2`, accountID, merchantID)
	if err != nil {
		return Account{}, err
	}
	if len(found) == 0 {
		return Account{}, ErrAccountUnknown
	}
	acc := found[0]
	r := Rules{acc.On, acc.Position, acc.Limits}
	change(&r)
	if err := r.Limits.Validate(); err != nil {
		return Account{}, err
	}
	r.Limits.Weight = max(1, r.Limits.Weight)
	acc.On, acc.Position, acc.Limits = r.On, r.Position, r.Limits
	return acc, putRulesTx(tx, acc)
}

func putRulesTx(tx *db.Tx, a Account) error {
	status, l := "off", a.Limits
	if a.On {
		status = "on"
	}
	_, err := tx.Exec(`UPDATE payment_accounts SET status = $1, position = $2, min_amount = $3, max_amount = $4, day_amount = $5,
		day_count = $6, currency = $7, clients = $8, hours = $9, weight = $10, updated_at = $11 WHERE id = $12 AND merchant_id = $13`,
		status, a.Position, l.MinAmount, l.MaxAmount, l.DayAmount, l.DayCount, string(l.Currency), l.Clients, l.Hours, l.Weight,
		db.Millis(tx.Now()), a.ID, a.MerchantID)
	return err
}
