package checkout

import (
	"context"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/ledger"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// What staff may do with a case on the hold desk.
const (
	HoldRefund  = "refund"  // give the money back, or try a refused refund again
	HoldAccept  = "accept"  // take the money as good and deliver
	HoldDismiss = "dismiss" // settled elsewhere; a refused refund: given back by hand
)

// errHoldAction says that a case cannot be closed this way.
var errHoldAction = errs.Field("action", "hold_action", "this case cannot be closed this way")

// ResolveHold closes a case: the money is given back, taken as good, or the
// case dismissed with a note. To give back more than the merchant's limit needs
// an approval first (approval_required; RequestHoldRefund asks for it).
func (s *Service) ResolveHold(ctx context.Context, merchantID, holdID id.ID, action, note string) error {
	if err := checkText("note", note, 0, 1000); err != nil {
		return err
	}
	by := originOf(ctx)
	return s.db.Update(ctx, func(tx *db.Tx) error {
		h, err := s.resolveHoldTx(tx, merchantID, holdID, action, note, by)
		if err != nil || action != HoldRefund {
			return err
		}
		return orderUnderLimitTx(tx, merchantID, h.OrderID)
	})
}

func (s *Service) resolveHoldTx(tx *db.Tx, merchantID, holdID id.ID, action, note string, by origin) (payment.Hold, error) {
	h, err := payment.OpenHoldTx(tx, merchantID, holdID)
	if err != nil {
		return h, err
	}
	if err := order.LockTx(tx, h.OrderID); err != nil {
		return h, err
	}
	if err := payment.ResolveTx(tx, h, action+": "+note); err != nil {
		return h, err
	}
	if err := audit.RecordTx(tx, by.sign(audit.Record{
		MerchantID: merchantID, Action: "hold." + action, SubjectKind: "order", SubjectID: h.OrderID,
		Detail: map[string]string{"reason": h.Reason, "note": note},
	})); err != nil {
		return h, err
	}
	return h, s.resolveTx(tx, h, action, by)
}

func (s *Service) resolveTx(tx *db.Tx, h payment.Hold, action string, by origin) error {
	if h.OrderID.IsZero() {
		if action == HoldDismiss {
			return nil
		}
		return errHoldAction
	}
	o, err := order.ByIDTx(tx, h.MerchantID, h.OrderID)
	if err != nil {
		return err
	}
	switch {
	case action == HoldRefund && h.Reason != payment.RefundMismatchHold:
		return s.resolveByRefundTx(tx, o, h, by)
	case action == HoldAccept && decides(o, h):
		return s.acceptTheHeldTx(tx, o, h, by)
	case action == HoldDismiss && h.Reason == payment.RefundFailedHold:
		return s.refundByHandTx(tx, o, h, by)
	case action == HoldDismiss && decides(o, h):
		return s.dismissTx(tx, o, h)
	case action == HoldDismiss:
		return nil
	}
	return errHoldAction
}

// reserves tells whether a held order still reserves its goods: it waits for
// money, not for a refund.
func reserves(o order.Order) bool {
	return o.Status == order.Held && o.HoldReason != payment.RefundFailedHold
}

// goesBack tells whether an order's money goes or went back.
func goesBack(o order.Order) bool {
	return o.Status == order.Refunding || o.Status == order.Refunded || (o.Status == order.Held && !reserves(o))
}

// serves tells whether an order's buyer has the goods or is to get them.
func serves(o order.Order) bool {
	return o.Status == order.Paid || o.Status == order.Delivered || o.Status == order.Completed
}

// decides tells whether a case is about money that its order waits for.
func decides(o order.Order, h payment.Hold) bool { return reserves(o) && h.RefundID.IsZero() }

// acceptTheHeldTx takes money that did not fit as good: it becomes sales, and
// the order gets its goods.
func (s *Service) acceptTheHeldTx(tx *db.Tx, o order.Order, h payment.Hold, by origin) error {
	p, err := payment.ByIDTx(tx, h.MerchantID, h.PaymentID)
	if err != nil {
		return err
	}
	if h.Amount.Currency == p.Amount.Currency && h.Amount.Minor > 0 {
		if err := ledger.PostTx(tx, ledger.Transfer(p.MerchantID, "accepted", h.ID,
			ledger.Sales, ledger.Suspense, h.Amount)); err != nil {
			return err
		}
		if err := payment.AcceptedTx(tx, p); err != nil {
			return err
		}
	}
	return s.deliverTx(tx, o, by.sign(audit.Record{
		MerchantID: o.MerchantID, Action: "order.settled_by_hand", SubjectKind: "order", SubjectID: o.ID,
		Detail: map[string]string{"hold": h.Reason},
	}))
}

// dismissTx closes a held order whose money is not here to be given back
// through its payment (another currency).
func (s *Service) dismissTx(tx *db.Tx, o order.Order, h payment.Hold) error {
	p, err := payment.ByIDTx(tx, h.MerchantID, h.PaymentID)
	if err != nil {
		return err
	}
	if p.Received > p.Refunded {
		return errHoldAction
	}
	if err := s.releaseTx(tx, o); err != nil {
		return err
	}
	if _, err = order.MoveTx(tx, o, order.Closed, order.Change{ClosedAt: tx.Now()}); err != nil {
		return err
	}
	return closePaymentsTx(tx, o)
}

// resolveByRefundTx gives a case's money back: neither more than the case is
// about nor more than its payment still has.
func (s *Service) resolveByRefundTx(tx *db.Tx, o order.Order, h payment.Hold, by origin) error {
	g, err := caseMoneyTx(tx, h, by)
	if err != nil {
		return err
	}
	if g.amount.Minor <= 0 {
		return errHoldAction
	}
	if err := s.refundingTx(tx, o); err != nil {
		return err
	}
	r, err := s.refundTx(tx, g)
	if err != nil {
		return err
	}
	return payment.MoveRefundLinesTx(tx, h.RefundID, r)
}

// refundByHandTx books money that staff gave back at the platform's own desk
// or otherwise, after the platform refused to do it for us.
func (s *Service) refundByHandTx(tx *db.Tx, o order.Order, h payment.Hold, by origin) error {
	g, err := caseMoneyTx(tx, h, by)
	if err != nil || g.amount.Minor <= 0 {
		return err
	}
	if err := s.refundingTx(tx, o); err != nil {
		return err
	}
	r, err := promiseTx(tx, g)
	if err != nil {
		return err
	}
	if err := payment.MoveRefundLinesTx(tx, h.RefundID, r); err != nil {
		return err
	}
	return s.refundDoneTx(tx, r, payment.RefundReport{})
}

// caseMoneyTx tells what of a case's money may be given back.
func caseMoneyTx(tx *db.Tx, h payment.Hold, by origin) (giveBack, error) {
	p, err := payment.ByIDTx(tx, h.MerchantID, h.PaymentID)
	if err != nil {
		return giveBack{}, err
	}
	g := giveBack{payment: p, source: ledger.Suspense, reason: h.Reason, by: by}
	if h.Amount.Currency == p.Amount.Currency {
		g.amount = money.Of(min(h.Amount.Minor, p.Received-p.Refunded), p.Amount.Currency)
	}
	if h.RefundID.IsZero() {
		return g, nil
	}
	r, err := payment.RefundTx(tx, h.MerchantID, h.RefundID)
	g.source, g.reason = r.Source, r.Reason
	return g, err
}

// refundingTx moves a held order to refunding and gives back what it still
// reserves; an order that waits for nothing stays where it is.
func (s *Service) refundingTx(tx *db.Tx, o order.Order) error {
	if o.Status != order.Held {
		return nil
	}
	if reserves(o) {
		if err := s.releaseTx(tx, o); err != nil {
			return err
		}
	}
	_, err := order.MoveTx(tx, o, order.Refunding, order.Change{})
	return err
}
