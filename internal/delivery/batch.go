package delivery

import (
	"panshi/internal/db"
	"panshi/internal/id"
)

// Owned is an item with its merchant.
type Owned struct {
	MerchantID id.ID
	Item
}

// AddManyTx writes items of many orders as AddTx does, with one statement. It
// is for PostgreSQL.
func AddManyTx(tx *db.Tx, items []Owned) error {
	n := len(items)
	orders, merchants, skus := make([]id.ID, n), make([]id.ID, n), make([]id.ID, n)
	cards, contents := make([]id.ID, n), make([]id.ID, n)
	lines, numbers, delivered := make([]int64, n), make([]int64, n), make([]int64, n)
	kinds, statuses := make([]string, n), make([]string, n)
	for i, it := range items {
		orders[i], lines[i], numbers[i] = it.OrderID, int64(it.LineNo), int64(it.ItemNo)
		merchants[i], skus[i], kinds[i] = it.MerchantID, it.SKUID, it.Kind
		cards[i], contents[i], statuses[i] = it.CardID, it.ContentID, "waiting"
		if it.Delivered {
			statuses[i], delivered[i] = "delivered", tx.Now().UnixMilli()
		}
	}
	_, err := tx.Exec(`INSERT INTO deliveries (created_at, order_id, line_no, item_no, merchant_id, sku_id, kind,
		card_id, content_id, status, delivered_at)
		SELECT $1, d.order_id, d.line_no, d.item_no, d.merchant_id, d.sku_id, d.kind, d.card_id, d.content_id, d.status,
			NULLIF(d.delivered_at, 0)
		FROM UNNEST($2::BYTEA[], $3::BIGINT[], $4::BIGINT[], $5::BYTEA[], $6::BYTEA[], $7::TEXT[], $8::BYTEA[],
			$9::BYTEA[], $10::TEXT[], $11::BIGINT[])
			AS d(order_id, line_no, item_no, merchant_id, sku_id, kind, card_id, content_id, status, delivered_at)`,
		db.Millis(tx.Now()), orders, lines, numbers, merchants, skus, kinds, cards, contents, statuses, delivered)
	return err
}
