package checkout

import (
	"context"
	"strings"
	"unicode/utf8"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/delivery"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// maxManual is how long a content delivered by hand may be.
const maxManual = 16 * 1024

// recordStaffTx records what somebody did to an order.
func recordStaffTx(ctx context.Context, tx *db.Tx, o order.Order, action string, detail map[string]string) error {
	actor, request := audit.Origin(ctx)
	return audit.RecordTx(tx, audit.Record{
		MerchantID: o.MerchantID, Actor: actor, RequestID: request, Action: action,
		SubjectKind: "order", SubjectID: o.ID, Detail: detail,
	})
}

// DeliverByHand fills the waiting item of an order's line with what staff
// wrote; the order is delivered when nothing waits any more.
func (s *Service) DeliverByHand(ctx context.Context, merchantID id.ID, orderNo string, lineNo int, content string) (View, error) {
	if strings.TrimSpace(content) == "" || len(content) > maxManual || !utf8.ValidString(content) {
		return View{}, errs.Field("content", "out_of_range", "a delivery is 1 to 16,384 bytes of text")
	}
	o, err := s.orderByNo(ctx, merchantID, orderNo)
	if err != nil {
		return View{}, err
	}
	item := delivery.Item{OrderID: o.ID, LineNo: lineNo, ItemNo: 1}
	if item.Sealed, err = s.vault.Seal(vault.Cards, delivery.ManualCell(o.ID, lineNo, 1), []byte(content)); err != nil {
		return View{}, err
	}
	var v View
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		o, err := order.ByIDTx(tx, merchantID, o.ID)
		if err != nil {
			return err
		}
		if o.Status != order.Paid {
			return order.ErrMove
		}
		if err := delivery.FillTx(tx, merchantID, item); err != nil {
			return err
		}
		items, err := delivery.OfTx(tx, merchantID, o.ID)
		if err != nil {
			return err
		}
		if o, err = s.moveDeliveredTx(tx, o, items); err != nil {
			return err
		}
		if err := recordStaffTx(ctx, tx, o, "order.delivered_by_hand", nil); err != nil {
			return err
		}
		v, err = viewTx(tx, o)
		return err
	})
	return v, err
}

func (s *Service) orderByNo(ctx context.Context, merchantID id.ID, orderNo string) (o order.Order, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		o, err = order.ByNoTx(tx, merchantID, orderNo)
		return err
	})
	return o, err
}

// ContactOf opens an order's contact for staff. The look is recorded first.
func (s *Service) ContactOf(ctx context.Context, merchantID id.ID, orderNo string) (order.Contact, error) {
	var o order.Order
	err := s.db.Update(ctx, func(tx *db.Tx) (err error) {
		if o, err = order.ByNoTx(tx, merchantID, orderNo); err != nil {
			return err
		}
		return recordStaffTx(ctx, tx, o, "order.contact_revealed", nil)
	})
	if err != nil {
		return order.Contact{}, err
	}
	value, err := s.vault.Unseal(vault.PII, order.ContactCell(o.ID), o.ContactSealed)
	return order.Contact{Kind: o.ContactKind, Value: string(value)}, err
}

// What staff may do with a case on the hold desk.
const (
	HoldRefund  = "refund"  // give the money back
	HoldAccept  = "accept"  // take the money as good and deliver
	HoldDismiss = "dismiss" // settled elsewhere; only for money that fits no order, or an order that does not wait
)

// ResolveHold closes a case: the money is given back, taken as good, or the
// case dismissed with a note.
func (s *Service) ResolveHold(ctx context.Context, merchantID, holdID id.ID, action, note string) error {
	if len(note) > 1000 {
		return errs.Field("note", "too_long", "a note has at most 1,000 bytes")
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		h, err := payment.OpenHoldTx(tx, merchantID, holdID)
		if err != nil {
			return err
		}
		if err := payment.ResolveTx(tx, h, action+": "+note); err != nil {
			return err
		}
		actor, request := audit.Origin(ctx)
		if err := audit.RecordTx(tx, audit.Record{
			MerchantID: merchantID, Actor: actor, RequestID: request, Action: "hold." + action,
			SubjectKind: "order", SubjectID: h.OrderID, Detail: map[string]string{"reason": h.Reason, "note": note},
		}); err != nil {
			return err
		}
		return s.resolveTx(tx, h, action)
	})
}

// errHoldAction says that a case cannot be closed this way.
var errHoldAction = errs.Field("action", "hold_action", "this case cannot be closed this way")

func (s *Service) resolveTx(tx *db.Tx, h payment.Hold, action string) error {
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
	case action == HoldRefund:
		return s.resolveByRefundTx(tx, o, h)
	case action == HoldAccept && o.Status == order.Held && h.Reason != refundFailed:
		return s.deliverTx(tx, o, audit.Record{
			MerchantID: o.MerchantID, Actor: audit.System(), Action: "order.settled_by_hand",
			SubjectKind: "order", SubjectID: o.ID, Detail: map[string]string{"hold": h.Reason},
		})
	case action == HoldDismiss && o.Status != order.Held:
		return nil
	case action == HoldDismiss:
		return s.dismissTx(tx, o, h)
	}
	return errHoldAction
}

// dismissTx closes a held order whose money is not here to be given back
// through its payment (another currency, or returned at the platform by hand).
func (s *Service) dismissTx(tx *db.Tx, o order.Order, h payment.Hold) error {
	p, err := payment.ByIDTx(tx, h.MerchantID, h.PaymentID)
	if err != nil {
		return err
	}
	if p.Received > p.Refunded || h.Reason == refundFailed {
		return errHoldAction
	}
	if err := releaseHeldTx(tx, o); err != nil {
		return err
	}
	_, err = order.MoveTx(tx, o, order.Closed, order.Change{ClosedAt: tx.Now()})
	return err
}

const refundFailed = "refund_failed"

// resolveByRefundTx gives a held payment's money back. An order that waited
// for this decision gives its stock back and is refunded.
func (s *Service) resolveByRefundTx(tx *db.Tx, o order.Order, h payment.Hold) error {
	p, err := payment.ByIDTx(tx, h.MerchantID, h.PaymentID)
	if err != nil {
		return err
	}
	left := p.Received - p.Refunded
	if left <= 0 {
		return errHoldAction
	}
	if o.Status == order.Held {
		if err := releaseHeldTx(tx, o); err != nil {
			return err
		}
		if o, err = order.MoveTx(tx, o, order.Refunding, order.Change{}); err != nil {
			return err
		}
	}
	return s.refundTx(tx, o, p, left, h.Reason)
}

// releaseHeldTx gives back the stock that a held order still reserves; one
// that was delivered before has none.
func releaseHeldTx(tx *db.Tx, o order.Order) error {
	items, err := delivery.OfTx(tx, o.MerchantID, o.ID)
	if err != nil || len(items) > 0 {
		return err
	}
	claims, err := claimsTx(tx, o)
	if err != nil {
		return err
	}
	return stock.ReleaseTx(tx, o.MerchantID, o.ID, claims)
}
