package order

import (
	"encoding/hex"
	"slices"

	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/money"
)

// Functions of this file whose names speak of many orders are for PostgreSQL,
// one statement for a batch; SQLite runs each order by itself.

// LockTx makes every other transaction that locks this order wait until this one
// has ended, so that what is read of it from here on stays true. Lock an order
// before its payments and cards. One that is recalled from the archive or moved
// there meanwhile is locked where it is then. Where one writes at a time there
// is nothing to lock.
func LockTx(tx *db.Tx, orderID id.ID) error {
	if tx.Engine() == db.SQLite {
		return nil
	}
	living := `SELECT id FROM orders WHERE id = $1 FOR UPDATE`
	archived := `SELECT id FROM archived_orders WHERE id = $1 FOR UPDATE`
	for _, lock := range []string{living, archived, living} {
		locked, err := tx.Exec(lock, orderID)
		if err != nil || locked > 0 {
			return err
		}
	}
	return nil
}

// LockContactsTx makes transactions that count the unpaid orders of the same
// contacts wait for each other, so that two of them do not both see room for
// one more. It comes first in a transaction. Where one writes at a time there
// is nothing to lock.
func LockContactsTx(tx *db.Tx, contacts ...Unpaid) error {
	if tx.Engine() == db.SQLite {
		return nil
	}
	keys := make([]string, len(contacts))
	for i, c := range contacts {
		keys[i] = "orders.unpaid/" + c.MerchantID.String() + "/" + hex.EncodeToString(c.ContactIndex)
	}
	slices.Sort(keys)
	_, err := tx.Exec(`SELECT pg_advisory_xact_lock(hashtextextended(k, 0)) FROM UNNEST($1::TEXT[]) AS k`, keys)
	return err
}

// Unpaid is a contact of a merchant and how many pending orders it has.
type Unpaid struct {
	MerchantID   id.ID
	ContactIndex []byte
	Orders       int
}

// UnpaidOfManyTx counts the pending orders of many contacts. Those that have
// none are not in the answer.
func UnpaidOfManyTx(tx *db.Tx, contacts []Unpaid) ([]Unpaid, error) {
	merchants, indexes := make([]id.ID, len(contacts)), make([][]byte, len(contacts))
	for i, c := range contacts {
		merchants[i], indexes[i] = c.MerchantID, c.ContactIndex
	}
	return db.Collect(tx, func(rows db.Rows) (Unpaid, error) {
		var u Unpaid
		err := rows.Scan(&u.MerchantID, &u.ContactIndex, &u.Orders)
		return u, err
	}, `SELECT o.merchant_id, o.contact_index, COUNT(*) FROM orders o
		JOIN (SELECT DISTINCT merchant_id, contact_index FROM UNNEST($1::BYTEA[], $2::BYTEA[]) AS u(merchant_id, contact_index)) c
		ON c.merchant_id = o.merchant_id AND c.contact_index = o.contact_index
		WHERE o.status = 'pending' GROUP BY o.merchant_id, o.contact_index`, merchants, indexes)
}

// Placed is a new order with its lines.
type Placed struct {
	Order Order
	Lines []Line
}

// InsertManyTx writes new pending orders as InsertTx does.
func InsertManyTx(tx *db.Tx, placed []Placed) error {
	if err := insertNumbers(tx, placed); err != nil {
		return err
	}
	if err := insertOrders(tx, placed); err != nil {
		return err
	}
	return insertLines(tx, placed)
}

func insertNumbers(tx *db.Tx, placed []Placed) error {
	ids, merchants, numbers := make([]id.ID, len(placed)), make([]id.ID, len(placed)), make([]string, len(placed))
	for i, p := range placed {
		numbers[i], merchants[i], ids[i] = p.Order.No, p.Order.MerchantID, p.Order.ID
	}
	_, err := tx.Exec(`INSERT INTO order_numbers (order_no, merchant_id, order_id)
		SELECT * FROM UNNEST($1::TEXT[], $2::BYTEA[], $3::BYTEA[])`, numbers, merchants, ids)
	return err
}

func insertOrders(tx *db.Tx, placed []Placed) error {
	n := len(placed)
	ids, merchants, sealed, indexes := make([]id.ID, n), make([]id.ID, n), make([][]byte, n), make([][]byte, n)
	numbers, statuses, currencies := make([]string, n), make([]string, n), make([]string, n)
	kinds, langs := make([]string, n), make([]string, n)
	totals, expires, created := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, p := range placed {
		o := p.Order
		ids[i], merchants[i], numbers[i], statuses[i] = o.ID, o.MerchantID, o.No, string(o.Status)
		currencies[i], totals[i], kinds[i] = string(o.Total.Currency), o.Total.Minor, string(o.ContactKind)
		sealed[i], indexes[i], langs[i] = o.ContactSealed, o.ContactIndex, o.Lang
		expires[i], created[i] = o.ExpiresAt.UnixMilli(), o.CreatedAt.UnixMilli()
	}
	_, err := tx.Exec(`INSERT INTO orders (id, merchant_id, order_no, status, currency, total, contact_kind,
		contact_sealed, contact_index, lang, expires_at, due_at, created_at)
		SELECT * FROM UNNEST($1::BYTEA[], $2::BYTEA[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::BIGINT[], $7::TEXT[],
		$8::BYTEA[], $9::BYTEA[], $10::TEXT[], $11::BIGINT[], $12::BIGINT[], $13::BIGINT[])`,
		ids, merchants, numbers, statuses, currencies, totals, kinds, sealed, indexes, langs, expires, expires, created)
	return err
}

func insertLines(tx *db.Tx, placed []Placed) error {
	var orders, merchants, products, skus []id.ID
	var kinds, titles, modes []string
	var numbers, quantities, prices, amounts, limited []int64
	for _, p := range placed {
		for _, l := range p.Lines {
			orders, merchants = append(orders, p.Order.ID), append(merchants, p.Order.MerchantID)
			products, skus = append(products, l.ProductID), append(skus, l.SKUID)
			kinds, titles, modes = append(kinds, l.Kind), append(titles, l.Title), append(modes, l.StockMode)
			numbers, quantities = append(numbers, int64(l.No)), append(quantities, int64(l.Quantity))
			prices, amounts = append(prices, l.UnitPrice.Minor), append(amounts, l.Amount.Minor)
			limited = append(limited, int64(bit(l.Limited)))
		}
	}
	_, err := tx.Exec(`INSERT INTO order_lines (order_id, line_no, merchant_id, product_id, sku_id, kind, title,
		quantity, unit_price, amount, stock_mode, limited)
		SELECT * FROM UNNEST($1::BYTEA[], $2::BIGINT[], $3::BYTEA[], $4::BYTEA[], $5::BYTEA[], $6::TEXT[], $7::TEXT[],
		$8::BIGINT[], $9::BIGINT[], $10::BIGINT[], $11::TEXT[], $12::BIGINT[])`,
		orders, numbers, merchants, products, skus, kinds, titles, quantities, prices, amounts, modes, limited)
	return err
}

// LockManyTx locks orders as LockTx does and reads them; ids that no order has
// are passed over.
func LockManyTx(tx *db.Tx, orderIDs []id.ID) ([]Order, error) {
	return db.Collect(tx, scan, `SELECT `+columns+` FROM orders o WHERE o.id = ANY($1) ORDER BY o.id FOR UPDATE`, orderIDs)
}

// LinesOfManyTx reads the lines of orders, by order.
func LinesOfManyTx(tx *db.Tx, orders []Order) (map[id.ID][]Line, error) {
	ids, currency := make([]id.ID, len(orders)), make(map[id.ID]money.Currency, len(orders))
	for i, o := range orders {
		ids[i], currency[o.ID] = o.ID, o.Total.Currency
	}
	lines := make(map[id.ID][]Line, len(orders))
	_, err := db.Collect(tx, func(rows db.Rows) (none struct{}, err error) {
		var owner id.ID
		var l Line
		var limited int64
		err = rows.Scan(&owner, &l.No, &l.ProductID, &l.SKUID, &l.Kind, &l.Title, &l.Quantity,
			&l.UnitPrice.Minor, &l.Amount.Minor, &l.StockMode, &limited)
		l.Limited, l.UnitPrice.Currency, l.Amount.Currency = limited == 1, currency[owner], currency[owner]
		lines[owner] = append(lines[owner], l)
		return none, err
	}, `SELECT order_id, line_no, product_id, sku_id, kind, title, quantity, unit_price, amount, stock_mode, limited
		FROM order_lines WHERE order_id = ANY($1) ORDER BY order_id, line_no`, ids)
	return lines, err
}

// Move is one step of an order along the state machine.
type Move struct {
	Order  Order
	To     Status
	Change Change
}

// MoveManyTx moves orders as MoveTx does. If one of them cannot move it fails
// with ErrMove, and nothing may be committed.
func MoveManyTx(tx *db.Tx, moves []Move) error {
	n := len(moves)
	ids, from, to, reasons := make([]id.ID, n), make([]string, n), make([]string, n), make([]string, n)
	due, paid, delivered, closed := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i, m := range moves {
		if !CanMove(m.Order.Status, m.To) {
			return ErrMove
		}
		ids[i], from[i], to[i], reasons[i] = m.Order.ID, string(m.Order.Status), string(m.To), m.Change.Reason
		due[i], paid[i] = db.MillisOrZero(m.Change.DueAt), db.MillisOrZero(m.Change.PaidAt)
		delivered[i], closed[i] = db.MillisOrZero(m.Change.DeliveredAt), db.MillisOrZero(m.Change.ClosedAt)
	}
	changed, err := tx.Exec(`UPDATE orders SET status = m.target, hold_reason = m.reason, due_at = NULLIF(m.due, 0),
		paid_at = COALESCE(NULLIF(m.paid, 0), paid_at), delivered_at = COALESCE(NULLIF(m.delivered, 0), delivered_at),
		closed_at = COALESCE(NULLIF(m.closed, 0), closed_at)
		FROM UNNEST($1::BYTEA[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::BIGINT[], $6::BIGINT[], $7::BIGINT[], $8::BIGINT[])
			AS m(id, source, target, reason, due, paid, delivered, closed)
		WHERE orders.id = m.id AND orders.status = m.source`, ids, from, to, reasons, due, paid, delivered, closed)
	if err == nil && changed != int64(n) {
		return ErrMove
	}
	return err
}
