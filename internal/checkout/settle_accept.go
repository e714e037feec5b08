package checkout

import (
	"panshi/internal/account"
	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/fault"
	"panshi/internal/ledger"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/stock"
)

// acceptTx books money that fits its payment and gives the order its goods, or
// promises the money back.
func (s *Service) acceptTx(tx *db.Tx, in settling, p payment.Payment) settleResult {
	if err := payment.SettledTx(tx, p, payment.Settlement{
		Status: payment.Paid, Received: in.report.Amount.Minor, TransactionID: in.report.TransactionID,
		By: in.by, PaidAt: tx.Now(),
	}); err != nil {
		return settleResult{err: err}
	}
	p.Status, p.Received = payment.Paid, in.report.Amount.Minor
	o, err := order.ByIDTx(tx, p.MerchantID, p.OrderID)
	if err != nil {
		return settleResult{err: err}
	}
	if err := bookTx(tx, in, p, o); err != nil {
		return settleResult{err: err}
	}
	fault.Point("checkout.settle.money-booked")
	outcome, err := s.giveTx(tx, o, p, in)
	return settleResult{outcome: outcome, err: err}
}

// bookTx books a payment in full: what a platform took, or what store credit
// paid.
func bookTx(tx *db.Tx, in settling, p payment.Payment, o order.Order) error {
	if in.credit == nil {
		return ledger.PostTx(tx, bookedAs(p))
	}
	_, err := account.MoveTx(tx, *in.credit, account.Change{
		Kind: account.Spent, Minor: -p.Amount.Minor, SubjectID: p.ID, Against: ledger.Sales, OrderNo: o.No,
	})
	return err
}

// bookedAs is the booking of a payment in full.
func bookedAs(p payment.Payment) ledger.Entry {
	return ledger.Transfer(p.MerchantID, "payment", p.ID, ledger.Sales, ledger.Provider(p.AccountID), p.Amount)
}

// giveTx decides what an order gets for a payment in full.
func (s *Service) giveTx(tx *db.Tx, o order.Order, p payment.Payment, in settling) (Outcome, error) {
	switch {
	case o.Status == order.Pending, reserves(o):
		return Settled, s.deliverTx(tx, o, record(o, in, "order.settled", p))
	case o.Status == order.Closed:
		return s.lateTx(tx, o, p, in)
	default:
		_, err := s.refundTx(tx, wholly(p, in, "paid_twice"))
		return Refunding, err
	}
}

// wholly gives all of a payment back by the shop's own decision.
func wholly(p payment.Payment, in settling, reason string) giveBack {
	return giveBack{
		payment: p, amount: in.report.Amount, source: ledger.Sales, reason: reason, by: in.origin.bySystem(), own: true,
	}
}

// lateTx serves money that came after the order closed: the goods are claimed
// again if all are still there, else the money goes back by itself.
func (s *Service) lateTx(tx *db.Tx, o order.Order, p payment.Payment, in settling) (Outcome, error) {
	lines, err := order.LinesTx(tx, o)
	if err != nil {
		return Ignored, err
	}
	left, err := allLeftTx(tx, o, lines)
	if err != nil {
		return Ignored, err
	}
	if !left {
		_, err := order.MoveTx(tx, o, order.Refunding, order.Change{PaidAt: tx.Now()})
		if err != nil {
			return Ignored, err
		}
		_, err = s.refundTx(tx, wholly(p, in, "late_sold_out"))
		return Refunding, err
	}
	if err := stock.HoldTx(tx, o.MerchantID, o.ID, claimsOf(lines)); err != nil {
		return Ignored, err
	}
	if err := order.RetakePurchasesTx(tx, o, lines); err != nil {
		return Ignored, err
	}
	fault.Point("checkout.settle.late-held")
	return Late, s.deliverTx(tx, o, record(o, in, "order.settled_late", p))
}

// allLeftTx tells whether the shelf still has all that the lines ask for. A
// line whose SKU is counted in another way by now is noted as such.
func allLeftTx(tx *db.Tx, o order.Order, lines []order.Line) (bool, error) {
	for i := range lines {
		l := &lines[i]
		level, err := stock.LevelTx(tx, o.MerchantID, l.SKUID)
		if err != nil {
			return false, err
		}
		if level.Mode != stock.Unlimited && level.Available < int64(l.Quantity) {
			return false, nil
		}
		if l.StockMode == string(level.Mode) {
			continue
		}
		l.StockMode = string(level.Mode)
		if err := order.ReservedTx(tx, o, l.No, l.StockMode); err != nil {
			return false, err
		}
	}
	return true, nil
}

func record(o order.Order, in settling, action string, p payment.Payment) audit.Record {
	actor := audit.Actor{Kind: "platform", ID: p.AccountID.String()}
	if in.credit != nil {
		actor = in.origin.actor
	}
	return audit.Record{
		MerchantID: o.MerchantID, Actor: actor, Action: action,
		SubjectKind: "order", SubjectID: o.ID, RequestID: in.origin.request,
		Detail: map[string]string{"by": in.by, "payment_no": p.No, "amount": p.Amount.String()},
	}
}
