package payment

import (
	"context"
	"errors"
	"sync"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/vault"
)

// Account is a merchant's account at a payment platform, without its secrets.
type Account struct {
	ID          id.ID
	MerchantID  id.ID
	Provider    string // "wechatpay"
	Method      string // "native"
	ExternalRef string // the platform's merchant number, compared with every report
	AppRef      string // the platform's application number, compared too; "" compares nothing
	Sandbox     bool   // at a simulator: takes no real money
	Name        string // as the buyer reads it
	NameEN      string
	On          bool
	Position    int
	Version     int64
	Limits      Limits // SetRulesTx stores them; Put leaves them as they are
}

// Factory builds a Provider from an account's opened configuration (JSON).
type Factory func(config []byte) (Provider, error)

// ErrNoAccount says that a merchant has no such payment channel, or it is off.
var ErrNoAccount = errs.Field("channel", "channel_not_found", "there is no such payment channel")

// ErrAccountUnknown says that a merchant has no such account.
var ErrAccountUnknown = errs.New(errs.NotFound, "account_unknown", "there is no such payment account")

// Accounts knows the payment accounts and keeps one Provider for each. It is
// safe for concurrent use.
type Accounts struct {
	db        db.DB
	vault     *vault.Vault
	factories map[string]Factory
	reads     *db.Gather[id.ID, Account]

	mu    sync.Mutex
	built map[id.ID]builtProvider // guarded by mu
}

type builtProvider struct {
	version  int64
	provider Provider
}

// NewAccounts returns the accounts in d; factories are by provider name.
func NewAccounts(d db.DB, v *vault.Vault, factories map[string]Factory) *Accounts {
	a := &Accounts{db: d, vault: v, factories: factories, built: map[id.ID]builtProvider{}}
	a.reads = db.NewGather(a.read)
	return a
}

func configCell(accountID id.ID) vault.Cell {
	return vault.Cell{Table: "payment_accounts", Column: "config_sealed", Row: accountID}
}

// Channels returns a merchant's accounts that take new payments.
func (a *Accounts) Channels(ctx context.Context, merchantID id.ID) (channels []Account, err error) {
	err = a.db.View(ctx, func(tx *db.Tx) (err error) {
		channels, err = db.Collect(tx, scanAccount, `SELECT `+accountColumns+` FROM payment_accounts
			WHERE merchant_id = $1 AND status = 'on' ORDER BY position, id`, merchantID)
		return err
	})
	return channels, err
}

// Provider returns the account with an id and what speaks to its platform. It
// works for accounts that are off too: what was created stays with its account.
// The account is read every time, since every callback is compared with it, but
// callbacks that come together share the read. The sealed configuration is read
// and opened once a version.
func (a *Accounts) Provider(ctx context.Context, accountID id.ID) (Account, Provider, error) {
	acc, found, err := a.reads.Ask(ctx, accountID)
	if err == nil && !found {
		err = ErrNoAccount
	}
	if err != nil {
		return Account{}, nil, err
	}
	if p, ok := a.known(acc); ok {
		return acc, p, nil
	}
	var sealed []byte
	err = a.db.View(ctx, func(tx *db.Tx) (err error) {
		acc, sealed, err = sealedAccountTx(tx, accountID)
		return err
	})
	if err != nil {
		return Account{}, nil, err
	}
	p, err := a.build(acc, sealed)
	return acc, p, err
}

// read reads accounts; ids that no account has are passed over.
func (a *Accounts) read(ctx context.Context, ids []id.ID) (map[id.ID]Account, error) {
	found := make(map[id.ID]Account, len(ids))
	err := a.db.View(ctx, func(tx *db.Tx) error {
		for _, accountID := range ids {
			acc, err := AccountByIDTx(tx, accountID)
			switch {
			case errors.Is(err, ErrNoAccount):
			case err != nil:
				return err
			default:
				found[accountID] = acc
			}
		}
		return nil
	})
	return found, err
}

// known gives the provider of an account if it is built from the configuration
// that the account has.
func (a *Accounts) known(acc Account) (Provider, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	b, ok := a.built[acc.ID]
	return b.provider, ok && b.version == acc.Version
}

func (a *Accounts) build(acc Account, sealed []byte) (Provider, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b, ok := a.built[acc.ID]; ok && b.version == acc.Version {
		return b.provider, nil
	}
	factory, ok := a.factories[acc.Provider]
	if !ok {
		return nil, errs.New(errs.Internal, "provider_unknown", "no code speaks to this payment platform")
	}
	config, err := a.vault.Unseal(vault.Payment, configCell(acc.ID), sealed)
	if err != nil {
		return nil, err
	}
	p, err := factory(config)
	if err != nil {
		return nil, err
	}
	a.built[acc.ID] = builtProvider{acc.Version, p}
	return p, nil
}

// Put stores an account and its configuration, sealed; the account of the same
// merchant, provider, method and external reference is replaced. The factory
// must accept the configuration.
func (a *Accounts) Put(ctx context.Context, acc Account, config []byte) (Account, error) {
	var stored Account
	err := a.db.Update(ctx, func(tx *db.Tx) (err error) {
		stored, err = a.PutTx(tx, acc, config)
		return err
	})
	return stored, err
}

// PutTx is Put in the caller's transaction.
func (a *Accounts) PutTx(tx *db.Tx, acc Account, config []byte) (Account, error) {
	factory, ok := a.factories[acc.Provider]
	if !ok {
		return Account{}, errs.Field("provider", "provider_unknown", "no code speaks to this payment platform")
	}
	_, err := factory(config)
	if err != nil {
		return Account{}, err
	}
	if err := tx.Alone("payment account " + acc.Provider + " " + acc.ExternalRef); err != nil {
		return Account{}, err // or two who store it at once would seal for two ids and keep one
	}
	if acc.ID, acc.Version, err = accountKeyTx(tx, acc); err != nil {
		return Account{}, err
	}
	sealed, err := a.vault.Seal(vault.Payment, configCell(acc.ID), config)
	if err != nil {
		return Account{}, err
	}
	if err := putAccountTx(tx, acc, sealed); err != nil {
		return Account{}, err
	}
	return AccountByIDTx(tx, acc.ID) // with the limits that it kept
}

// CloseSandbox takes every simulator's account out of sale: a shop that runs
// without one must not offer to be paid in play money.
func (a *Accounts) CloseSandbox(ctx context.Context) error {
	return a.db.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE payment_accounts SET status = 'off', updated_at = $1
			WHERE sandbox = 1 AND status = 'on'`, db.Millis(tx.Now()))
		return err
	})
}
