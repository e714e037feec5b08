package checkout

import (
	"context"

	"panshi/internal/db"
	"panshi/internal/delivery"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// orderOfBuyerTx reads an order for somebody who shows its access token. A
// wrong token and an unknown number are the same answer, so that numbers
// cannot be probed.
func (s *Service) orderOfBuyerTx(tx *db.Tx, merchantID id.ID, orderNo, token string) (order.Order, error) {
	o, err := order.ByNoTx(tx, merchantID, orderNo)
	if err != nil {
		return order.Order{}, err
	}
	if !s.vault.CheckToken(order.TokenPurpose, o.ID, token) {
		return order.Order{}, order.ErrNotFound
	}
	return o, nil
}

// Order reads an order for its buyer.
func (s *Service) Order(ctx context.Context, merchantID id.ID, orderNo, token string) (v View, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		o, err := s.orderOfBuyerTx(tx, merchantID, orderNo, token)
		if err != nil {
			return err
		}
		v, err = viewTx(tx, o)
		return err
	})
	return v, err
}

// OrderForStaff reads an order for the merchant's staff.
func (s *Service) OrderForStaff(ctx context.Context, merchantID id.ID, orderNo string) (v View, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		o, err := order.ByNoTx(tx, merchantID, orderNo)
		if err != nil {
			return err
		}
		v, err = staffViewTx(tx, o)
		return err
	})
	return v, err
}

// Orders lists a merchant's orders, the newest first.
func (s *Service) Orders(ctx context.Context, merchantID id.ID, f order.Filter) (list []order.Order, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		list, err = order.ListTx(tx, merchantID, f)
		return err
	})
	return list, err
}

// Holds lists a merchant's open cases, the newest first.
func (s *Service) Holds(ctx context.Context, merchantID, before id.ID, limit int) (list []payment.Hold, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		list, err = payment.OpenHoldsTx(tx, merchantID, before, limit)
		return err
	})
	return list, err
}

// NumbersOf gives the numbers of the orders that cases are about, by id. A
// page of cases is a hundred at most, and few orders have two.
func (s *Service) NumbersOf(ctx context.Context, merchantID id.ID, holds []payment.Hold) (map[id.ID]string, error) {
	numbers := make(map[id.ID]string, len(holds))
	err := s.db.View(ctx, func(tx *db.Tx) error {
		for _, h := range holds {
			if _, known := numbers[h.OrderID]; known || h.OrderID.IsZero() {
				continue
			}
			o, err := order.ByIDTx(tx, merchantID, h.OrderID)
			if err != nil {
				return err
			}
			numbers[o.ID] = o.No
		}
		return nil
	})
	return numbers, err
}

// staffViewTx is viewTx with what may still be given back.
func staffViewTx(tx *db.Tx, o order.Order) (View, error) {
	v, err := viewTx(tx, o)
	if err != nil || !order.CanMove(o.Status, order.Refunding) || o.Status == order.Held {
		return v, err
	}
	_, v.Refundable.Minor, err = refundableTx(tx, o)
	return v, err
}

func viewTx(tx *db.Tx, o order.Order) (View, error) {
	v := View{Order: o, Refunded: money.Of(0, o.Total.Currency), Refundable: money.Of(0, o.Total.Currency)}
	if err := v.moneyTx(tx); err != nil {
		return View{}, err
	}
	lines, err := order.LinesTx(tx, o)
	if err != nil {
		return View{}, err
	}
	items, err := delivery.OfTx(tx, o.MerchantID, o.ID)
	if err != nil {
		return View{}, err
	}
	delivered := make(map[int]int, len(lines))
	for _, it := range items {
		if it.Delivered {
			delivered[it.LineNo]++
		}
	}
	back := backOf(v.RefundLines)
	for _, l := range lines {
		n, b := delivered[l.No], back[l.No]
		if l.Kind != "card" && n > 0 {
			n = l.Quantity - b.withdrawn
		}
		v.Lines = append(v.Lines, LineView{Line: l, Delivered: n, Refunded: b.quantity, Withdrawn: b.withdrawn})
	}
	return v, nil
}

// moneyTx reads an order's payments and refunds.
func (v *View) moneyTx(tx *db.Tx) (err error) {
	o := v.Order
	if v.Payments, err = payment.OfOrderTx(tx, o.MerchantID, o.ID); err != nil {
		return err
	}
	for _, p := range v.Payments {
		v.Refunded.Minor += p.Refunded
	}
	if v.Refunds, err = payment.RefundsOfTx(tx, o.MerchantID, o.ID); err != nil || len(v.Refunds) == 0 {
		return err
	}
	v.RefundLines, err = payment.RefundLinesTx(tx, o.MerchantID, o.ID)
	return err
}
