package checkout

import (
	"context"
	"errors"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/jobs"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
)

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
// says. Failures leave the refund due again, after a pause.
func (s *Service) pushRefund(ctx context.Context, r payment.Refund) error {
	report, err := s.askRefund(ctx, r)
	fault.Point("checkout.refund.platform-answered")
	switch {
	case errors.Is(err, payment.ErrRejected):
		report = payment.RefundReport{State: payment.RefundFailed, RefundNo: r.No, Amount: r.Amount}
		s.log.Error("refund refused", "refund_no", r.No, "error", err)
	case err != nil:
		s.log.Warn("refund not sent", "refund_no", r.No, "code", errs.CodeOf(err), "error", err)
		report = payment.RefundReport{}
	case report.State == payment.RefundSucceeded && report.Amount != r.Amount:
		if err := s.holdRefund(ctx, r, report); err != nil {
			return err
		}
		report = payment.RefundReport{}
	}
	return s.noteRefund(ctx, r, report)
}

// askRefund asks for a refund. One that was sent before is asked about first,
// so that ErrRejected always means that the platform never took it.
func (s *Service) askRefund(ctx context.Context, r payment.Refund) (payment.RefundReport, error) {
	var p payment.Payment
	var total money.Amount
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		if p, err = payment.ByIDTx(tx, r.MerchantID, r.PaymentID); err != nil {
			return err
		}
		total, err = payment.TotalTx(tx, p)
		return err
	})
	if err != nil {
		return payment.RefundReport{}, err
	}
	_, provider, err := s.platform(ctx, p.AccountID)
	if err != nil {
		return payment.RefundReport{}, err
	}
	if r.Tries > 0 {
		report, err := provider.QueryRefund(ctx, p.No, r.No)
		if errors.Is(err, payment.ErrRejected) { // the question was, not the refund
			return report, errs.Wrap(errors.New(err.Error()), errs.Unavailable, "refund_unknown_state", "the platform does not tell of this refund")
		}
		if !errors.Is(err, payment.ErrNotFound) {
			return report, err
		}
	}
	return provider.Refund(ctx, payment.RefundRequest{
		RefundNo: r.No, PaymentNo: p.No, Amount: r.Amount, Total: total, Reason: r.Reason, NotifyURL: s.cfg.notifyURL(p),
	})
}

// noteRefund writes what a platform said of a refund. An empty state is
// "unknown": the refund stays and is due again.
func (s *Service) noteRefund(ctx context.Context, r payment.Refund, report payment.RefundReport) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		if err := order.LockTx(tx, r.OrderID); err != nil {
			return err
		}
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

// SettleRefund takes a platform's verified word about a refund, told through
// account. Repeats have one effect.
func (s *Service) SettleRefund(ctx context.Context, account payment.Account, report payment.RefundReport) error {
	r, err := s.refundAt(ctx, account, report.RefundNo)
	if err != nil {
		return err
	}
	switch {
	case report.Amount != r.Amount:
		return s.holdRefund(ctx, r, report)
	case r.Status == payment.RefundDone, r.Status == payment.RefundBroken && report.State != payment.RefundSucceeded:
		return nil
	}
	err = s.noteRefund(ctx, r, report)
	if errors.Is(err, payment.ErrRefundTooMuch) {
		return s.holdRefund(ctx, r, report) // refused, given back otherwise, and now done all the same
	}
	return err
}

// AskRefund has a platform asked at once about a refund that it says to have
// news of, told through account. One that is not ours, made in the platform's
// own console, or is through, needs no question.
func (s *Service) AskRefund(ctx context.Context, account payment.Account, refundNo string) error {
	r, err := s.refundAt(ctx, account, refundNo)
	switch {
	case errors.Is(err, payment.ErrRefundUnknown):
		s.log.Warn("news of a refund that is not ours", "account", account.ID.String())
		return nil
	case err != nil || r.NextTryAt.IsZero():
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error { return payment.HurryRefundTx(tx, r) })
}

// refundAt finds a refund that went through account.
func (s *Service) refundAt(ctx context.Context, account payment.Account, refundNo string) (r payment.Refund, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		if r, err = payment.RefundByNoTx(tx, refundNo); err != nil {
			return err
		}
		p, err := payment.ByIDTx(tx, r.MerchantID, r.PaymentID)
		if err == nil && p.AccountID != account.ID {
			err = payment.ErrRefundUnknown
		}
		return err
	})
	return r, err
}

// holdRefund lays a platform's word about a refund that was never asked for so
// on the hold desk, once.
func (s *Service) holdRefund(ctx context.Context, r payment.Refund, report payment.RefundReport) error {
	h := payment.Hold{
		MerchantID: r.MerchantID, OrderID: r.OrderID, PaymentID: r.PaymentID, RefundID: r.ID, Amount: report.Amount,
		Reason: payment.RefundMismatchHold,
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
