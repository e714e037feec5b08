package order

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/money"
)

const columns = `o.id, o.merchant_id, o.order_no, o.status, o.currency, o.total, o.contact_kind, o.contact_sealed,
	o.contact_index, o.lang, o.hold_reason, o.expires_at, o.due_at, o.created_at, o.paid_at, o.delivered_at, o.closed_at`

func scan(rows db.Rows) (Order, error) {
	var o Order
	var status, currency, kind string
	var expires, due, created, paid, delivered, closed db.Time
	err := rows.Scan(&o.ID, &o.MerchantID, &o.No, &status, &currency, &o.Total.Minor, &kind, &o.ContactSealed,
		&o.ContactIndex, &o.Lang, &o.HoldReason, &expires, &due, &created, &paid, &delivered, &closed)
	o.Status, o.ContactKind, o.Total.Currency = Status(status), ContactKind(kind), money.Currency(currency)
	o.ExpiresAt, o.DueAt, o.CreatedAt = expires.Time, due.Time, created.Time
	o.PaidAt, o.DeliveredAt, o.ClosedAt = paid.Time, delivered.Time, closed.Time
	return o, err
}

func one(orders []Order, err error) (Order, error) {
	if err != nil {
		return Order{}, err
	}
	if len(orders) == 0 {
		return Order{}, ErrNotFound
	}
	return orders[0], nil
}

// InsertTx writes a new pending order with its lines and its number.
func InsertTx(tx *db.Tx, o Order, lines []Line) error {
	if _, err := tx.Exec(`INSERT INTO order_numbers (order_no, merchant_id, order_id) VALUES ($1, $2, $3)`,
		o.No, o.MerchantID, o.ID); err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO orders (id, merchant_id, order_no, status, currency, total, contact_kind,
		contact_sealed, contact_index, lang, expires_at, due_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		o.ID, o.MerchantID, o.No, string(o.Status), string(o.Total.Currency), o.Total.Minor, string(o.ContactKind),
		o.ContactSealed, o.ContactIndex, o.Lang, db.Millis(o.ExpiresAt), db.Millis(o.ExpiresAt), db.Millis(o.CreatedAt),
	); err != nil {
		return err
	}
	for _, l := range lines {
		if _, err := tx.Exec(`INSERT INTO order_lines
			(order_id, line_no, merchant_id, product_id, sku_id, kind, title, quantity, unit_price, amount,
			stock_mode, limited) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			o.ID, l.No, o.MerchantID, l.ProductID, l.SKUID, l.Kind, l.Title, l.Quantity,
			l.UnitPrice.Minor, l.Amount.Minor, l.StockMode, bit(l.Limited)); err != nil {
			return err
		}
	}
	return nil
}

// ByNoTx reads an order by its number, archived or not.
func ByNoTx(tx *db.Tx, merchantID id.ID, orderNo string) (Order, error) {
	return findTx(tx, ` JOIN order_numbers n ON n.order_id = o.id WHERE n.order_no = $1 AND n.merchant_id = $2`,
		orderNo, merchantID)
}

// ByIDTx reads an order, archived or not.
func ByIDTx(tx *db.Tx, merchantID, orderID id.ID) (Order, error) {
	return findTx(tx, ` WHERE o.id = $1 AND o.merchant_id = $2`, orderID, merchantID)
}

// LinesTx reads an order's lines, archived or not.
func LinesTx(tx *db.Tx, o Order) ([]Line, error) {
	lines, err := linesTx(tx, o, "order_lines")
	if err != nil || len(lines) > 0 {
		return lines, err // no order is without lines
	}
	return linesTx(tx, o, "archived_order_lines")
}

func linesTx(tx *db.Tx, o Order, table string) ([]Line, error) {
	return db.Collect(tx, func(rows db.Rows) (Line, error) {
		l := Line{UnitPrice: money.Of(0, o.Total.Currency), Amount: money.Of(0, o.Total.Currency)}
		var limited int64
		err := rows.Scan(&l.No, &l.ProductID, &l.SKUID, &l.Kind, &l.Title, &l.Quantity,
			&l.UnitPrice.Minor, &l.Amount.Minor, &l.StockMode, &limited)
		l.Limited = limited == 1
		return l, err
	}, `SELECT line_no, product_id, sku_id, kind, title, quantity, unit_price, amount, stock_mode, limited
		FROM `+table+` WHERE order_id = $1 AND merchant_id = $2 ORDER BY line_no`, o.ID, o.MerchantID)
}

// ReservedTx notes that a line's items were reserved again in another mode.
func ReservedTx(tx *db.Tx, o Order, lineNo int, mode string) error {
	if o.Archived {
		if err := RecallTx(tx, o); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`UPDATE order_lines SET stock_mode = $1 WHERE order_id = $2 AND line_no = $3 AND merchant_id = $4`,
		mode, o.ID, lineNo, o.MerchantID)
	return err
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Change is what a move sets besides the status; zero values leave a column.
type Change struct {
	Reason      string    // for Held, required there
	DueAt       time.Time // zero clears it
	PaidAt      time.Time
	DeliveredAt time.Time
	ClosedAt    time.Time
}

// MoveTx moves an order along the state machine; an archived one is brought
// back first. It fails with ErrMove if the machine has no such move or the row
// is no longer in o.Status.
func MoveTx(tx *db.Tx, o Order, to Status, c Change) (Order, error) {
	if !CanMove(o.Status, to) {
		return o, fmt.Errorf("%w: %s to %s", ErrMove, o.Status, to)
	}
	if o.Archived {
		if err := RecallTx(tx, o); err != nil {
			return o, err
		}
		o.Archived = false
	}
	changed, err := tx.Exec(`UPDATE orders SET status = $1, hold_reason = $2, due_at = $3,
		paid_at = COALESCE($4, paid_at), delivered_at = COALESCE($5, delivered_at), closed_at = COALESCE($6, closed_at)
		WHERE id = $7 AND merchant_id = $8 AND status = $9`,
		string(to), c.Reason, db.Millis(c.DueAt), db.Millis(c.PaidAt), db.Millis(c.DeliveredAt), db.Millis(c.ClosedAt),
		o.ID, o.MerchantID, string(o.Status))
	if err != nil {
		return o, err
	}
	if changed != 1 {
		return o, fmt.Errorf("%w: no longer %s", ErrMove, o.Status)
	}
	o.Status, o.HoldReason, o.DueAt = to, c.Reason, c.DueAt
	return o, nil
}

// DelayTx sets when a sweep should look at an order next.
func DelayTx(tx *db.Tx, o Order, due time.Time) error {
	_, err := tx.Exec(`UPDATE orders SET due_at = $1 WHERE id = $2 AND merchant_id = $3 AND status = $4`,
		db.Millis(due), o.ID, o.MerchantID, string(o.Status))
	return err
}

// ExtendTx gives a pending order more time to be paid; it never takes time away.
func ExtendTx(tx *db.Tx, o Order, until time.Time) error {
	_, err := tx.Exec(`UPDATE orders SET expires_at = $1, due_at = $2
		WHERE id = $3 AND merchant_id = $4 AND status = 'pending' AND expires_at < $5`,
		db.Millis(until), db.Millis(until), o.ID, o.MerchantID, db.Millis(until))
	return err
}

// DueTx returns orders of a state whose due time has come, the longest due
// first. Only Pending and Delivered have an index for it.
func DueTx(tx *db.Tx, status Status, limit int) ([]Order, error) {
	query := `SELECT ` + columns + ` FROM orders o WHERE o.status = 'pending' AND o.due_at <= $1 ORDER BY o.due_at LIMIT $2`
	if status == Delivered {
		query = `SELECT ` + columns + ` FROM orders o WHERE o.status = 'delivered' AND o.due_at <= $1 ORDER BY o.due_at LIMIT $2`
	}
	return db.Collect(tx, scan, query, db.Millis(tx.Now()), limit)
}

// UnpaidOfTx counts a contact's pending orders. Whoever compares the number
// with a limit calls LockContactsTx first.
func UnpaidOfTx(tx *db.Tx, merchantID id.ID, contactIndex []byte) (n int, err error) {
	err = tx.Get([]any{&n}, `SELECT COUNT(*) FROM orders
		WHERE merchant_id = $1 AND contact_index = $2 AND status = 'pending'`, merchantID, contactIndex)
	return n, err
}

// clockSlack is how far an id's time, of one machine, and the time of a
// transaction, of another, may be apart.
const clockSlack = 24 * time.Hour

// Filter chooses orders for staff.
type Filter struct {
	Status Status // "" for all
	Before id.ID  // page: orders older than this one; zero for the newest
	Limit  int    // 1-100
}

// ListTx returns a merchant's orders, the newest first. It goes on into the
// archive where the living end; a full page of young orders needs no look at
// it, any other page looks only at what the archive has of its time.
func ListTx(tx *db.Tx, merchantID id.ID, f Filter) ([]Order, error) {
	tail, args := f.where(merchantID, id.ID{})
	list, err := db.Collect(tx, scan, `SELECT `+columns+` FROM orders o`+tail, args...)
	if err != nil {
		return nil, err
	}
	var after id.ID
	if len(list) == f.Limit && f.Limit > 0 {
		after = list[len(list)-1].ID
		if tx.Now().Sub(after.Time()) < MinArchiveAge-clockSlack {
			return list, nil
		}
	}
	tail, args = f.where(merchantID, after)
	old, err := db.Collect(tx, archived, `SELECT `+columns+` FROM archived_orders o`+tail, args...)
	if err != nil || len(old) == 0 {
		return list, err
	}
	list = append(list, old...)
	slices.SortStableFunc(list, func(a, b Order) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	return list[:min(len(list), f.Limit)], nil
}

// where is what follows FROM in a list; after is a lower bound, or zero.
func (f Filter) where(merchantID, after id.ID) (tail string, args []any) {
	var b strings.Builder
	b.WriteString(` WHERE o.merchant_id = $1`)
	args = []any{merchantID}
	and := func(condition string, value any) {
		args = append(args, value)
		fmt.Fprintf(&b, " AND "+condition+" $%d", len(args))
	}
	if f.Status != "" {
		and("o.status =", string(f.Status))
	}
	if !f.Before.IsZero() {
		and("o.id <", f.Before)
	}
	if !after.IsZero() {
		and("o.id >", after)
	}
	args = append(args, f.Limit)
	fmt.Fprintf(&b, " ORDER BY o.id DESC LIMIT $%d", len(args))
	return b.String(), args
}
