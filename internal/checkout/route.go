package checkout

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// A buyer waits so long at most for the platforms, however many are tried.
const (
	payBudget   = 3 * time.Second
	payAttempts = 3
)

// startRouted starts a payment at the best account that takes it. If its
// platform is busy, or nobody knows whether it heard, another account of the
// channel gets a payment with a number of its own. The first stays: it is asked
// about and closed like any other, and as the buyer never saw its code, it is
// not paid.
func (s *Service) startRouted(ctx context.Context, r PayRequest, candidates []payment.Account) (payment.Payment, error) {
	var o order.Order
	var p payment.Payment
	var old bool
	err := s.db.Update(ctx, func(tx *db.Tx) (err error) {
		o, p, err = s.beginPaymentTx(tx, r, candidates)
		old = p.InstructionOld(tx.Now())
		return err
	})
	if err != nil {
		return payment.Payment{}, err
	}
	if old {
		return s.renew(ctx, o, p, r)
	}
	attempts := min(payAttempts, len(candidates))
	r.within = payBudget / time.Duration(attempts)
	for range attempts {
		if p.Status != payment.Creating {
			return p, nil
		}
		fault.Point("checkout.pay.written")
		opened, failed := s.register(ctx, o, p, r)
		if errs.CodeOf(failed) != payment.ErrProviderBusy.Code {
			return opened, failed
		}
		candidates = slices.DeleteFunc(slices.Clone(candidates), func(a payment.Account) bool { return a.ID == p.AccountID })
		next, err := s.nextAttempt(ctx, r, o, p, candidates)
		if errors.Is(err, payment.ErrUnfit) || errors.Is(err, errTooManyPayments) {
			return payment.Payment{}, s.busy(ctx, o, p, r, failed)
		}
		if err != nil {
			return payment.Payment{}, err
		}
		p = next
	}
	if p.Status != payment.Creating {
		return p, nil
	}
	return payment.Payment{}, s.busy(ctx, o, p, r, payment.ErrProviderBusy)
}

// renew asks the platform for a new address of an open payment. If it does not
// answer, the one that the buyer has may still open.
func (s *Service) renew(ctx context.Context, o order.Order, p payment.Payment, r PayRequest) (payment.Payment, error) {
	r.within = payBudget
	renewed, err := s.register(ctx, o, p, r)
	if errs.KindOf(err) == errs.Unavailable {
		return p, nil
	}
	return renewed, err
}

func (s *Service) payKey(o order.Order, r PayRequest) idempotency {
	return idempotency{o.MerchantID, "payment/" + o.No, r.Key, s.keepable(o.MerchantID, r.BodyDigest)}
}

// nextAttempt finds the payment to go on with after failed: the one that a
// repeat of the request went on with meanwhile, one of this order that waits at
// another account, or a new one there. The key stands for it from now on.
func (s *Service) nextAttempt(ctx context.Context, r PayRequest, o order.Order, failed payment.Payment,
	candidates []payment.Account,
) (next payment.Payment, err error) {
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if o, err = lockOrderTx(tx, o); err != nil {
			return err
		}
		key := s.payKey(o, r)
		owner, found, err := key.findTx(tx)
		if err != nil {
			return err
		}
		if found && owner != failed.ID {
			next, err = payment.ByIDTx(tx, o.MerchantID, owner)
			return err
		}
		if next, found, err = waitingTx(tx, o, candidates); err != nil {
			return err
		}
		if !found {
			if next, err = s.newPaymentTx(tx, o, id.New(), r, candidates); err != nil {
				return err
			}
		}
		return key.passTx(tx, failed.ID, next.ID)
	})
	return next, err
}

// waitingTx finds a payment of an order that no platform took yet: it is sent
// again with its number, so that a long outage does not use up the payments
// that an order may start.
func waitingTx(tx *db.Tx, o order.Order, candidates []payment.Account) (payment.Payment, bool, error) {
	earlier, err := payment.OfOrderTx(tx, o.MerchantID, o.ID)
	if err != nil || o.Status != order.Pending || !tx.Now().Before(o.ExpiresAt) {
		return payment.Payment{}, false, err
	}
	for _, a := range candidates {
		for _, p := range earlier {
			if p.AccountID == a.ID && p.Status == payment.Creating {
				return p, true, nil
			}
		}
	}
	return payment.Payment{}, false, nil
}

// passTx has a key stand for another subject.
func (k idempotency) passTx(tx *db.Tx, from, to id.ID) error {
	_, err := tx.Exec(`UPDATE idempotency_keys SET subject_id = $1
		WHERE merchant_id = $2 AND scope = $3 AND key = $4 AND subject_id = $5`, to, k.merchantID, k.scope, k.key, from)
	return err
}

// busy is what a buyer reads when no platform took the payment: until when the
// order is kept, and (in Params, for programs) which other channels work.
func (s *Service) busy(ctx context.Context, o order.Order, p payment.Payment, r PayRequest, cause error) error {
	e := errs.Wrap(cause, payment.ErrProviderBusy.Kind, payment.ErrProviderBusy.Code, payment.ErrProviderBusy.Msg)
	e = keptUntil(e, o)
	offers, err := s.providers.Offers(ctx, o.MerchantID, payment.Want{Amount: o.Total, Client: r.Client})
	if err != nil {
		s.log.Warn("other channels not found", "order_no", o.No, "code", errs.CodeOf(err), "error", err)
		return e
	}
	var others []string
	for _, c := range offers {
		if c.On && !c.Carried(p) {
			others = append(others, c.ID.String())
		}
	}
	return e.With("channels", strings.Join(others, " "))
}

func keptUntil(e *errs.Error, o order.Order) *errs.Error {
	return e.With("until", o.ExpiresAt.In(shopZone()).Format("15:04")).
		With("expires_at", o.ExpiresAt.UTC().Format(time.RFC3339))
}

// stillChecking is what a buyer reads who cannot cancel because the platform
// does not say whether the order was paid.
func stillChecking(err error, o order.Order) error {
	if !errors.Is(err, payment.ErrProviderBusy) {
		return err
	}
	return keptUntil(errs.Wrap(errors.New(err.Error()), errs.Unavailable, "payment_checking",
		"the payment platform does not answer; your order is kept while we check whether it was paid"), o)
}
