package checkout

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/vault"
)

// Config is what a shop may set of the money path.
type Config struct {
	OrderTTL      time.Duration `json:"order_ttl"`      // an unpaid order closes after this; 15 min
	CloseGrace    time.Duration `json:"close_grace"`    // how long an unreachable platform may delay closing; 2 min
	CompleteAfter time.Duration `json:"complete_after"` // delivered orders complete after this; 7 days
	UnpaidLimit   int           `json:"unpaid_limit"`   // pending orders of one contact; 5; 0: no limit
	PublicURL     string        `json:"public_url"`     // where platforms reach this shop, without a trailing slash
}

// Defaults are the values of a shop that sets nothing.
func Defaults() Config {
	return Config{
		OrderTTL: 15 * time.Minute, CloseGrace: 2 * time.Minute, CompleteAfter: 7 * 24 * time.Hour, UnpaidLimit: 5,
	}
}

// Validate reports every value that cannot work.
func (c Config) Validate() error {
	var faults []error
	if c.OrderTTL < time.Second || c.OrderTTL > 24*time.Hour {
		faults = append(faults, errs.Field("shop.order_ttl", "out_of_range", "the time to pay is 1s to 24h"))
	}
	if c.CloseGrace < 0 || c.CloseGrace > time.Hour {
		faults = append(faults, errs.Field("shop.close_grace", "out_of_range", "the grace for closing is 0 to 1h"))
	}
	if c.CompleteAfter < time.Minute {
		faults = append(faults, errs.Field("shop.complete_after", "out_of_range", "completion takes at least a minute"))
	}
	if c.UnpaidLimit < 0 {
		faults = append(faults, errs.Field("shop.unpaid_limit", "out_of_range", "a limit is 0 (none) or more"))
	}
	return errors.Join(faults...)
}

// Providers finds accounts for payments and the platform behind one;
// routing.Router does it.
type Providers interface {
	// Candidates are the accounts of one channel, the best first.
	Candidates(ctx context.Context, merchantID, channel id.ID) ([]payment.Account, error)
	// Offers are a merchant's channels; On tells which would take the payment.
	Offers(ctx context.Context, merchantID id.ID, w payment.Want) ([]payment.Account, error)
	Provider(ctx context.Context, accountID id.ID) (payment.Account, payment.Provider, error)
}

// Service runs the money path. It is safe for concurrent use.
type Service struct {
	db        db.DB
	vault     *vault.Vault
	providers Providers
	cfg       Config
	log       *slog.Logger
	engine    engineOf
	places    batcher[placing, placeResult]
	settles   batcher[settling, settleResult]
	uses      *db.Gather[keyName, []byte] // digests of what keys were used for
	soldOut   soldOutHints
	silent    silence
}

// New returns a Service. cfg must be valid.
func New(d db.DB, v *vault.Vault, p Providers, cfg Config, c clock.Clock, log *slog.Logger) *Service {
	s := &Service{
		db: d, vault: v, providers: p, cfg: cfg, log: log, soldOut: soldOutHints{clock: c}, silent: silence{clock: c},
	}
	s.places.run, s.places.rows = s.placeMany, placing.rows
	s.settles.run, s.settles.rows = s.settleMany, settling.rows
	s.uses = db.NewGather(s.readUses)
	return s
}

// View is all that an order page needs; nothing in it is sealed content.
type View struct {
	Order       order.Order
	Lines       []LineView
	Payments    []payment.Payment
	Refunds     []payment.Refund
	RefundLines []payment.RefundLine // what the refunds give back of the lines
	Refunded    money.Amount         // given back or promised back
	Refundable  money.Amount         // what staff may still give back; only for staff
}

// LineView is a line with how many of its items were delivered, given back, and
// given back before they were made.
type LineView struct {
	order.Line
	Delivered int
	Refunded  int
	Withdrawn int
}

// Waits tells whether some of the line is still to be delivered.
func (l LineView) Waits() bool { return l.Delivered < l.Quantity-l.Withdrawn }

// RefundableItems is how many items of a line may still be given back: as many
// as were not yet, and as the order's money is enough for.
func (v View) RefundableItems(l LineView) int {
	left := l.Quantity - l.Refunded
	switch {
	case v.Refundable.Minor <= 0:
		return 0
	case l.UnitPrice.Minor > 0:
		left = int(min(int64(left), v.Refundable.Minor/l.UnitPrice.Minor))
	}
	return left
}

// Access returns an order's access token: a PRF of its id, never stored, so
// that an idempotent repeat of Place gives the same.
func (s *Service) Access(orderID id.ID) string {
	return s.vault.Token(order.TokenPurpose, orderID)
}
