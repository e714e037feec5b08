package reconcile

import (
	"context"
	"log/slog"
	"slices"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/vault"
)

// Door is the one door for money: checkout.Service through functions, because
// workflows do not import each other. The first two are safe to repeat.
type Door struct {
	Settle       func(ctx context.Context, a payment.Account, r payment.Report) error
	SettleRefund func(ctx context.Context, a payment.Account, r payment.RefundReport) error
	// UnderLimit refuses (approval_required) what one person of a merchant may
	// not decide, in minor units.
	UnderLimit func(tx *db.Tx, merchantID id.ID, minor int64) error
}

// Accounts finds what speaks to an account's platform; a payment.Biller if that
// makes bills. In a shop it is the routing.Router, whose breaker and limits
// hold for bills too.
type Accounts interface {
	Provider(ctx context.Context, accountID id.ID) (payment.Account, payment.Provider, error)
}

// Service reconciles. It is safe for concurrent use.
type Service struct {
	db       db.DB
	vault    *vault.Vault // seals what waits for approval
	accounts Accounts
	door     Door
	clock    clock.Clock
	log      *slog.Logger
}

// New returns a Service.
func New(d db.DB, v *vault.Vault, accounts Accounts, door Door, c clock.Clock, log *slog.Logger) *Service {
	return &Service{db: d, vault: v, accounts: accounts, door: door, clock: c, log: log}
}

// progress tells how far a run came.
type progress func(step string, done, total int64)

// group is the accounts of a merchant that share a bill.
type group struct {
	main     payment.Account // the oldest
	accounts []payment.Account
	currency money.Currency
}

func (g group) has(account id.ID) bool {
	return slices.ContainsFunc(g.accounts, func(a payment.Account) bool { return a.ID == account })
}

// account finds one of the group's by id, the main one if there is none.
func (g group) account(accountID id.ID) payment.Account {
	for _, a := range g.accounts {
		if a.ID == accountID {
			return a
		}
	}
	return g.main
}

// live tells whether its platform answers: a simulator that was switched off
// does not.
func (g group) live() bool {
	return slices.ContainsFunc(g.accounts, func(a payment.Account) bool { return a.On || !a.Sandbox })
}

// groups lists all groups, or those of one merchant.
func (s *Service) groups(ctx context.Context, merchantID id.ID) (all []group, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		merchants, err := merchant.AllTx(tx)
		if err != nil {
			return err
		}
		all = nil
		for _, m := range merchants {
			if !merchantID.IsZero() && m.ID != merchantID {
				continue
			}
			accounts, err := payment.AccountsTx(tx, m.ID)
			if err != nil {
				return err
			}
			all = append(all, grouped(accounts, m.Currency)...)
		}
		return nil
	})
	return all, err
}

func grouped(accounts []payment.Account, currency money.Currency) (all []group) {
	slices.SortFunc(accounts, func(a, b payment.Account) int { return slices.Compare(a.ID[:], b.ID[:]) })
	for _, a := range accounts {
		at := slices.IndexFunc(all, func(g group) bool {
			return g.main.Provider == a.Provider && g.main.ExternalRef == a.ExternalRef
		})
		if at < 0 {
			all = append(all, group{a, []payment.Account{a}, currency})
			continue
		}
		all[at].accounts = append(all[at].accounts, a)
	}
	return all
}
