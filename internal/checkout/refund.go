package checkout

import (
	"context"
	"time"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/delivery"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
	"panshi/internal/jobs"
	"panshi/internal/ledger"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// RefundJob is the kind of job that sends a refund to its platform.
const RefundJob = "refund.send"

// giveBack is money of a payment that is to be returned.
type giveBack struct {
	payment payment.Payment
	amount  money.Amount
	source  string // the ledger's account that the money leaves
	reason  string
	by      origin
	own     bool // the shop's own decision: no limit counts it

	creditID id.ID // the credit account that a platform's money goes to; zero: back to the platform
}

// refundTx promises money of a payment back and sends it. It does not move the
// order, unless the money is back at once.
func (s *Service) refundTx(tx *db.Tx, g giveBack) (payment.Refund, error) {
	r, err := promiseTx(tx, g)
	if err != nil {
		return r, err
	}
	return r, s.sendTx(tx, r)
}

// sendTx has a promised refund done: what becomes store credit at once, what
// goes to a platform by a job.
func (s *Service) sendTx(tx *db.Tx, r payment.Refund) error {
	if !r.CreditID.IsZero() {
		return s.refundDoneTx(tx, r, payment.RefundReport{})
	}
	if err := jobs.EnqueueTx(tx, r.MerchantID, RefundJob, r.ID); err != nil {
		return err
	}
	fault.Point("checkout.refund.promised")
	return nil
}

// promiseTx writes a refund and books it as due.
func promiseTx(tx *db.Tx, g giveBack) (payment.Refund, error) {
	r := payment.Refund{
		ID: id.New(), MerchantID: g.payment.MerchantID, OrderID: g.payment.OrderID, PaymentID: g.payment.ID,
		No: id.Number("R", tx.Now().In(shopZone())), Amount: g.amount, Status: payment.RefundRequested,
		Reason: g.reason, Source: g.source, ByStaff: !g.own,
	}
	var err error
	if r.CreditID, err = g.destinationTx(tx); err != nil {
		return r, err
	}
	if err := payment.PromiseRefundTx(tx, g.payment, g.amount.Minor); err != nil {
		return r, err
	}
	if err := payment.InsertRefundTx(tx, r); err != nil {
		return r, err
	}
	if err := ledger.PostTx(tx, ledger.Transfer(r.MerchantID, "refund_due", r.ID,
		ledger.RefundsDue, r.Source, r.Amount)); err != nil {
		return r, err
	}
	return r, audit.RecordTx(tx, g.by.sign(audit.Record{
		MerchantID: r.MerchantID, Action: "refund.promised", SubjectKind: "order", SubjectID: r.OrderID,
		Detail: map[string]string{"refund_no": r.No, "amount": r.Amount.String(), "reason": r.Reason},
	}))
}

// errOnHold says that a person must decide a case first.
var errOnHold = errs.New(errs.Conflict, "order_on_hold", "this order has an open case; decide it on the hold desk")

// RefundOrder gives back a part of an order, or all that its payments still
// hold, except what lies on the hold desk. A part leaves the order as it is;
// when nothing is left it moves to refunding, and to refunded once all is back.
// Work of it that still waits for staff is withdrawn; cards that were delivered
// stay sold. If all that staff gave back of the order is more than the
// merchant's limit, it needs an approval first (approval_required;
// RequestRefund asks for it). Who repeats the key gets the order as it is then,
// and no other refund.
func (s *Service) RefundOrder(ctx context.Context, r RefundRequest) (v View, err error) {
	if err := checkKey(r.Key); err != nil {
		return View{}, err
	}
	if err := r.check(); err != nil {
		return View{}, err
	}
	by := originOf(ctx)
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		o, err := order.ByNoTx(tx, r.MerchantID, r.OrderNo)
		if err != nil {
			return err
		}
		if o, err = livingTx(tx, o); err != nil {
			return err
		}
		if err := s.refundOnceTx(tx, o, r, by); err != nil {
			return err
		}
		if o, err = order.ByIDTx(tx, o.MerchantID, o.ID); err != nil {
			return err
		}
		v, err = staffViewTx(tx, o)
		return err
	})
	return v, err
}

// livingTx locks an order, and brings an archived one back: its lines are not
// locked there.
func livingTx(tx *db.Tx, o order.Order) (order.Order, error) {
	o, err := lockOrderTx(tx, o)
	if err != nil || !o.Archived {
		return o, err
	}
	if err := order.RecallTx(tx, o); err != nil {
		return o, err
	}
	if err := order.LockTx(tx, o.ID); err != nil {
		return o, err
	}
	return order.ByIDTx(tx, o.MerchantID, o.ID)
}

// refundOnceTx does what a request asks for, unless its key was used.
func (s *Service) refundOnceTx(tx *db.Tx, o order.Order, r RefundRequest, by origin) error {
	key, err := s.refundKey(o, r)
	if err != nil {
		return err
	}
	_, fresh, err := key.claimTx(tx, o.ID)
	if err != nil || !fresh {
		return err
	}
	if _, err := s.refundOrderTx(tx, o, r, by); err != nil {
		return err
	}
	return orderUnderLimitTx(tx, o.MerchantID, o.ID)
}

// refundOrderTx gives back what a request asks for of a locked order and tells
// how much that is. All is promised and the order moved before any is sent:
// what is back at once ends the order only if nothing else is under way.
func (s *Service) refundOrderTx(tx *db.Tx, o order.Order, r RefundRequest, by origin) (given money.Amount, err error) {
	p, err := planTx(tx, o, r.Part)
	if err != nil {
		return given, err
	}
	if err := audit.RecordTx(tx, by.sign(audit.Record{
		MerchantID: o.MerchantID, Action: "order.refund_ordered", SubjectKind: "order", SubjectID: o.ID,
		Detail: r.detail(map[string]string{"reason": r.Reason, "amount": p.total.String()}),
	})); err != nil {
		return given, err
	}
	creditID, err := s.creditForTx(tx, o, p.takes, r.Target, by)
	if err != nil {
		return given, err
	}
	for i := range p.takes {
		p.takes[i].reason, p.takes[i].by, p.takes[i].creditID = r.Reason, by, creditID
	}
	promised, err := promiseAllTx(tx, p)
	if err != nil {
		return given, err
	}
	if err := s.takeGoodsTx(tx, o, p); err != nil {
		return given, err
	}
	for _, r := range promised {
		if err := s.sendTx(tx, r); err != nil {
			return given, err
		}
	}
	return p.total, nil
}

// promiseAllTx promises what a plan takes. The lines are noted with the first
// refund if several payments give it.
func promiseAllTx(tx *db.Tx, p plan) (promised []payment.Refund, err error) {
	promised = make([]payment.Refund, len(p.takes))
	for i, g := range p.takes {
		if promised[i], err = promiseTx(tx, g); err != nil {
			return nil, err
		}
	}
	return promised, payment.InsertRefundLinesTx(tx, promised[0], p.refundLines())
}

// takeGoodsTx withdraws the work that a refund pays for, and moves the order on:
// to refunding if nothing is left of its money, to delivered if nothing is left
// to be made.
func (s *Service) takeGoodsTx(tx *db.Tx, o order.Order, p plan) error {
	if err := s.withdrawLinesTx(tx, o, p.lines); err != nil {
		return err
	}
	fault.Point("checkout.refund.withdrawn")
	switch {
	case p.all:
		return s.emptiedTx(tx, o)
	case o.Status != order.Paid:
		return nil
	}
	items, err := delivery.OfTx(tx, o.MerchantID, o.ID)
	if err != nil {
		return err
	}
	_, err = s.moveDeliveredTx(tx, o, items)
	return err
}

// emptiedTx moves an order whose money all goes back to refunding; nobody works
// for it any more.
func (s *Service) emptiedTx(tx *db.Tx, o order.Order) error {
	o, err := order.MoveTx(tx, o, order.Refunding, order.Change{})
	if err != nil {
		return err
	}
	return s.withdrawTx(tx, o)
}

// refundableTx lists what an order's payments still hold, without what lies on
// the hold desk, and how much that is.
func refundableTx(tx *db.Tx, o order.Order) (back []giveBack, left int64, err error) {
	payments, err := payment.OfOrderTx(tx, o.MerchantID, o.ID)
	if err != nil {
		return nil, 0, err
	}
	aside, err := payment.SetAsideTx(tx, o.MerchantID, o.ID)
	if err != nil {
		return nil, 0, err
	}
	for _, p := range payments {
		if rest := p.Received - p.Refunded - aside[p.ID]; rest > 0 {
			back = append(back, giveBack{payment: p, amount: money.Of(rest, p.Amount.Currency), source: ledger.Sales})
			left += rest
		}
	}
	return back, left, nil
}

// refundDoneTx books a refund whose money has gone back. One that the platform
// had refused before is promised again: it was done there after all.
func (s *Service) refundDoneTx(tx *db.Tx, r payment.Refund, report payment.RefundReport) error {
	moved, err := payment.MoveRefundTx(tx, r, payment.RefundDone, report.RefundID, time.Time{})
	if err != nil || !moved {
		return err
	}
	p, err := payment.ByIDTx(tx, r.MerchantID, r.PaymentID)
	if err != nil {
		return err
	}
	if r.Status == payment.RefundBroken {
		if err := s.repromiseTx(tx, r, p); err != nil {
			return err
		}
	}
	if err := bookRefundTx(tx, r, p); err != nil {
		return err
	}
	fault.Point("checkout.refund.booked")
	return orderRefundedTx(tx, r)
}

// repromiseTx undoes refundBrokenTx: the promise, its booking, the open case. If
// staff had given the money back in another way, it may have been the last that
// the order had.
func (s *Service) repromiseTx(tx *db.Tx, r payment.Refund, p payment.Payment) error {
	if err := payment.PromiseRefundTx(tx, p, r.Amount.Minor); err != nil {
		return err
	}
	if err := ledger.PostTx(tx, ledger.Transfer(r.MerchantID, "refund_due_again", r.ID,
		ledger.RefundsDue, r.Source, r.Amount)); err != nil {
		return err
	}
	cases, err := payment.OpenRefundHoldsTx(tx, r.MerchantID, r.OrderID)
	if err != nil {
		return err
	}
	for _, h := range cases {
		if h.RefundID != r.ID {
			continue
		}
		if err := payment.ResolveTx(tx, h, "done: the platform gave the money back after all"); err != nil {
			return err
		}
	}
	o, err := order.ByIDTx(tx, r.MerchantID, r.OrderID)
	switch {
	case err != nil:
		return err
	case o.Status == order.Held && !reserves(o):
		_, err = order.MoveTx(tx, o, order.Refunding, order.Change{})
		return err
	case !serves(o):
		return nil
	}
	_, left, err := refundableTx(tx, o)
	if err != nil || left > 0 {
		return err
	}
	return s.emptiedTx(tx, o)
}

// orderRefundedTx records a refund that is done, and moves its order on when
// it was the last: to refunded, or back to the hold desk if another refund of
// it was refused.
func orderRefundedTx(tx *db.Tx, r payment.Refund) error {
	if err := audit.RecordTx(tx, audit.Record{
		MerchantID: r.MerchantID, Actor: audit.System(), Action: "refund.done", SubjectKind: "order", SubjectID: r.OrderID,
		Detail: map[string]string{"refund_no": r.No, "amount": r.Amount.String()},
	}); err != nil {
		return err
	}
	o, err := order.ByIDTx(tx, r.MerchantID, r.OrderID)
	if err != nil || o.Status != order.Refunding {
		return err
	}
	refunds, err := payment.RefundsOfTx(tx, r.MerchantID, r.OrderID)
	if err != nil {
		return err
	}
	for _, other := range refunds {
		if !other.Status.Ended() {
			return nil
		}
	}
	refused, err := payment.OpenRefundHoldsTx(tx, r.MerchantID, r.OrderID)
	if err != nil {
		return err
	}
	if len(refused) > 0 {
		_, err = order.MoveTx(tx, o, order.Held, order.Change{Reason: payment.RefundFailedHold})
		return err
	}
	_, err = order.MoveTx(tx, o, order.Refunded, order.Change{})
	return err
}

// refundBrokenTx lays a refund that the platform refused on the hold desk. The
// promise is taken back: the money is still here until a person decides.
func (s *Service) refundBrokenTx(tx *db.Tx, r payment.Refund, report payment.RefundReport) error {
	moved, err := payment.MoveRefundTx(tx, r, payment.RefundBroken, report.RefundID, time.Time{})
	if err != nil || !moved {
		return err
	}
	if err := payment.TakeBackRefundTx(tx, r); err != nil {
		return err
	}
	if err := ledger.PostTx(tx, ledger.Transfer(r.MerchantID, "refund_refused", r.ID,
		r.Source, ledger.RefundsDue, r.Amount)); err != nil {
		return err
	}
	if err := payment.HoldTx(tx, payment.Hold{
		MerchantID: r.MerchantID, OrderID: r.OrderID, PaymentID: r.PaymentID, RefundID: r.ID, Amount: r.Amount,
		Reason: payment.RefundFailedHold, Detail: "refund " + r.No + " of " + r.Amount.String(),
	}); err != nil {
		return err
	}
	o, err := order.ByIDTx(tx, r.MerchantID, r.OrderID)
	if err != nil || o.Status != order.Refunding {
		return err
	}
	_, err = order.MoveTx(tx, o, order.Held, order.Change{Reason: payment.RefundFailedHold})
	return err
}
