package checkout

import (
	"context"
	"errors"

	"panshi/internal/account"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// Outcome tells what a report of money did.
type Outcome string

// The outcomes of Settle.
const (
	Settled   Outcome = "settled"   // the order is paid, what can be delivered is
	Repeated  Outcome = "repeated"  // told before: no effect
	Late      Outcome = "late"      // the order was closed; its goods were claimed again and delivered
	Refunding Outcome = "refunding" // the money goes back: sold out meanwhile, or paid twice
	HeldMoney Outcome = "held"      // it does not fit; a person must decide
	Ignored   Outcome = "ignored"   // the report says that no money came
)

// settling is one report that a platform made through an account.
type settling struct {
	account payment.Account
	report  payment.Report
	by      string
	origin  origin
	credit  *account.Credit // that paid; nil: a platform tells
}

type settleResult struct {
	outcome Outcome
	reason  string // of a hold
	err     error
}

// Settle is the one door for "money came". r must be the platform's verified
// word, told through account; by names the way: "callback", "query", "close".
// Any number of repeats, in parallel and in any order, has one effect. An error
// means that nothing happened and the platform should tell again.
func (s *Service) Settle(ctx context.Context, account payment.Account, r payment.Report, by string) (Outcome, error) {
	if r.State != payment.StatePaid {
		return Ignored, nil
	}
	if r.TransactionID == "" || r.PaymentNo == "" {
		return Ignored, errs.New(errs.Malformed, "report_incomplete", "the report lacks a transaction or payment number")
	}
	res, err := s.settleAny(ctx, settling{account: account, report: r, by: by, origin: originOf(ctx)})
	if err != nil {
		return Ignored, err
	}
	fault.Point("checkout.settle.committed")
	if res.outcome == HeldMoney {
		s.log.Error("money held", "reason", res.reason, "payment_no", r.PaymentNo, "account", account.ID.String(), "by", by)
	}
	return res.outcome, nil
}

// settleAny settles a report the way that is fastest on the engine, as
// placeAny does with orders.
func (s *Service) settleAny(ctx context.Context, in settling) (settleResult, error) {
	engine, err := s.engine.of(ctx, s.db)
	if err != nil {
		return settleResult{}, err
	}
	if engine == db.Postgres {
		res, err := s.settles.do(ctx, in)
		if err == nil {
			err = res.err
		}
		if !runsAlone(err) {
			return res, err
		}
	}
	var res settleResult
	err = patiently(ctx, func() error {
		return s.db.Update(ctx, func(tx *db.Tx) error {
			res = s.settleOneTx(tx, in)
			return res.err
		})
	})
	return res, err
}

// settleMany settles a batch of reports in one transaction.
func (s *Service) settleMany(ctx context.Context, batch []settling) (results []settleResult, err error) {
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		results, err = s.settleTx(tx, batch)
		return err
	})
	return results, err
}

// settleTx settles a batch of reports. If it fails nothing may be committed;
// an item of several that fails has an error in its result and wrote nothing.
func (s *Service) settleTx(tx *db.Tx, batch []settling) ([]settleResult, error) {
	if len(batch) > 1 {
		return s.settleBatchTx(tx, batch)
	}
	res := s.settleOneTx(tx, batch[0])
	return []settleResult{res}, res.err
}

func (s *Service) settleOneTx(tx *db.Tx, in settling) settleResult {
	p, err := payment.ByNoTx(tx, in.report.PaymentNo)
	switch {
	case errors.Is(err, payment.ErrUnknown):
		return holdStrayTx(tx, in, "payment_unknown")
	case err != nil:
		return settleResult{err: err}
	case p.AccountID != in.account.ID:
		return holdStrayTx(tx, in, "account_mismatch")
	}
	if p, err = lockedTx(tx, p); err != nil {
		return settleResult{err: err}
	}
	owner, fresh, err := payment.TransactionTx(tx, p, in.report)
	switch {
	case err != nil:
		return settleResult{err: err}
	case !fresh && owner == p.ID:
		return settleResult{outcome: Repeated}
	case !fresh:
		return holdStrayTx(tx, in, "transaction_of_other_payment")
	}
	fault.Point("checkout.settle.transaction-claimed")
	if reason := mismatch(in, p); reason != "" {
		return s.holdMismatchTx(tx, in, p, reason)
	}
	return s.acceptTx(tx, in, p)
}

// lockOrderTx locks an order that was read, and gives it as it is then.
func lockOrderTx(tx *db.Tx, o order.Order) (order.Order, error) {
	if tx.Engine() == db.SQLite {
		return o, nil
	}
	if err := order.LockTx(tx, o.ID); err != nil {
		return o, err
	}
	return order.ByIDTx(tx, o.MerchantID, o.ID)
}

// lockedTx locks a payment's order, as whoever moves money or goods of an
// order does first, and gives the payment as it is then.
func lockedTx(tx *db.Tx, p payment.Payment) (payment.Payment, error) {
	if tx.Engine() == db.SQLite {
		return p, nil
	}
	if err := order.LockTx(tx, p.OrderID); err != nil {
		return p, err
	}
	return payment.ByIDTx(tx, p.MerchantID, p.ID)
}

// mismatch names what of a verified report does not fit the payment.
func mismatch(in settling, p payment.Payment) string {
	r := in.report
	switch {
	case r.MerchantRef != in.account.ExternalRef:
		return "merchant_mismatch"
	case in.account.AppRef != "" && r.AppID != in.account.AppRef:
		return "app_mismatch"
	case r.Amount.Currency != p.Amount.Currency:
		return "currency_mismatch"
	case r.Amount.Minor != p.Amount.Minor:
		return "amount_mismatch"
	case p.Status == payment.Paid || p.Status == payment.Held:
		return "second_transaction"
	case r.GivenBack: // not by us: we give back only what we know of
		return "given_back"
	}
	return ""
}
