package payment

import (
	"panshi/internal/db"
	"panshi/internal/id"
)

// RefundLine is what a refund gives back of one line of its order.
type RefundLine struct {
	RefundID  id.ID
	LineNo    int
	Quantity  int
	Withdrawn int   // how many of Quantity were not made yet and went back to the shelf
	Amount    int64 // minor units: Quantity times the line's unit price
}

// InsertRefundLinesTx notes what of its order's lines a refund gives back. The
// caller has seen, with the order locked, that the lines have so much left.
func InsertRefundLinesTx(tx *db.Tx, r Refund, lines []RefundLine) error {
	for _, l := range lines {
		if _, err := tx.Exec(`INSERT INTO refund_lines (refund_id, line_no, merchant_id, order_id, quantity, withdrawn, amount)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			r.ID, l.LineNo, r.MerchantID, r.OrderID, l.Quantity, l.Withdrawn, l.Amount); err != nil {
			return err
		}
	}
	return nil
}

// RefundLinesTx reads what an order's refunds give back of its lines, the
// oldest refund first. A refused refund keeps its lines until a person decides.
func RefundLinesTx(tx *db.Tx, merchantID, orderID id.ID) ([]RefundLine, error) {
	return db.Collect(tx, func(rows db.Rows) (l RefundLine, err error) {
		err = rows.Scan(&l.RefundID, &l.LineNo, &l.Quantity, &l.Withdrawn, &l.Amount)
		return l, err
	}, `SELECT refund_id, line_no, quantity, withdrawn, amount FROM refund_lines
		WHERE order_id = $1 AND merchant_id = $2 ORDER BY refund_id, line_no`, orderID, merchantID)
}

// MoveRefundLinesTx makes the lines of a refused refund those of the one that
// takes its place.
func MoveRefundLinesTx(tx *db.Tx, refused id.ID, r Refund) error {
	_, err := tx.Exec(`UPDATE refund_lines SET refund_id = $1 WHERE refund_id = $2 AND merchant_id = $3`,
		r.ID, refused, r.MerchantID)
	return err
}

// GivenByStaffTx is what staff gave back of an order so far, in minor units of
// its currency, without what platforms refused.
func GivenByStaffTx(tx *db.Tx, merchantID, orderID id.ID) (minor int64, err error) {
	err = tx.Get([]any{&minor}, `SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM refunds
		WHERE order_id = $1 AND merchant_id = $2 AND by_staff = 1 AND status <> 'failed'`, orderID, merchantID)
	return minor, err
}
