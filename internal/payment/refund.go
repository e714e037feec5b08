package payment

import (
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
)

// RefundStatus is where one of our refunds stands.
type RefundStatus string

// The states of a refund: requested (to be sent), processing (the platform has
// it), succeeded, failed (a person must look).
const (
	RefundRequested RefundStatus = "requested"
	RefundPending   RefundStatus = "processing"
	RefundDone      RefundStatus = "succeeded"
	RefundBroken    RefundStatus = "failed"
)

// Ended tells whether a refund needs no more work.
func (s RefundStatus) Ended() bool { return s == RefundDone || s == RefundBroken }

// Refund gives back part or all of a payment.
type Refund struct {
	ID         id.ID
	MerchantID id.ID
	OrderID    id.ID
	PaymentID  id.ID
	No         string // the platform's out_refund_no
	Amount     money.Amount
	Status     RefundStatus
	Reason     string
	Source     string // the ledger's account that the money leaves: sales or suspense
	ByStaff    bool   // a person decided it; otherwise the shop did
	CreditID   id.ID  // the credit account that it goes to; zero: back the way it came
	NextTryAt  time.Time
	Tries      int
	CreatedAt  time.Time
	DoneAt     time.Time
}

// ErrRefundUnknown says that there is no such refund.
var ErrRefundUnknown = errs.New(errs.NotFound, "refund_unknown", "there is no such refund")

const refundColumns = `id, merchant_id, order_id, payment_id, refund_no, amount, currency, status, reason, source,
	by_staff, next_try_at, tries, created_at, done_at, credit_id`

func scanRefund(rows db.Rows) (Refund, error) {
	var r Refund
	var currency, status string
	var next, created, done db.Time
	var byStaff int64
	err := rows.Scan(&r.ID, &r.MerchantID, &r.OrderID, &r.PaymentID, &r.No, &r.Amount.Minor, &currency, &status,
		&r.Reason, &r.Source, &byStaff, &next, &r.Tries, &created, &done, &r.CreditID)
	r.Amount.Currency, r.Status, r.ByStaff = money.Currency(currency), RefundStatus(status), byStaff == 1
	r.NextTryAt, r.CreatedAt, r.DoneAt = next.Time, created.Time, done.Time
	return r, err
}

// QueueHead is how long a new refund is left to the job queue before the sweep
// takes it up.
const QueueHead = 15 * time.Second

// InsertRefundTx writes a new refund. The caller enqueues the job that sends
// it; if the queue loses the job, a sweep finds the refund after QueueHead.
func InsertRefundTx(tx *db.Tx, r Refund) error {
	_, err := tx.Exec(`INSERT INTO refunds (id, merchant_id, order_id, payment_id, refund_no, amount, currency,
		status, reason, source, by_staff, next_try_at, created_at, credit_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		r.ID, r.MerchantID, r.OrderID, r.PaymentID, r.No, r.Amount.Minor, string(r.Amount.Currency),
		string(RefundRequested), r.Reason, r.Source, bit(r.ByStaff), db.Millis(tx.Now().Add(QueueHead)), db.Millis(tx.Now()), r.CreditID)
	return err
}

// RefundByNoTx reads a refund by the number that the platform knows.
func RefundByNoTx(tx *db.Tx, refundNo string) (Refund, error) {
	return oneRefund(db.Collect(tx, scanRefund, `SELECT `+refundColumns+` FROM refunds WHERE refund_no = $1`, refundNo))
}

// RefundTx reads a refund.
func RefundTx(tx *db.Tx, merchantID, refundID id.ID) (Refund, error) {
	return oneRefund(db.Collect(tx, scanRefund, `SELECT `+refundColumns+` FROM refunds WHERE id = $1 AND merchant_id = $2`,
		refundID, merchantID))
}

func oneRefund(found []Refund, err error) (Refund, error) {
	if err != nil {
		return Refund{}, err
	}
	if len(found) == 0 {
		return Refund{}, ErrRefundUnknown
	}
	return found[0], nil
}

// RefundsOfTx reads an order's refunds, the oldest first.
func RefundsOfTx(tx *db.Tx, merchantID, orderID id.ID) ([]Refund, error) {
	return db.Collect(tx, scanRefund, `SELECT `+refundColumns+` FROM refunds
		WHERE order_id = $1 AND merchant_id = $2 ORDER BY id`, orderID, merchantID)
}

// DueRefundsTx returns refunds that should be sent or asked about now, of all
// merchants, the longest due first.
func DueRefundsTx(tx *db.Tx, limit int) ([]Refund, error) {
	return db.Collect(tx, scanRefund, `SELECT `+refundColumns+` FROM refunds
		WHERE next_try_at IS NOT NULL AND next_try_at <= $1 ORDER BY next_try_at LIMIT $2`,
		db.Millis(tx.Now()), limit)
}

// MoveRefundTx sets a refund's state and when to look again; zero: never. It
// reports whether the refund still stood in r.Status.
func MoveRefundTx(tx *db.Tx, r Refund, to RefundStatus, refundID string, next time.Time) (moved bool, err error) {
	var done any
	if to.Ended() {
		done = db.Millis(tx.Now())
	}
	changed, err := tx.Exec(`UPDATE refunds SET status = $1, refund_id = CASE WHEN $2 = '' THEN refund_id ELSE $3 END,
		next_try_at = $4, tries = tries + 1, done_at = $5 WHERE id = $6 AND merchant_id = $7 AND status = $8`,
		string(to), refundID, refundID, db.Millis(next), done, r.ID, r.MerchantID, string(r.Status))
	return changed == 1, err
}

// HurryRefundTx brings the next question about an unfinished refund forward to
// now.
func HurryRefundTx(tx *db.Tx, r Refund) error {
	now := db.Millis(tx.Now())
	_, err := tx.Exec(`UPDATE refunds SET next_try_at = $1 WHERE id = $2 AND merchant_id = $3 AND next_try_at > $4`,
		now, r.ID, r.MerchantID, now)
	return err
}
