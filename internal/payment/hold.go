package payment

import (
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
)

// Hold is money that a person must decide about.
type Hold struct {
	ID         id.ID
	MerchantID id.ID
	OrderID    id.ID // zero if the money fits no order
	PaymentID  id.ID
	RefundID   id.ID  // the refund that failed or does not fit; zero for money that came
	Reason     string // "amount_mismatch", "currency_mismatch", "merchant_mismatch", "second_transaction", "given_back", "refund_failed"
	Amount     money.Amount
	Detail     string // for staff; nothing secret
	CreatedAt  time.Time
	ResolvedAt time.Time
	Resolution string
}

// Reasons of cases about refunds; the others are about money that came.
const (
	RefundFailedHold   = "refund_failed"
	RefundMismatchHold = "refund_mismatch"
)

// ErrHoldUnknown says that there is no such open hold.
var ErrHoldUnknown = errs.New(errs.NotFound, "hold_unknown", "there is no such open case on the hold desk")

// HoldTx records a case for the hold desk.
func HoldTx(tx *db.Tx, h Hold) error {
	_, err := tx.Exec(`INSERT INTO holds (id, merchant_id, order_id, payment_id, refund_id, reason, amount, currency,
		detail, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		id.New(), h.MerchantID, h.OrderID, h.PaymentID, h.RefundID, h.Reason, h.Amount.Minor, string(h.Amount.Currency),
		h.Detail, db.Millis(tx.Now()))
	return err
}

const holdColumns = `id, merchant_id, order_id, payment_id, refund_id, reason, amount, currency, detail,
	created_at, resolved_at, resolution`

func scanHold(rows db.Rows) (Hold, error) {
	var h Hold
	var currency string
	var created, resolved db.Time
	err := rows.Scan(&h.ID, &h.MerchantID, &h.OrderID, &h.PaymentID, &h.RefundID, &h.Reason, &h.Amount.Minor, &currency,
		&h.Detail, &created, &resolved, &h.Resolution)
	h.Amount.Currency = money.Currency(currency)
	h.CreatedAt, h.ResolvedAt = created.Time, resolved.Time
	return h, err
}

// OpenHoldsTx lists a merchant's open cases, the newest first; before is the
// last id of the page before, zero for the first page.
func OpenHoldsTx(tx *db.Tx, merchantID, before id.ID, limit int) ([]Hold, error) {
	if before.IsZero() {
		return db.Collect(tx, scanHold, `SELECT `+holdColumns+` FROM holds
			WHERE merchant_id = $1 AND resolved_at IS NULL ORDER BY id DESC LIMIT $2`, merchantID, limit)
	}
	return db.Collect(tx, scanHold, `SELECT `+holdColumns+` FROM holds
		WHERE merchant_id = $1 AND resolved_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3`, merchantID, before, limit)
}

// OpenHoldTx reads one open case.
func OpenHoldTx(tx *db.Tx, merchantID, holdID id.ID) (Hold, error) {
	found, err := db.Collect(tx, scanHold, `SELECT `+holdColumns+` FROM holds
		WHERE id = $1 AND merchant_id = $2 AND resolved_at IS NULL`, holdID, merchantID)
	if err != nil {
		return Hold{}, err
	}
	if len(found) == 0 {
		return Hold{}, ErrHoldUnknown
	}
	return found[0], nil
}

// OpenRefundHoldsTx lists an order's open cases about refunds that failed.
func OpenRefundHoldsTx(tx *db.Tx, merchantID, orderID id.ID) ([]Hold, error) {
	return db.Collect(tx, scanHold, `SELECT `+holdColumns+` FROM holds
		WHERE order_id = $1 AND merchant_id = $2 AND resolved_at IS NULL AND reason = 'refund_failed' ORDER BY id`,
		orderID, merchantID)
}

// SetAsideTx tells how much of each payment of an order lies on the hold desk
// or was dismissed there: only its case decides about it. Sums are in the
// payment's currency.
func SetAsideTx(tx *db.Tx, merchantID, orderID id.ID) (map[id.ID]int64, error) {
	aside := map[id.ID]int64{}
	_, err := db.Collect(tx, func(rows db.Rows) (struct{}, error) {
		var paymentID id.ID
		var minor int64
		err := rows.Scan(&paymentID, &minor)
		aside[paymentID] += minor
		return struct{}{}, err
	}, `SELECT h.payment_id, h.amount FROM holds h JOIN payments p ON p.id = h.payment_id AND p.currency = h.currency
		WHERE h.order_id = $1 AND h.merchant_id = $2 AND ((h.resolved_at IS NULL AND h.reason <> 'refund_mismatch')
		OR (h.refund_id IS NULL AND h.resolution LIKE 'dismiss%'))`, orderID, merchantID)
	return aside, err
}

// ResolveTx closes a case.
func ResolveTx(tx *db.Tx, h Hold, resolution string) error {
	changed, err := tx.Exec(`UPDATE holds SET resolved_at = $1, resolution = $2
		WHERE id = $3 AND merchant_id = $4 AND resolved_at IS NULL`,
		db.Millis(tx.Now()), resolution, h.ID, h.MerchantID)
	if err == nil && changed != 1 {
		return ErrHoldUnknown
	}
	return err
}

// HasHoldTx tells whether a case with the same merchant, reason and detail was
// recorded before. Where writers run side by side, others who ask the same wait
// until this transaction has ended: the case is recorded once.
func HasHoldTx(tx *db.Tx, h Hold) (bool, error) {
	if tx.Engine() == db.Postgres {
		name := "holds/" + h.MerchantID.String() + "/" + h.Reason + "/" + h.Detail
		if _, err := tx.Exec(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, name); err != nil {
			return false, err
		}
	}
	var n int64
	err := tx.Get([]any{&n}, `SELECT COUNT(*) FROM holds WHERE merchant_id = $1 AND reason = $2 AND detail = $3`,
		h.MerchantID, h.Reason, h.Detail)
	return n > 0, err
}
