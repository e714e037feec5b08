package stock

import (
	"panshi/internal/dataclass"
	"panshi/internal/invariant"
)

// Invariants declares what `panshi check` verifies of stock.
func Invariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "stock.counters_equal_cards", About: "a card SKU's counters equal its cards",
			Query: `SELECT s.sku_id, 'kept ' || s.available || '/' || s.held || '/' || s.sold || ', cards ' ||
					COALESCE(c.available, 0) || '/' || COALESCE(c.held, 0) || '/' || COALESCE(c.sold, 0)
				FROM stock s LEFT JOIN (SELECT sku_id,
					SUM(CASE WHEN status = 'available' THEN 1 ELSE 0 END) AS available,
					SUM(CASE WHEN status = 'held' THEN 1 ELSE 0 END) AS held,
					SUM(CASE WHEN status = 'sold' THEN 1 ELSE 0 END) AS sold
					FROM cards GROUP BY sku_id) c ON c.sku_id = s.sku_id
				WHERE s.mode = 'cards' AND (s.available <> COALESCE(c.available, 0)
					OR s.held <> COALESCE(c.held, 0) OR s.sold <> COALESCE(c.sold, 0))`,
		},
		{
			Name: "stock.cards_only_in_card_skus", About: "a card belongs to a SKU that sells cards, of its merchant",
			Query: `SELECT c.id, 'card' FROM cards c LEFT JOIN stock s
				ON s.sku_id = c.sku_id AND s.merchant_id = c.merchant_id AND s.mode = 'cards'
				WHERE s.sku_id IS NULL`,
		},
		{
			Name: "stock.every_sku_has_counters", About: "every SKU has a counter row of its merchant",
			Query: `SELECT k.id, k.code FROM skus k LEFT JOIN stock s
				ON s.sku_id = k.id AND s.merchant_id = k.merchant_id WHERE s.sku_id IS NULL`,
		},
	}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	return []dataclass.Table{
		dataclass.Of("stock", dataclass.Public, []string{
			"sku_id", "merchant_id", "mode", "available", "held", "sold", "updated_at",
		}),
		dataclass.Of("cards", dataclass.Trade, []string{
			"id", "merchant_id", "sku_id", "batch_id", "status", "order_id", "created_at",
		}, map[string]dataclass.Class{"content_sealed": dataclass.Goods, "content_index": dataclass.Goods}),
		dataclass.Of("shared_contents", dataclass.Trade, []string{"id", "merchant_id", "sku_id", "created_at"},
			map[string]dataclass.Class{"content_sealed": dataclass.Goods}),
	}
}
