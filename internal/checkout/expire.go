package checkout

import (
	"context"
	"errors"
	"strconv"
	"time"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// closeRetry is how soon an order is tried again whose platform did not answer.
const closeRetry = 10 * time.Second

// Cancel closes an order that its buyer does not want any more, exactly as
// expiry would: the platform is asked to close first, and if it says "paid"
// the order is settled instead.
func (s *Service) Cancel(ctx context.Context, merchantID id.ID, orderNo, token string) (View, error) {
	v, err := s.Order(ctx, merchantID, orderNo, token)
	if err != nil {
		return View{}, err
	}
	if v.Order.Status == order.Closed {
		return v, nil
	}
	if v.Order.Status != order.Pending {
		return View{}, order.ErrMove
	}
	actor, request := audit.Origin(ctx)
	trail := audit.Record{Actor: actor, RequestID: request, Action: "order.cancelled"}
	if _, err := s.closeOrder(ctx, v.Order, trail, false); err != nil {
		return View{}, stillChecking(err, v.Order)
	}
	v, err = s.Order(ctx, merchantID, orderNo, token)
	if err == nil && v.Order.Status != order.Closed {
		return View{}, order.ErrMove
	}
	return v, err
}

// closeOrder asks the platforms to make the order's payments unpayable, then
// closes the order and gives its stock back. A payment that turns out to be
// paid settles the order instead. With force, a platform that does not answer
// is no reason to wait: its payments are asked about later, and late money is
// served. It tells whether the order is closed now.
func (s *Service) closeOrder(ctx context.Context, o order.Order, trail audit.Record, force bool) (closed bool, err error) {
	var payments []payment.Payment
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		payments, err = payment.OfOrderTx(tx, o.MerchantID, o.ID)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, p := range payments {
		if p.Status != payment.Creating && p.Status != payment.Open {
			continue
		}
		paid, err := s.closePayment(ctx, p)
		if paid || (err != nil && !force) {
			return false, err
		}
	}
	fault.Point("checkout.close.platform-closed")
	err = s.db.Update(ctx, func(tx *db.Tx) error { return s.closeOrderTx(tx, o, trail) })
	return err == nil, err
}

// closePayment asks the platform to close a payment. If the buyer was faster
// it settles the payment and reports paid.
func (s *Service) closePayment(ctx context.Context, p payment.Payment) (paid bool, err error) {
	account, provider, err := s.platform(ctx, p.AccountID)
	if err != nil {
		return false, err
	}
	err = provider.Close(ctx, p.No)
	if errors.Is(err, payment.ErrAlreadyPaid) {
		report, err := provider.Query(ctx, p.No)
		if err != nil {
			return true, err
		}
		return true, s.settlePaid(ctx, account, report)
	}
	if err != nil {
		s.log.Warn("payment not closed", "payment_no", p.No, "code", errs.CodeOf(err), "error", err)
	}
	return false, err
}

// errContradiction says that a platform calls a payment paid when it is to be
// closed, and then does not say what was paid, or says it of another payment.
var errContradiction = errs.New(errs.Unavailable, "platform_contradicts",
	"the payment platform contradicts itself; try again in a moment")

// settlePaid settles a payment that was paid before it could be closed.
func (s *Service) settlePaid(ctx context.Context, account payment.Account, r payment.Report) error {
	outcome, err := s.Settle(ctx, account, r, "close")
	if err == nil && outcome == Ignored {
		return errContradiction
	}
	return err
}

// closeOrderTx closes an order that is still pending, with its payments.
func (s *Service) closeOrderTx(tx *db.Tx, stale order.Order, trail audit.Record) error {
	if err := order.LockTx(tx, stale.ID); err != nil {
		return err
	}
	o, err := order.ByIDTx(tx, stale.MerchantID, stale.ID)
	if err != nil || o.Status != order.Pending {
		return err
	}
	if o, err = order.MoveTx(tx, o, order.Closed, order.Change{ClosedAt: tx.Now()}); err != nil {
		return err
	}
	if err := closePaymentsTx(tx, o); err != nil {
		return err
	}
	fault.Point("checkout.close.order-closed")
	if err := s.releaseTx(tx, o); err != nil {
		return err
	}
	trail.MerchantID, trail.SubjectKind, trail.SubjectID = o.MerchantID, "order", o.ID
	return audit.RecordTx(tx, trail)
}

// closePaymentsTx closes an order's payments; their platforms are asked once
// more after 5, 10 and 30 minutes, in case money came all the same.
func closePaymentsTx(tx *db.Tx, o order.Order) error {
	payments, err := payment.OfOrderTx(tx, o.MerchantID, o.ID)
	if err != nil {
		return err
	}
	for _, p := range payments {
		p.Status, p.ClosedAt = payment.Closed, tx.Now()
		if err := payment.ClosedTx(tx, p, nextQuestion(p, tx.Now())); err != nil {
			return err
		}
	}
	return nil
}

// expireOne closes one order whose time is over. Whatever comes of it, an order
// that is still pending is due again only after a pause: it must not stand
// before the others for ever.
func (s *Service) expireOne(ctx context.Context, o order.Order, now time.Time) error {
	force := now.After(o.ExpiresAt.Add(s.cfg.CloseGrace))
	trail := audit.Record{
		Actor: audit.System(), Action: "order.expired",
		Detail: map[string]string{"platform_unreachable": strconv.FormatBool(force)},
	}
	closed, err := s.closeOrder(ctx, o, trail, force)
	if closed {
		return nil
	}
	return errors.Join(err, s.db.Update(ctx, func(tx *db.Tx) error {
		return order.DelayTx(tx, o, tx.Now().Add(closeRetry))
	}))
}
