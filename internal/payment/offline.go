package payment

import (
	"context"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"panshi/internal/errs"
)

// Offline is the name of the provider that asks nobody: the buyer transfers
// money and staff say, with an approval, that it came.
const (
	Offline        = "offline"
	MethodTransfer = "transfer"
)

// Bounds of an offline account's settings.
const (
	offlineText    = 2000 // bytes of the instructions
	offlineHours   = 24   // if nothing is set
	offlineMaximum = 168
)

// OfflineConfig is the settings of an offline account.
type OfflineConfig struct {
	Ref          string `json:"ref"`          // tells two offline accounts apart; "" is "offline"
	Instructions string `json:"instructions"` // bank, account, name, as the buyer reads it
	Hours        int    `json:"hours"`        // an order waits for so long; 1 to 168, 0: 24
}

// Validate reports what cannot work.
func (c OfflineConfig) Validate() error {
	switch {
	case !utf8.ValidString(c.Instructions) || strings.ContainsRune(c.Instructions, 0):
		return errs.Field("instructions", "invalid_utf8", "the text is not valid UTF-8")
	case !utf8.ValidString(c.Ref) || len(c.Ref) > 64 || strings.ContainsRune(c.Ref, 0):
		return errs.Field("ref", "too_long", "a reference has at most 64 bytes")
	case strings.TrimSpace(c.Instructions) == "":
		return errs.Field("instructions", "required", "the buyer must read where to pay")
	case len(c.Instructions) > offlineText:
		return errs.Field("instructions", "too_long", "the instructions have more than 2000 bytes")
	case c.Hours < 0 || c.Hours > offlineMaximum:
		return errs.Field("hours", "out_of_range", "an order waits 1 to 168 hours")
	}
	return nil
}

// Patient is a Provider whose buyers need longer than an order's time to pay.
type Patient interface {
	// Patience is how long an order with such a payment waits since it was placed:
	// starting another payment gains nothing.
	Patience() time.Duration
}

type offline struct{ cfg OfflineConfig }

// NewOffline is the Factory of offline accounts.
func NewOffline(config []byte) (Provider, error) {
	var cfg OfflineConfig
	if err := json.Unmarshal(config, &cfg); err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "account_config", "the account's configuration cannot be read")
	}
	return offline{cfg}, cfg.Validate()
}

// Create gives the instructions, with the number that the buyer writes into
// the transfer.
func (o offline) Create(_ context.Context, r Request) (Instruction, error) {
	return Instruction{Kind: KindText, Text: o.cfg.Instructions + "\n\n" + r.PaymentNo}, nil
}

// Patience implements Patient.
func (o offline) Patience() time.Duration {
	if o.cfg.Hours == 0 {
		return offlineHours * time.Hour
	}
	return time.Duration(o.cfg.Hours) * time.Hour
}

// Query never says "paid": only an approval does.
func (offline) Query(context.Context, string) (Report, error) {
	return Report{State: StateOpen}, nil
}

// Close has nobody to tell. Money that comes later is confirmed as late money.
func (offline) Close(context.Context, string) error { return nil }

// Refund is refused, so that the refund lies on the hold desk until staff gave
// the money back by hand.
func (offline) Refund(context.Context, RefundRequest) (RefundReport, error) {
	return RefundReport{}, ErrRejected
}

// QueryRefund knows of none.
func (offline) QueryRefund(context.Context, string, string) (RefundReport, error) {
	return RefundReport{}, ErrNotFound
}
