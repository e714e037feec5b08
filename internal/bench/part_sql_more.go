package bench

import (
	"context"
	"errors"

	"panshi/internal/db"
	"panshi/internal/id"
)

// importGroup is how many cards one transaction of an import writes.
const importGroup = 400

// reveals reads the goods of a group of orders and writes who saw them.
func (r *rows) reveals(ctx context.Context) (int64, error) {
	if len(r.goods) == 0 {
		return 0, errors.New("the history has no delivered cards")
	}
	first := r.turn.Add(group)
	return group, r.db.Update(ctx, func(tx *db.Tx) error {
		for i := range int64(group) {
			if err := revealTx(tx, r.goods[(first+i)%int64(len(r.goods))]); err != nil {
				return err
			}
		}
		return nil
	})
}

func revealTx(tx *db.Tx, s sold) error {
	var orderID, card id.ID
	var status, title string
	var line int64
	err := tx.Get([]any{&orderID, &status}, `SELECT o.id, o.status FROM order_numbers n JOIN orders o ON o.id = n.order_id
		WHERE n.order_no = $1 AND n.merchant_id = $2`, s.no, s.merchant)
	if err != nil {
		return err
	}
	if err := tx.Get([]any{&line, &title}, `SELECT line_no, title FROM order_lines
		WHERE order_id = $1 AND merchant_id = $2 ORDER BY line_no`, s.id, s.merchant); err != nil {
		return err
	}
	if err := tx.Get([]any{&card}, `SELECT card_id FROM deliveries WHERE order_id = $1 AND merchant_id = $2
		AND card_id IS NOT NULL ORDER BY line_no, item_no`, s.id, s.merchant); err != nil {
		return err
	}
	var sealed []byte
	if err := tx.Get([]any{&sealed}, `SELECT content_sealed FROM cards WHERE id = $1 AND merchant_id = $2`, card, s.merchant); err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO audit_records
		(id, merchant_id, actor_kind, actor_id, action, subject_kind, subject_id, detail, request_id, at)
		VALUES ($1, $2, 'buyer', '', 'order.goods_revealed', 'order', $3, '{"items":"1"}', '0123456789abcdef', $4)`,
		id.New(), s.merchant, s.id, db.Millis(tx.Now()))
	return err
}

// cards stores a group of new cards.
func (r *rows) cards(ctx context.Context) (int64, error) {
	k := r.skus[0]
	sealed, index := random(sealedLen*importGroup), random(indexLen*importGroup)
	ids := make([]byte, 0, 16*importGroup)
	for range importGroup {
		one := id.New()
		ids = append(ids, one[:]...)
	}
	batch := id.New()
	return importGroup, r.db.Update(ctx, func(tx *db.Tx) error {
		if err := cardsTx(tx, k, batch, ids, sealed, index); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE stock SET available = available + $1, updated_at = $2 WHERE sku_id = $3 AND merchant_id = $4`,
			importGroup, db.Millis(tx.Now()), k.id, k.merchant)
		return err
	})
}

func cardsTx(tx *db.Tx, k sku, batch id.ID, ids, sealed, index []byte) error {
	now := db.Millis(tx.Now())
	if tx.Engine() == db.Postgres {
		_, err := tx.Exec(`INSERT INTO cards (id, merchant_id, sku_id, batch_id, status, content_sealed, content_index, created_at)
			SELECT substring($1::bytea FROM i * 16 + 1 FOR 16), $2, $3, $4, 'available', substring($5::bytea FROM i * 62 + 1 FOR 62),
			substring($6::bytea FROM i * 37 + 1 FOR 37), $7 FROM generate_series(0, 399) AS s (i)
			ON CONFLICT (merchant_id, content_index) DO NOTHING`, ids, k.merchant, k.id, batch, sealed, index, now)
		return err
	}
	for i := range importGroup {
		_, err := tx.Exec(`INSERT INTO cards (id, merchant_id, sku_id, batch_id, status, content_sealed, content_index, created_at)
			VALUES ($1, $2, $3, $4, 'available', $5, $6, $7) ON CONFLICT (merchant_id, content_index) DO NOTHING`,
			ids[i*16:(i+1)*16], k.merchant, k.id, batch, sealed[i*sealedLen:(i+1)*sealedLen], index[i*indexLen:(i+1)*indexLen], now)
		if err != nil {
			return err
		}
	}
	return nil
}
