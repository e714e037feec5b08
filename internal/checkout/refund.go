package checkout

import (
	"context"
	"time"

	"panshi/internal/audit"
	"panshi/internal/db"
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

	creditID id.ID // the credit account that a platform's money goes to; zero: back to the platform
}

// refundTx promises money of a payment back and sends it. It does not move the
// order, unless the money is back at once.
func (s *Service) refundTx(tx *db.Tx, g giveBack) error {
	r, err := promiseTx(tx, g)
	if err != nil {
		return err
	}
	return s.sendTx(tx, r)
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
		Reason: g.reason, Source: g.source,
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

// RefundOrder gives back all that an order's payments still hold, except what
// lies on the hold desk, and moves the order to refunding. Work that still
// waits for staff is withdrawn. More than the merchant's limit needs an
// approval first (approval_required; RequestRefund asks for it).
func (s *Service) RefundOrder(ctx context.Context, merchantID id.ID, orderNo, reason string) (View, error) {
	return s.refundOrder(ctx, merchantID, orderNo, reason, toCredit{})
}

// RefundToCredit is RefundOrder with the platforms' money becoming store credit,
// at once and for good, in the account creditID or, zero, in a new one for the
// order's contact.
func (s *Service) RefundToCredit(ctx context.Context, merchantID id.ID, orderNo string, creditID id.ID, reason string) (View, error) {
	return s.refundOrder(ctx, merchantID, orderNo, reason, toCredit{true, creditID})
}

func (s *Service) refundOrder(ctx context.Context, merchantID id.ID, orderNo, reason string, to toCredit) (View, error) {
	if err := checkText("reason", reason, 1, 200); err != nil {
		return View{}, err
	}
	by := originOf(ctx)
	var v View
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		o, err := order.ByNoTx(tx, merchantID, orderNo)
		if err != nil {
			return err
		}
		if o, err = lockOrderTx(tx, o); err != nil {
			return err
		}
		given, err := s.refundOrderTx(tx, o, to, reason, by)
		if err != nil {
			return err
		}
		if err := underLimitTx(tx, merchantID, given); err != nil {
			return err
		}
		v, err = s.viewAgainTx(tx, o)
		return err
	})
	return v, err
}

func (s *Service) viewAgainTx(tx *db.Tx, o order.Order) (View, error) {
	o, err := order.ByIDTx(tx, o.MerchantID, o.ID)
	if err != nil {
		return View{}, err
	}
	return viewTx(tx, o)
}

// refundOrderTx gives back all of a locked order and tells how much that is.
func (s *Service) refundOrderTx(tx *db.Tx, o order.Order, to toCredit, reason string, by origin) (given money.Amount, err error) {
	if o.Status == order.Held {
		return given, errOnHold
	}
	if err := audit.RecordTx(tx, by.sign(audit.Record{
		MerchantID: o.MerchantID, Action: "order.refund_ordered", SubjectKind: "order", SubjectID: o.ID,
		Detail: map[string]string{"reason": reason},
	})); err != nil {
		return given, err
	}
	if o, err = order.MoveTx(tx, o, order.Refunding, order.Change{}); err != nil {
		return given, err
	}
	if err := s.withdrawTx(tx, o); err != nil {
		return given, err
	}
	back, err := refundableTx(tx, o)
	if err != nil {
		return given, err
	}
	creditID, err := s.creditForTx(tx, o, back, to, by)
	if err != nil {
		return given, err
	}
	for i := range back {
		back[i].reason, back[i].by, back[i].creditID = reason, by, creditID
	}
	return s.refundAllTx(tx, back)
}

// refundAllTx promises all before it sends any: what is back at once ends the
// order only if nothing else is under way.
func (s *Service) refundAllTx(tx *db.Tx, back []giveBack) (given money.Amount, err error) {
	promised := make([]payment.Refund, len(back))
	for i, g := range back {
		if promised[i], err = promiseTx(tx, g); err != nil {
			return given, err
		}
		given = money.Of(given.Minor+g.amount.Minor, g.amount.Currency)
	}
	for _, r := range promised {
		if err := s.sendTx(tx, r); err != nil {
			return given, err
		}
	}
	return given, nil
}

// refundableTx lists what an order's payments still hold; that there is
// nothing is nothing_to_refund.
func refundableTx(tx *db.Tx, o order.Order) (back []giveBack, err error) {
	payments, err := payment.OfOrderTx(tx, o.MerchantID, o.ID)
	if err != nil {
		return nil, err
	}
	aside, err := payment.SetAsideTx(tx, o.MerchantID, o.ID)
	if err != nil {
		return nil, err
	}
	for _, p := range payments {
		if left := p.Received - p.Refunded - aside[p.ID]; left > 0 {
			back = append(back, giveBack{payment: p, amount: money.Of(left, p.Amount.Currency), source: ledger.Sales})
		}
	}
	if len(back) == 0 {
		return nil, errs.New(errs.Conflict, "nothing_to_refund", "nothing of this order is left to give back")
	}
	return back, nil
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
		if err := repromiseTx(tx, r, p); err != nil {
			return err
		}
	}
	if err := bookRefundTx(tx, r, p); err != nil {
		return err
	}
	fault.Point("checkout.refund.booked")
	return orderRefundedTx(tx, r)
}

// repromiseTx undoes refundBrokenTx: the promise, its booking, the open case.
func repromiseTx(tx *db.Tx, r payment.Refund, p payment.Payment) error {
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
	if err != nil || o.Status != order.Held || reserves(o) {
		return err
	}
	_, err = order.MoveTx(tx, o, order.Refunding, order.Change{})
	return err
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
