package payment

import (
	"context"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"panshi/internal/errs"
)

// Balance is the name of the provider that asks nobody: the money is a buyer's
// store credit, which lies in the shop's own books.
const (
	Balance      = "balance"
	MethodCredit = "credit"
)

// AsksPlatform tells whether there is a platform behind a provider's accounts:
// one that can be slow or down, and whose bill can be compared.
func AsksPlatform(provider string) bool { return provider != Offline && provider != Balance }

// BalanceConfig is the settings of a balance account.
type BalanceConfig struct {
	Ref string `json:"ref"` // tells two balance accounts apart; "" is "balance"
}

// Validate reports what cannot work.
func (c BalanceConfig) Validate() error {
	if !utf8.ValidString(c.Ref) || len(c.Ref) > 64 || strings.ContainsRune(c.Ref, 0) {
		return errs.Field("ref", "too_long", "a reference has at most 64 bytes")
	}
	return nil
}

// balance stands where a platform's client would. Payments and refunds of store
// credit are final in one transaction, so that nobody has anything to ask it.
type balance struct{}

// NewBalance is the Factory of balance accounts.
func NewBalance(config []byte) (Provider, error) {
	var cfg BalanceConfig
	if err := json.Unmarshal(config, &cfg); err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "account_config", "the account's configuration cannot be read")
	}
	return balance{}, cfg.Validate()
}

// Create is refused: who pays by credit proves it, and has paid then.
func (balance) Create(context.Context, Request) (Instruction, error) {
	return Instruction{}, ErrRejected
}

// Query knows of none: what was paid is known already.
func (balance) Query(context.Context, string) (Report, error) { return Report{}, ErrNotFound }

// Close has nothing to close.
func (balance) Close(context.Context, string) error { return nil }

// Refund is refused: the shop books it itself.
func (balance) Refund(context.Context, RefundRequest) (RefundReport, error) {
	return RefundReport{}, ErrRejected
}

// QueryRefund knows of none.
func (balance) QueryRefund(context.Context, string, string) (RefundReport, error) {
	return RefundReport{}, ErrNotFound
}
