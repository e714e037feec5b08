package checkout

import (
	"context"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/delivery"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/vault"
)

// maxManual is how long a content delivered by hand may be.
const maxManual = 16 * 1024

// recordStaffTx records what somebody did to an order.
func recordStaffTx(ctx context.Context, tx *db.Tx, o order.Order, action string, detail map[string]string) error {
	return audit.RecordTx(tx, originOf(ctx).sign(audit.Record{
		MerchantID: o.MerchantID, Action: action, SubjectKind: "order", SubjectID: o.ID, Detail: detail,
	}))
}

// DeliverByHand fills the waiting item of an order's line with what staff
// wrote; the order is delivered when nothing waits any more.
func (s *Service) DeliverByHand(ctx context.Context, merchantID id.ID, orderNo string, lineNo int, content string) (View, error) {
	if err := checkText("content", content, 1, maxManual); err != nil {
		return View{}, err
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
		if err := order.LockTx(tx, o.ID); err != nil {
			return err
		}
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
		v, err = staffViewTx(tx, o)
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
