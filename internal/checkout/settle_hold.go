package checkout

import (
	"errors"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/ledger"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// holdMismatchTx books money that does not fit its payment as suspense, and
// holds the order if it still waits for money: nothing is delivered until a
// person decided.
func (s *Service) holdMismatchTx(tx *db.Tx, in settling, p payment.Payment, reason string) settleResult {
	err := errors.Join(
		payment.SettledTx(tx, p, payment.Settlement{
			Status: heldOrPaid(p), Received: p.Received + countable(in, p), TransactionID: in.report.TransactionID,
			By: in.by, PaidAt: tx.Now(),
		}),
		ledger.PostTx(tx, ledger.Transfer(p.MerchantID, "suspense/"+in.report.TransactionID, p.ID,
			ledger.Suspense, ledger.Provider(p.AccountID), in.report.Amount)),
		payment.HoldTx(tx, payment.Hold{
			MerchantID: p.MerchantID, OrderID: p.OrderID, PaymentID: p.ID, Reason: reason, Amount: in.report.Amount,
			Detail: "received " + in.report.Amount.String() + ", expected " + p.Amount.String() +
				", transaction " + in.report.TransactionID,
		}),
	)
	if err != nil {
		return settleResult{err: err}
	}
	o, err := order.ByIDTx(tx, p.MerchantID, p.OrderID)
	if err != nil {
		return settleResult{err: err}
	}
	if o.Status == order.Pending {
		if _, err := order.MoveTx(tx, o, order.Held, order.Change{Reason: reason, PaidAt: tx.Now()}); err != nil {
			return settleResult{err: err}
		}
	}
	err = audit.RecordTx(tx, record(o, in, "order.money_held", p))
	return settleResult{outcome: HeldMoney, reason: reason, err: err}
}

// countable is how much of a report counts as received: money of another
// currency is in the books and on the hold desk, but cannot pay the order or be
// refunded through this payment.
func countable(in settling, p payment.Payment) int64 {
	if in.report.Amount.Currency != p.Amount.Currency {
		return 0
	}
	return in.report.Amount.Minor
}

// heldOrPaid keeps a payment that was paid in full once as paid.
func heldOrPaid(p payment.Payment) payment.Status {
	if p.Status == payment.Paid {
		return payment.Paid
	}
	return payment.Held
}

// holdStrayTx records verified money that fits none of the account's payments,
// once for each transaction.
func holdStrayTx(tx *db.Tx, in settling, reason string) settleResult {
	h := payment.Hold{
		MerchantID: in.account.MerchantID, Reason: reason, Amount: in.report.Amount,
		Detail: "payment " + in.report.PaymentNo + ", transaction " + in.report.TransactionID +
			", " + in.report.Amount.String(),
	}
	known, err := payment.HasHoldTx(tx, h)
	if err != nil {
		return settleResult{err: err}
	}
	if known {
		return settleResult{outcome: Repeated}
	}
	return settleResult{outcome: HeldMoney, reason: reason, err: payment.HoldTx(tx, h)}
}
