package payment

import (
	"context"
	"strconv"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/money"
)

// Rules are what may be set of a stored account without its secrets.
type Rules struct {
	On       bool
	Position int
	Limits   Limits
}

// LastPosition is that of a new account beside known ones: buyers see it last.
func LastPosition(known []Account) int {
	last := 0
	for _, acc := range known {
		last = max(last, acc.Position+1)
	}
	return last
}

// SetRulesTx stores the rules that change makes of an account's own, and
// returns the account as it is then.
func SetRulesTx(tx *db.Tx, merchantID, accountID id.ID, change func(*Rules)) (Account, error) {
	acc, err := AccountTx(tx, merchantID, accountID)
	if err != nil {
		return Account{}, err
	}
	if acc, err = acc.ruled(change); err != nil {
		return Account{}, err
	}
	return acc, putRulesTx(tx, acc)
}

// ruled is the account by other rules, if they can be kept.
func (a Account) ruled(change func(*Rules)) (Account, error) {
	r := Rules{a.On, a.Position, a.Limits}
	change(&r)
	if err := r.Limits.Validate(); err != nil {
		return Account{}, err
	}
	r.Limits.Weight = max(1, r.Limits.Weight)
	a.On, a.Position, a.Limits = r.On, r.Position, r.Limits
	return a, nil
}

// rulesTold is what a record says of an account's rules.
func (a Account) rulesTold() map[string]string {
	l := a.Limits
	return map[string]string{
		"on": strconv.FormatBool(a.On), "max_amount": strconv.FormatInt(l.MaxAmount, 10),
		"day_amount": strconv.FormatInt(l.DayAmount, 10), "day_count": strconv.FormatInt(l.DayCount, 10), "hours": l.Hours,
	}
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

// RuleChange says what of an account's rules is to be; nil keeps what is there.
// Amounts are minor units.
type RuleChange struct {
	On        *bool   `json:"on,omitempty" doc:"Takes new payments."`
	Position  *int    `json:"position,omitempty" minimum:"0" maximum:"1000" doc:"The smaller comes first."`
	Weight    *int64  `json:"weight,omitempty" minimum:"1" maximum:"100" doc:"Its share among accounts that are equally good."`
	MinAmount *int64  `json:"min_amount,omitempty" minimum:"0" doc:"The smallest payment, minor units."`
	MaxAmount *int64  `json:"max_amount,omitempty" minimum:"0" doc:"The largest payment, minor units; 0: no limit."`
	DayAmount *int64  `json:"day_amount,omitempty" minimum:"0" doc:"All payments of a day, minor units; 0: no limit."`
	DayCount  *int64  `json:"day_count,omitempty" minimum:"0" doc:"How many payments a day; 0: no limit."`
	Currency  *string `json:"currency,omitempty" maxLength:"3" doc:"The only currency it takes; nothing: any."`
	Clients   *string `json:"clients,omitempty" maxLength:"100" doc:"Clients it takes payments of, joined by commas (web, miniprogram, api); nothing: all."`
	Hours     *string `json:"hours,omitempty" maxLength:"500" doc:"When it is open (UTC+8), like mon-fri 09:00-18:00, sat 10:00-02:00; nothing: always."`
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func (c RuleChange) apply(r *Rules) {
	l := &r.Limits
	set(&r.On, c.On)
	set(&r.Position, c.Position)
	set(&l.Weight, c.Weight)
	set(&l.MinAmount, c.MinAmount)
	set(&l.MaxAmount, c.MaxAmount)
	set(&l.DayAmount, c.DayAmount)
	set(&l.DayCount, c.DayCount)
	set(&l.Clients, c.Clients)
	set(&l.Hours, c.Hours)
	if c.Currency != nil {
		l.Currency = money.Currency(*c.Currency)
	}
}

// SetRules changes an account's rules and records who did. Payments that were
// begun are not concerned.
func (a *Accounts) SetRules(ctx context.Context, merchantID, accountID id.ID, c RuleChange) (acc Account, err error) {
	actor, request := audit.Origin(ctx)
	err = a.db.Update(ctx, func(tx *db.Tx) (err error) {
		if acc, err = SetRulesTx(tx, merchantID, accountID, c.apply); err != nil {
			return err
		}
		return audit.RecordTx(tx, audit.Record{
			MerchantID: merchantID, Actor: actor, RequestID: request, Action: "payment_account.rules", SubjectKind: "payment_account",
			SubjectID: acc.ID, Detail: acc.rulesTold(),
		})
	})
	return acc, err
}

// All returns all accounts of a merchant, those that are off too.
func (a *Accounts) All(ctx context.Context, merchantID id.ID) (all []Account, err error) {
	err = a.db.View(ctx, func(tx *db.Tx) (err error) {
		all, err = AccountsTx(tx, merchantID)
		return err
	})
	return all, err
}
