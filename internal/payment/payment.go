package payment

import (
	"errors"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
)

// Status is where one of our payments stands.
type Status string

// The states of the diagram in doc.go.
const (
	Creating Status = "creating"
	Open     Status = "open"
	Paid     Status = "paid"
	Closed   Status = "closed"
	Held     Status = "held"
)

// Payment is one attempt to pay an order through one account.
type Payment struct {
	ID            id.ID
	MerchantID    id.ID
	OrderID       id.ID
	AccountID     id.ID
	No            string // the platform's out_trade_no
	Provider      string
	Method        string
	Status        Status
	Amount        money.Amount
	Received      int64  // minor units that the platform says it took
	Refunded      int64  // minor units given back or promised back
	CodeURL       string // what the buyer needs to pay; read it by Instruction
	TransactionID string
	SettledBy     string // "callback", "query", "close"
	NextQueryAt   time.Time
	LastQueryAt   time.Time
	Queries       int
	CreatedAt     time.Time
	PaidAt        time.Time
	ClosedAt      time.Time
	Counted       bool // counts towards a limit a day; only InsertTx looks at it
}

// ErrUnknown says that no payment has this number.
var ErrUnknown = errs.New(errs.NotFound, "payment_unknown", "there is no such payment")

const columns = `id, merchant_id, order_id, account_id, payment_no, provider, method, status, amount, currency,
	received, refunded, code_url, transaction_id, settled_by, next_query_at, last_query_at, queries, created_at, paid_at, closed_at`

func scan(rows db.Rows) (Payment, error) {
	var p Payment
	var status, currency string
	var next, last, created, paid, closed db.Time
	err := rows.Scan(&p.ID, &p.MerchantID, &p.OrderID, &p.AccountID, &p.No, &p.Provider, &p.Method, &status,
		&p.Amount.Minor, &currency, &p.Received, &p.Refunded, &p.CodeURL, &p.TransactionID, &p.SettledBy,
		&next, &last, &p.Queries, &created, &paid, &closed)
	p.Status, p.Amount.Currency = Status(status), money.Currency(currency)
	p.NextQueryAt, p.LastQueryAt, p.CreatedAt, p.PaidAt, p.ClosedAt = next.Time, last.Time, created.Time, paid.Time, closed.Time
	return p, err
}

// InsertTx writes a new payment.
func InsertTx(tx *db.Tx, p Payment) error {
	_, err := tx.Exec(`INSERT INTO payments (id, merchant_id, order_id, account_id, payment_no, provider, method,
		status, amount, currency, next_query_at, created_at, counted)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		p.ID, p.MerchantID, p.OrderID, p.AccountID, p.No, p.Provider, p.Method, string(p.Status),
		p.Amount.Minor, string(p.Amount.Currency), db.Millis(p.NextQueryAt), db.Millis(tx.Now()), bit(p.Counted))
	return err
}

func one(found []Payment, err error) (Payment, error) {
	if err != nil {
		return Payment{}, err
	}
	if len(found) == 0 {
		return Payment{}, ErrUnknown
	}
	return found[0], nil
}

// ByNoTx reads the payment with a number, of any merchant: a callback names
// only the number, and the caller compares account and merchant.
func ByNoTx(tx *db.Tx, paymentNo string) (Payment, error) {
	return one(db.Collect(tx, scan, `SELECT `+columns+` FROM payments WHERE payment_no = $1`, paymentNo))
}

// ByIDTx reads a payment.
func ByIDTx(tx *db.Tx, merchantID, paymentID id.ID) (Payment, error) {
	return one(db.Collect(tx, scan, `SELECT `+columns+` FROM payments WHERE id = $1 AND merchant_id = $2`,
		paymentID, merchantID))
}

// OfOrderTx reads an order's payments, the oldest first.
func OfOrderTx(tx *db.Tx, merchantID, orderID id.ID) ([]Payment, error) {
	return db.Collect(tx, scan, `SELECT `+columns+` FROM payments WHERE order_id = $1 AND merchant_id = $2 ORDER BY id`,
		orderID, merchantID)
}

// DueTx returns payments whose platform should be asked now, of all merchants,
// the longest due first.
func DueTx(tx *db.Tx, limit int) ([]Payment, error) {
	return db.Collect(tx, scan, `SELECT `+columns+` FROM payments
		WHERE next_query_at IS NOT NULL AND next_query_at <= $1 ORDER BY next_query_at LIMIT $2`,
		db.Millis(tx.Now()), limit)
}

// OpenedTx notes that the platform accepted a payment. A payment that moved on
// meanwhile keeps its state.
func OpenedTx(tx *db.Tx, p Payment, i Instruction) error {
	text, err := i.text(p.Method)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE payments SET status = 'open', code_url = $1
		WHERE id = $2 AND merchant_id = $3 AND status IN ('creating', 'open')`, text, p.ID, p.MerchantID)
	return err
}

// Settlement is what settling writes into a payment.
type Settlement struct {
	Status        Status // Paid or Held
	Received      int64
	TransactionID string
	By            string
	PaidAt        time.Time
}

// SettledTx notes that money came, and ends the questions to the platform. The
// transaction that came first stays the payment's.
func SettledTx(tx *db.Tx, p Payment, s Settlement) error {
	_, err := tx.Exec(`UPDATE payments SET status = $1, received = $2,
		transaction_id = CASE WHEN transaction_id = '' THEN $3 ELSE transaction_id END, settled_by = $4,
		paid_at = $5, next_query_at = NULL WHERE id = $6 AND merchant_id = $7`,
		string(s.Status), s.Received, s.TransactionID, s.By, db.Millis(s.PaidAt), p.ID, p.MerchantID)
	return err
}

// ClosedTx notes that a payment cannot be paid any more. next is when to ask
// once more all the same; the zero time: never.
func ClosedTx(tx *db.Tx, p Payment, next time.Time) error {
	_, err := tx.Exec(`UPDATE payments SET status = 'closed', closed_at = COALESCE(closed_at, $1), next_query_at = $2
		WHERE id = $3 AND merchant_id = $4 AND status IN ('creating', 'open', 'closed')`,
		db.Millis(tx.Now()), db.Millis(next), p.ID, p.MerchantID)
	return err
}

// AskedTx notes a question to the platform and when to ask again; the zero
// time: never.
func AskedTx(tx *db.Tx, p Payment, next time.Time) error {
	_, err := tx.Exec(`UPDATE payments SET last_query_at = $1, queries = queries + 1, next_query_at = $2
		WHERE id = $3 AND merchant_id = $4 AND status IN ('creating', 'open', 'closed')`,
		db.Millis(tx.Now()), db.Millis(next), p.ID, p.MerchantID)
	return err
}

// HasTransactionTx tells whether an account's transaction was claimed before.
func HasTransactionTx(tx *db.Tx, p Payment, transactionID string) (bool, error) {
	var n int64
	err := tx.Get([]any{&n}, `SELECT COUNT(*) FROM payment_transactions
		WHERE provider = $1 AND account_id = $2 AND transaction_id = $3`, p.Provider, p.AccountID, transactionID)
	return n > 0, err
}

// PostponeTx moves the next question without one having been asked.
func PostponeTx(tx *db.Tx, p Payment, next time.Time) error {
	_, err := tx.Exec(`UPDATE payments SET next_query_at = $1
		WHERE id = $2 AND merchant_id = $3 AND next_query_at IS NOT NULL`, db.Millis(next), p.ID, p.MerchantID)
	return err
}

// HurryTx brings the next question forward to now, unless the platform was
// asked within the last gap.
func HurryTx(tx *db.Tx, merchantID, orderID id.ID, gap time.Duration) (hurried bool, err error) {
	now := tx.Now()
	changed, err := tx.Exec(`UPDATE payments SET next_query_at = $1
		WHERE order_id = $2 AND merchant_id = $3 AND status IN ('creating', 'open')
		AND next_query_at > $4 AND COALESCE(last_query_at, created_at) <= $5`,
		db.Millis(now), orderID, merchantID, db.Millis(now), db.Millis(now.Add(-gap)))
	return changed > 0, err
}

// PromiseRefundTx notes that part of what was received is given back; it fails
// with ErrRefundTooMuch if that is more than is left.
func PromiseRefundTx(tx *db.Tx, p Payment, minor int64) error {
	changed, err := tx.Exec(`UPDATE payments SET refunded = refunded + $1
		WHERE id = $2 AND merchant_id = $3 AND refunded + $4 <= received`, minor, p.ID, p.MerchantID, minor)
	if err == nil && changed != 1 {
		return ErrRefundTooMuch
	}
	return err
}

// TakeBackRefundTx undoes PromiseRefundTx: the platform refused, the money is
// still here.
func TakeBackRefundTx(tx *db.Tx, r Refund) error {
	_, err := tx.Exec(`UPDATE payments SET refunded = refunded - $1 WHERE id = $2 AND merchant_id = $3`,
		r.Amount.Minor, r.PaymentID, r.MerchantID)
	return err
}

// AcceptedTx notes that a person took a held payment's money as good.
func AcceptedTx(tx *db.Tx, p Payment) error {
	_, err := tx.Exec(`UPDATE payments SET status = 'paid' WHERE id = $1 AND merchant_id = $2 AND status = 'held'`,
		p.ID, p.MerchantID)
	return err
}

// TotalTx is what a payment comes to at the platform: what its first
// transaction took, which may differ from what was asked.
func TotalTx(tx *db.Tx, p Payment) (money.Amount, error) {
	total := money.Of(0, p.Amount.Currency)
	err := tx.Get([]any{&total.Minor}, `SELECT amount FROM payment_transactions
		WHERE provider = $1 AND account_id = $2 AND transaction_id = $3 AND merchant_id = $4 AND currency = $5`,
		p.Provider, p.AccountID, p.TransactionID, p.MerchantID, string(p.Amount.Currency))
	if errors.Is(err, db.ErrNoRows) {
		return money.Of(p.Received, p.Amount.Currency), nil
	}
	return total, err
}

// ErrRefundTooMuch says that a refund exceeds what is left of a payment.
var ErrRefundTooMuch = errs.Field("amount", "refund_too_much", "more than what was paid cannot be given back")

// TransactionTx claims a platform's transaction for a payment, once for ever.
// It returns the payment that has it: p's own id and fresh = true the first
// time.
func TransactionTx(tx *db.Tx, p Payment, r Report) (owner id.ID, fresh bool, err error) {
	inserted, err := tx.Exec(`INSERT INTO payment_transactions
		(provider, account_id, transaction_id, merchant_id, payment_id, amount, currency, created_at, paid_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (provider, account_id, transaction_id) DO NOTHING`,
		p.Provider, p.AccountID, r.TransactionID, p.MerchantID, p.ID, r.Amount.Minor, string(r.Amount.Currency),
		db.Millis(tx.Now()), db.Millis(r.PaidAt))
	if err != nil || inserted == 1 {
		return p.ID, inserted == 1, err
	}
	err = tx.Get([]any{&owner}, `SELECT payment_id FROM payment_transactions
		WHERE provider = $1 AND account_id = $2 AND transaction_id = $3`, p.Provider, p.AccountID, r.TransactionID)
	if errors.Is(err, db.ErrNoRows) {
		return id.ID{}, false, errs.New(errs.Integrity, "transaction_lost", "a transaction is taken by nobody")
	}
	return owner, false, err
}

// Told is how the shop learned of its recent payments.
type Told struct {
	ByCallback int64
	ByQuery    int64 // by asking: the sweep, or closing
	OpenHolds  int64
}

// CallbacksBroken tells whether payments were settled, and every one of them
// had to be asked for.
func (t Told) CallbacksBroken() bool { return t.ByCallback == 0 && t.ByQuery > 0 }

// begun is how long before it is paid a payment begins at most: an order waits
// a day for its money. What came later still is not counted.
const begun = 2 * 24 * time.Hour

// ToldTx counts the payments of all merchants since a time, and the open cases
// of the hold desk. It looks only at payments that began recently: their ids
// are in the order of time, and no other index would pay for itself.
func ToldTx(tx *db.Tx, since time.Time) (Told, error) {
	var t Told
	err := tx.Get([]any{&t.ByCallback, &t.ByQuery, &t.OpenHolds}, `SELECT
		COALESCE(SUM(CASE WHEN settled_by = 'callback' THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN settled_by IN ('query', 'close') THEN 1 ELSE 0 END), 0),
		(SELECT COUNT(*) FROM holds WHERE resolved_at IS NULL)
		FROM payments WHERE id >= $1 AND paid_at >= $2`, id.Lowest(since.Add(-begun)), db.Millis(since))
	return t, err
}
