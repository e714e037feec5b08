package checkout

import (
	"context"
	"errors"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
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
	in := settling{account, r, by, originOf(ctx)}
	var res settleResult
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		res = s.settleTx(tx, []settling{in})[0]
		return res.err
	})
	if err != nil {
		return Ignored, err
	}
	fault.Point("checkout.settle.committed")
	if res.outcome == HeldMoney {
		s.log.Error("money held", "reason", res.reason, "payment_no", r.PaymentNo, "account", account.ID.String(), "by", by)
	}
	return res.outcome, nil
}

// settleTx settles a batch of reports. An item that fails has an error in its
// result and must not be committed.
func (s *Service) settleTx(tx *db.Tx, batch []settling) []settleResult {
	results := make([]settleResult, len(batch))
	for i, in := range batch {
		results[i] = s.settleOneTx(tx, in)
	}
	return results
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
	}
	return ""
}
