package delivery

import (
	"fmt"

	"panshi/internal/dataclass"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/invariant"
	"panshi/internal/vault"
)

// Item is one delivered or waiting piece of an order line.
type Item struct {
	OrderID   id.ID
	LineNo    int
	ItemNo    int // from 1 within the line
	SKUID     id.ID
	Kind      string // card, text, manual
	CardID    id.ID
	ContentID id.ID
	Sealed    []byte // manual: what staff wrote, sealed for ManualCell
	Delivered bool
}

// ErrNothingWaiting says that the line has no item left to deliver by hand.
var ErrNothingWaiting = errs.New(errs.Conflict, "nothing_waiting", "nothing of this order waits for delivery by hand")

// ManualCell is the place that a manual item's sealed content is bound to.
func ManualCell(orderID id.ID, lineNo, itemNo int) vault.Cell {
	return vault.Cell{Table: "deliveries", Column: fmt.Sprintf("content_sealed/%d/%d", lineNo, itemNo), Row: orderID}
}

// AddTx writes an order's items.
func AddTx(tx *db.Tx, merchantID id.ID, items []Item) error {
	for _, it := range items {
		status, at := "waiting", any(nil)
		if it.Delivered {
			status, at = "delivered", db.Millis(tx.Now())
		}
		if _, err := tx.Exec(`INSERT INTO deliveries (order_id, line_no, item_no, merchant_id, sku_id, kind,
			card_id, content_id, status, created_at, delivered_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			it.OrderID, it.LineNo, it.ItemNo, merchantID, it.SKUID, it.Kind, it.CardID, it.ContentID,
			status, db.Millis(tx.Now()), at); err != nil {
			return err
		}
	}
	return nil
}

// OfTx reads an order's items in order of line and item.
func OfTx(tx *db.Tx, merchantID, orderID id.ID) ([]Item, error) {
	return db.Collect(tx, func(rows db.Rows) (Item, error) {
		it := Item{OrderID: orderID}
		var status string
		err := rows.Scan(&it.LineNo, &it.ItemNo, &it.SKUID, &it.Kind, &it.CardID, &it.ContentID, &it.Sealed, &status)
		it.Delivered = status == "delivered"
		return it, err
	}, `SELECT line_no, item_no, sku_id, kind, card_id, content_id, content_sealed, status FROM deliveries
		WHERE order_id = $1 AND merchant_id = $2 ORDER BY line_no, item_no`, orderID, merchantID)
}

// FillTx delivers a waiting item with what staff wrote; ErrNothingWaiting if
// it does not wait.
func FillTx(tx *db.Tx, merchantID id.ID, it Item) error {
	changed, err := tx.Exec(`UPDATE deliveries SET status = 'delivered', content_sealed = $1, delivered_at = $2
		WHERE order_id = $3 AND line_no = $4 AND item_no = $5 AND merchant_id = $6 AND status = 'waiting'`,
		it.Sealed, db.Millis(tx.Now()), it.OrderID, it.LineNo, it.ItemNo, merchantID)
	if err == nil && changed != 1 {
		return ErrNothingWaiting
	}
	return err
}

// WithdrawTx takes back an order's items that still wait, so that nobody works
// on them, and tells their lines.
func WithdrawTx(tx *db.Tx, merchantID, orderID id.ID) (lines []int, err error) {
	return db.Collect(tx, func(rows db.Rows) (lineNo int, err error) {
		err = rows.Scan(&lineNo)
		return lineNo, err
	}, `DELETE FROM deliveries WHERE order_id = $1 AND merchant_id = $2 AND status = 'waiting' RETURNING line_no`,
		orderID, merchantID)
}

// WithdrawLineTx takes back what waits of one line.
func WithdrawLineTx(tx *db.Tx, merchantID, orderID id.ID, lineNo int) error {
	_, err := tx.Exec(`DELETE FROM deliveries WHERE order_id = $1 AND line_no = $2 AND merchant_id = $3 AND status = 'waiting'`,
		orderID, lineNo, merchantID)
	return err
}

// Invariants declares what `panshi check` verifies of deliveries.
func Invariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "delivery.card_on_one_order", About: "a delivered card is sold, and to the order that got it",
			Query: `SELECT d.card_id, 'card ' || COALESCE(c.status, 'missing') FROM deliveries d
				LEFT JOIN cards c ON c.id = d.card_id AND c.order_id = d.order_id AND c.merchant_id = d.merchant_id
				WHERE d.card_id IS NOT NULL AND (c.id IS NULL OR c.status <> 'sold')
				UNION ALL SELECT card_id, COUNT(*) || ' deliveries' FROM deliveries WHERE card_id IS NOT NULL
				GROUP BY card_id HAVING COUNT(*) > 1`,
		},
		{
			Name: "delivery.sold_card_is_delivered", About: "every sold card is in a delivery",
			Query: `SELECT c.id, 'sold, not delivered' FROM cards c LEFT JOIN deliveries d ON d.card_id = c.id
				WHERE c.status = 'sold' AND d.card_id IS NULL`,
		},
		{
			Name: "delivery.no_orphan", About: "every delivery belongs to a line of its order and merchant",
			Query: `SELECT d.order_id, 'line ' || d.line_no FROM deliveries d LEFT JOIN all_order_lines l
				ON l.order_id = d.order_id AND l.line_no = d.line_no AND l.merchant_id = d.merchant_id
				AND l.sku_id = d.sku_id WHERE l.order_id IS NULL`,
		},
		{
			Name: "delivery.shared_text_exists", About: "every delivered shared text exists, of the same SKU and merchant",
			Query: `SELECT d.order_id, 'line ' || d.line_no FROM deliveries d LEFT JOIN shared_contents s
				ON s.id = d.content_id AND s.sku_id = d.sku_id AND s.merchant_id = d.merchant_id
				WHERE d.content_id IS NOT NULL AND s.id IS NULL`,
		},
	}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	return []dataclass.Table{dataclass.Of("deliveries", dataclass.Trade, []string{
		"order_id", "line_no", "item_no", "merchant_id", "sku_id", "kind", "card_id", "content_id",
		"status", "created_at", "delivered_at",
	}, map[string]dataclass.Class{"content_sealed": dataclass.Goods})}
}
