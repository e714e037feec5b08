package bench

import (
	"fmt"

	"panshi/internal/db"
)

// statement is text with its arguments.
type statement struct {
	text string
	args []any
}

// placeSetTx writes all orders of the group by one statement a table: on
// PostgreSQL each statement is a journey.
func (b batch) placeSetTx(tx *db.Tx, k sku) error {
	now := db.Millis(tx.Now())
	var title, status, mode string
	var price, available int64
	if err := tx.Get([]any{&title, &status, &price, &mode, &available}, quote, k.id, k.merchant); err != nil {
		return err
	}
	for _, s := range b.set(k, title, price, now) {
		if n, err := tx.Exec(s.text, s.args...); err != nil || n != group {
			return outOr(err)
		}
	}
	n, err := tx.Exec(`UPDATE stock SET available = available - 64, held = held + 64, updated_at = $1
		WHERE sku_id = $2 AND merchant_id = $3 AND available >= 64`, now, k.id, k.merchant)
	if err != nil || n != 1 {
		return outOr(err)
	}
	return nil
}

// set are the statements that each touch one row an order. The counts in their
// texts are group, sealedLen and indexLen.
func (b batch) set(k sku, title string, price int64, now any) []statement {
	return []statement{
		{`INSERT INTO idempotency_keys (merchant_id, scope, key, body_digest, subject_id, expires_at)
			SELECT $1, 'order', $2::text || i, substring($3::bytea FROM i * 37 + 1 FOR 37), substring($4::bytea FROM i * 16 + 1 FOR 16), $5
			FROM generate_series(0, 63) AS s (i)`, []any{k.merchant, b.no(), b.index, b.packed, b.keysLive}},
		{
			`INSERT INTO order_numbers (order_no, merchant_id, order_id)
			SELECT $1::text || i, $2, substring($3::bytea FROM i * 16 + 1 FOR 16) FROM generate_series(0, 63) AS s (i)`,
			[]any{b.no(), k.merchant, b.packed},
		},
		{
			`INSERT INTO orders (id, merchant_id, order_no, status, currency, total, contact_kind, contact_sealed,
			contact_index, lang, expires_at, due_at, created_at)
			SELECT substring($1::bytea FROM i * 16 + 1 FOR 16), $2, $3::text || i, 'pending', 'CNY', $4::bigint, 'email',
			substring($5::bytea FROM i * 62 + 1 FOR 62), substring($6::bytea FROM i * 37 + 1 FOR 37), 'zh-CN', $7, $8, $9
			FROM generate_series(0, 63) AS s (i)`,
			[]any{b.packed, k.merchant, b.no(), price, b.sealed, b.index, b.expires, b.expires, now},
		},
		{
			`INSERT INTO order_lines (order_id, line_no, merchant_id, product_id, sku_id, kind, title, quantity,
			unit_price, amount, stock_mode, limited)
			SELECT substring($1::bytea FROM i * 16 + 1 FOR 16), 1, $2, $3, $4, 'card', $5, 1, $6, $7, 'cards', 0
			FROM generate_series(0, 63) AS s (i)`,
			[]any{b.packed, k.merchant, k.product, k.id, title, price, price},
		},
		{`WITH free AS (SELECT id FROM cards WHERE sku_id = $1 AND merchant_id = $2 AND status = 'available'
			ORDER BY sku_id, id LIMIT 64 FOR UPDATE SKIP LOCKED),
			dealt AS (SELECT id, (row_number() OVER ())::int - 1 AS i FROM free)
			UPDATE cards SET status = 'held', order_id = substring($3::bytea FROM d.i * 16 + 1 FOR 16)
			FROM dealt d WHERE cards.id = d.id`, []any{k.id, k.merchant, b.packed}},
	}
}

// no begins the numbers of a batch.
func (b batch) no() string { return fmt.Sprintf("B%s%010d-", b.prefix, b.first) }
