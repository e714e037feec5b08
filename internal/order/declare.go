package order

import (
	"panshi/internal/dataclass"
	"panshi/internal/invariant"
)

// Invariants declares what `panshi check` verifies of orders by themselves;
// what ties them to payments and deliveries is declared by package checkout.
func Invariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "order.total_is_sum_of_lines", About: "an order's total is the sum of its lines",
			Query: `SELECT o.order_no, 'total ' || o.total || ', lines ' || COALESCE(l.amount, 0)
				FROM all_orders o LEFT JOIN (SELECT order_id, SUM(amount) AS amount FROM all_order_lines GROUP BY order_id) l
				ON l.order_id = o.id WHERE o.total <> COALESCE(l.amount, -1)`,
		},
		{
			Name: "order.number_names_its_order", About: "every order has its number, and every number its order",
			Query: `SELECT o.order_no, 'order without number' FROM all_orders o LEFT JOIN order_numbers n
				ON n.order_no = o.order_no AND n.order_id = o.id AND n.merchant_id = o.merchant_id WHERE n.order_no IS NULL
				UNION ALL SELECT n.order_no, 'number without order' FROM order_numbers n
				LEFT JOIN all_orders o ON o.id = n.order_id WHERE o.id IS NULL`,
		},
		{
			Name: "order.no_orphan_line", About: "every line belongs to an order of its merchant",
			Query: `SELECT l.order_id, 'line ' || l.line_no FROM all_order_lines l
				LEFT JOIN all_orders o ON o.id = l.order_id AND o.merchant_id = l.merchant_id WHERE o.id IS NULL`,
		},
		{
			Name: "order.lines_stay_with_merchant", About: "an order sells only SKUs of its own merchant",
			Query: `SELECT l.order_id, 'line ' || l.line_no FROM all_order_lines l
				LEFT JOIN skus k ON k.id = l.sku_id AND k.merchant_id = l.merchant_id WHERE k.id IS NULL`,
		},
		{
			Name: "order.pending_is_due", About: "every pending order is due for expiry, so no sweep can forget it",
			Query: `SELECT order_no, 'no due time' FROM orders WHERE status = 'pending' AND due_at IS NULL`,
		},
		{
			Name: "order.live_or_archived", About: "no order is both in the archive and among the living",
			Query: `SELECT a.order_no, 'live and archived' FROM archived_orders a JOIN orders o ON o.id = a.id`,
		},
		{
			Name: "order.moves_with_its_lines", About: "an order and its lines are archived together",
			Query: `SELECT l.order_id, 'line ' || l.line_no || ' stayed' FROM archived_orders a JOIN order_lines l ON l.order_id = a.id
				UNION ALL SELECT l.order_id, 'line ' || l.line_no || ' went' FROM orders o JOIN archived_order_lines l ON l.order_id = o.id`,
		},
		{
			Name: "order.archived_is_over", About: "an archived order waits for nothing",
			Query: `SELECT order_no, status FROM archived_orders
				WHERE status NOT IN ('completed', 'closed', 'refunded') OR due_at IS NOT NULL OR hold_reason <> ''`,
		},
	}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	contact := map[string]dataclass.Class{"contact_sealed": dataclass.PII, "contact_index": dataclass.PII}
	order := []string{
		"id", "merchant_id", "order_no", "status", "currency", "total", "contact_kind", "lang", "hold_reason",
		"expires_at", "due_at", "created_at", "paid_at", "delivered_at", "closed_at",
	}
	line := []string{
		"order_id", "line_no", "merchant_id", "product_id", "sku_id", "kind", "title", "quantity", "unit_price", "amount",
		"stock_mode", "limited",
	}
	return []dataclass.Table{
		dataclass.Of("orders", dataclass.Trade, order, contact),
		dataclass.Of("archived_orders", dataclass.Trade, order, contact),
		dataclass.Of("order_numbers", dataclass.Trade, []string{"order_no", "merchant_id", "order_id"}),
		dataclass.Of("order_lines", dataclass.Trade, line),
		dataclass.Of("archived_order_lines", dataclass.Trade, line),
		dataclass.Of("purchase_counts", dataclass.Trade, []string{"merchant_id", "product_id", "quantity"},
			map[string]dataclass.Class{"contact_index": dataclass.PII}),
	}
}
