package checkout

import (
	"context"
	"errors"
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

// refundTx promises money of a payment back: the refund, its booking and the
// job that sends it. It does not move the order.
func (s *Service) refundTx(tx *db.Tx, o order.Order, p payment.Payment, minor int64, reason string) error {
	if err := payment.PromiseRefundTx(tx, p, minor); err != nil {
		return err
	}
	r := payment.Refund{
		ID: id.New(), MerchantID: p.MerchantID, OrderID: p.OrderID, PaymentID: p.ID,
		No: id.Number("R", tx.Now().In(shopZone())), Amount: money.Of(minor, p.Amount.Currency), Reason: reason,
	}
	if err := payment.InsertRefundTx(tx, r); err != nil {
		return err
	}
	from := ledger.RefundsDue
	to := ledger.Sales
	if p.Status == payment.Held {
		to = ledger.Suspense
	}
	if err := ledger.PostTx(tx, ledger.Transfer(p.MerchantID, "refund_due", r.ID, from, to, r.Amount)); err != nil {
		return err
	}
	if err := jobs.EnqueueTx(tx, p.MerchantID, RefundJob, r.ID); err != nil {
		return err
	}
	fault.Point("checkout.refund.promised")
	actor, request := audit.System(), ""
	return audit.RecordTx(tx, audit.Record{
		MerchantID: p.MerchantID, Actor: actor, Action: "refund.promised", SubjectKind: "order", SubjectID: o.ID,
		Detail: map[string]string{"refund_no": r.No, "amount": r.Amount.String(), "reason": reason}, RequestID: request,
	})
}

// RefundOrder gives back all that an order's payments still hold, and moves
// the order to refunding.
func (s *Service) RefundOrder(ctx context.Context, merchantID id.ID, orderNo, reason string) (View, error) {
	if reason == "" || len(reason) > 200 {
		return View{}, errs.Field("reason", "out_of_range", "a reason has 1 to 200 bytes")
	}
	var v View
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		o, err := order.ByNoTx(tx, merchantID, orderNo)
		if err != nil {
			return err
		}
		if err := recordStaffTx(ctx, tx, o, "order.refund_ordered", map[string]string{"reason": reason}); err != nil {
			return err
		}
		if o, err = order.MoveTx(tx, o, order.Refunding, order.Change{}); err != nil {
			return err
		}
		if err := s.refundAllTx(tx, o, reason); err != nil {
			return err
		}
		v, err = viewTx(tx, o)
		return err
	})
	return v, err
}

func (s *Service) refundAllTx(tx *db.Tx, o order.Order, reason string) error {
	payments, err := payment.OfOrderTx(tx, o.MerchantID, o.ID)
	if err != nil {
		return err
	}
	any := false
	for _, p := range payments {
		if left := p.Received - p.Refunded; left > 0 {
			any = true
			if err := s.refundTx(tx, o, p, left, reason); err != nil {
				return err
			}
		}
	}
	if !any {
		return errs.New(errs.Conflict, "nothing_to_refund", "nothing of this order is left to give back")
	}
	return nil
}

// SendRefund is the handler of RefundJob: it moves one refund on by one
// question to its platform. What is not final yet is found by the sweep.
func (s *Service) SendRefund(ctx context.Context, j jobs.Job) error {
	var r payment.Refund
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		r, err = payment.RefundTx(tx, j.MerchantID, j.SubjectID)
		return err
	})
	if err != nil || r.NextTryAt.IsZero() {
		return err
	}
	return s.pushRefund(ctx, r)
}

// pushRefund tells or asks the platform about a refund and writes down what it
// says. Failures leave the refund due again.
func (s *Service) pushRefund(ctx context.Context, r payment.Refund) error {
	var p payment.Payment
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		p, err = payment.ByIDTx(tx, r.MerchantID, r.PaymentID)
		return err
	})
	if err != nil {
		return err
	}
	_, provider, err := s.providers.Provider(ctx, p.AccountID)
	if err != nil {
		return err
	}
	report, err := askRefund(ctx, provider, r, p)
	fault.Point("checkout.refund.platform-answered")
	switch {
	case errors.Is(err, payment.ErrRejected):
		report = payment.RefundReport{State: payment.RefundFailed, RefundNo: r.No, Amount: r.Amount}
		s.log.Error("refund refused", "refund_no", r.No, "error", err)
	case err != nil:
		s.log.Warn("refund not sent", "refund_no", r.No, "code", errs.CodeOf(err), "error", err)
		report = payment.RefundReport{}
	}
	return s.noteRefund(ctx, r, report)
}

func askRefund(ctx context.Context, provider payment.Provider, r payment.Refund, p payment.Payment) (payment.RefundReport, error) {
	if r.Status == payment.RefundPending {
		report, err := provider.QueryRefund(ctx, r.No)
		if !errors.Is(err, payment.ErrNotFound) {
			return report, err
		}
	}
	return provider.Refund(ctx, payment.RefundRequest{
		RefundNo: r.No, PaymentNo: p.No, Amount: r.Amount,
		Total: money.Of(p.Received, p.Amount.Currency), Reason: r.Reason,
	})
}

// noteRefund writes what a platform said of a refund. An empty state is
// "unknown": the refund stays and is due again.
func (s *Service) noteRefund(ctx context.Context, r payment.Refund, report payment.RefundReport) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		switch report.State {
		case payment.RefundSucceeded:
			return s.refundDoneTx(tx, r, report)
		case payment.RefundFailed:
			return s.refundBrokenTx(tx, r, report)
		case payment.RefundProcessing:
			_, err := payment.MoveRefundTx(tx, r, payment.RefundPending, report.RefundID, refundRetry(tx.Now(), r.Tries))
			return err
		}
		_, err := payment.MoveRefundTx(tx, r, r.Status, "", refundRetry(tx.Now(), r.Tries))
		return err
	})
}

// refundRetry spaces the questions about a refund: 2 s, 4 s, … 10 min.
func refundRetry(now time.Time, tries int) time.Time {
	return now.Add(min(2*time.Second<<min(tries, 20), 10*time.Minute))
}

func (s *Service) refundDoneTx(tx *db.Tx, r payment.Refund, report payment.RefundReport) error {
	moved, err := payment.MoveRefundTx(tx, r, payment.RefundDone, report.RefundID, time.Time{})
	if err != nil || !moved {
		return err
	}
	p, err := payment.ByIDTx(tx, r.MerchantID, r.PaymentID)
	if err != nil {
		return err
	}
	if err := ledger.PostTx(tx, ledger.Transfer(r.MerchantID, "refund_paid", r.ID,
		ledger.Provider(p.AccountID), ledger.RefundsDue, r.Amount)); err != nil {
		return err
	}
	fault.Point("checkout.refund.booked")
	return s.orderRefundedTx(tx, r)
}

// orderRefundedTx moves an order to refunded when its last refund is done.
func (s *Service) orderRefundedTx(tx *db.Tx, r payment.Refund) error {
	o, err := order.ByIDTx(tx, r.MerchantID, r.OrderID)
	if err != nil {
		return err
	}
	refunds, err := payment.RefundsOfTx(tx, r.MerchantID, r.OrderID)
	if err != nil {
		return err
	}
	for _, other := range refunds {
		if other.Status != payment.RefundDone {
			return nil
		}
	}
	if o.Status == order.Refunding {
		if o, err = order.MoveTx(tx, o, order.Refunded, order.Change{}); err != nil {
			return err
		}
	}
	return audit.RecordTx(tx, audit.Record{
		MerchantID: o.MerchantID, Actor: audit.System(), Action: "refund.done", SubjectKind: "order", SubjectID: o.ID,
		Detail: map[string]string{"refund_no": r.No, "amount": r.Amount.String()},
	})
}

// refundBrokenTx lays a refund that the platform refused on the hold desk.
func (s *Service) refundBrokenTx(tx *db.Tx, r payment.Refund, report payment.RefundReport) error {
	moved, err := payment.MoveRefundTx(tx, r, payment.RefundBroken, report.RefundID, time.Time{})
	if err != nil || !moved {
		return err
	}
	if err := payment.HoldTx(tx, payment.Hold{
		MerchantID: r.MerchantID, OrderID: r.OrderID, PaymentID: r.PaymentID, Reason: "refund_failed",
		Detail: "refund " + r.No + " of " + r.Amount.String(),
	}); err != nil {
		return err
	}
	o, err := order.ByIDTx(tx, r.MerchantID, r.OrderID)
	if err != nil || o.Status != order.Refunding {
		return err
	}
	_, err = order.MoveTx(tx, o, order.Held, order.Change{Reason: "refund_failed"})
	return err
}

// SettleRefund takes a platform's verified word about a refund, told through
// account. Repeats have one effect.
func (s *Service) SettleRefund(ctx context.Context, account payment.Account, report payment.RefundReport) error {
	var r payment.Refund
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		if r, err = payment.RefundByNoTx(tx, report.RefundNo); err != nil {
			return err
		}
		p, err := payment.ByIDTx(tx, r.MerchantID, r.PaymentID)
		if err == nil && p.AccountID != account.ID {
			err = payment.ErrRefundUnknown
		}
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case report.Amount != r.Amount:
		return s.holdRefund(ctx, r, report)
	case r.Status == payment.RefundDone || r.Status == payment.RefundBroken:
		return nil
	}
	return s.noteRefund(ctx, r, report)
}

// holdRefund lays a platform's word about a refund that was never asked for so
// on the hold desk, once.
func (s *Service) holdRefund(ctx context.Context, r payment.Refund, report payment.RefundReport) error {
	h := payment.Hold{
		MerchantID: r.MerchantID, OrderID: r.OrderID, PaymentID: r.PaymentID, Reason: "refund_mismatch",
		Detail: "refund " + r.No + " of " + r.Amount.String() + ", told as " + report.Amount.String(),
	}
	s.log.Error("refund does not fit", "refund_no", r.No)
	return s.db.Update(ctx, func(tx *db.Tx) error {
		if known, err := payment.HasHoldTx(tx, h); err != nil || known {
			return err
		}
		return payment.HoldTx(tx, h)
	})
}
