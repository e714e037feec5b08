package checkout

import (
	"slices"

	"panshi/internal/dataclass"
	"panshi/internal/invariant"
)

// reserving says of an order o that its lines reserve stock: it waits for money.
const reserving = `(o.status = 'pending' OR (o.status = 'held' AND o.hold_reason <> 'refund_failed'))`

// withdrawn is by line how many items went back to the shelf before they were
// made.
const withdrawn = `(SELECT order_id, line_no, SUM(withdrawn) AS n FROM refund_lines GROUP BY order_id, line_no)`

// Invariants declares what `panshi check` verifies across orders, payments,
// stock and deliveries: the promises of the shop.
func Invariants() []invariant.Invariant {
	return slices.Concat(orderInvariants(), servedInvariants(), stockInvariants(), deskInvariants(), moneyInvariants(), partInvariants(), creditInvariants())
}

func orderInvariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "checkout.nothing_across_merchants", About: "an order's payments, deliveries and refunds are of its own merchant",
			Query: `SELECT o.order_no, 'payment' FROM all_orders o JOIN payments x ON x.order_id = o.id WHERE x.merchant_id <> o.merchant_id
				UNION ALL SELECT o.order_no, 'delivery' FROM all_orders o JOIN deliveries x ON x.order_id = o.id WHERE x.merchant_id <> o.merchant_id
				UNION ALL SELECT o.order_no, 'refund' FROM all_orders o JOIN refunds x ON x.order_id = o.id WHERE x.merchant_id <> o.merchant_id
				UNION ALL SELECT o.order_no, 'card' FROM all_orders o JOIN cards x ON x.order_id = o.id WHERE x.merchant_id <> o.merchant_id`,
		},
		{
			Name: "checkout.paid_is_served", About: "money in full for an order means goods, a refund, or a hold with a reason",
			Query: `SELECT o.order_no, o.status || ' although paid by ' || p.payment_no FROM payments p
				JOIN all_orders o ON o.id = p.order_id WHERE p.status = 'paid' AND o.status IN ('pending', 'closed')`,
		},
		{
			Name: "checkout.paid_waits_for_a_person", About: "an order stays at paid only while something waits for delivery by hand",
			Query: `SELECT o.order_no, 'paid, nothing waiting' FROM orders o WHERE o.status = 'paid' AND NOT EXISTS
				(SELECT 1 FROM deliveries d WHERE d.order_id = o.id AND d.status = 'waiting')`,
		},
	}
}

func servedInvariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "checkout.delivered_completely", About: "a delivered order has every card of every line, and the item of every other that was not given back whole before it was made",
			Query: `SELECT o.order_no, 'line ' || l.line_no FROM all_orders o JOIN all_order_lines l ON l.order_id = o.id
				LEFT JOIN (SELECT order_id, line_no, COUNT(*) AS n FROM deliveries WHERE status = 'delivered'
					GROUP BY order_id, line_no) d ON d.order_id = l.order_id AND d.line_no = l.line_no
				LEFT JOIN ` + withdrawn + ` w ON w.order_id = l.order_id AND w.line_no = l.line_no
				WHERE o.status IN ('delivered', 'completed') AND COALESCE(d.n, 0) <>
				CASE WHEN l.kind = 'card' THEN l.quantity WHEN COALESCE(w.n, 0) = l.quantity THEN 0 ELSE 1 END`,
		},
		{
			Name: "checkout.delivered_was_paid", About: "goods are with money that stayed here, less parts that staff gave back and never all, except by a decision on the hold desk",
			Query: `SELECT o.order_no, o.status || ' without payment' FROM all_orders o
				WHERE o.status IN ('paid', 'delivered', 'completed') AND NOT EXISTS
				(SELECT 1 FROM payments p WHERE p.order_id = o.id AND p.status = 'paid'
					AND (p.refunded = 0 OR p.refunded < p.received) AND p.received - p.refunded + (SELECT COALESCE(SUM(r.amount), 0)
					FROM refunds r WHERE r.order_id = o.id AND r.payment_id = p.id AND r.by_staff = 1 AND r.source = 'sales' AND r.status <> 'failed') >= o.total)
				AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.order_id = o.id AND h.resolution LIKE 'accept%')`,
		},
		{
			Name: "checkout.closed_order_takes_no_money", About: "a closed order's payments are closed too",
			Query: `SELECT o.order_no, p.payment_no || ' ' || p.status FROM all_orders o JOIN payments p ON p.order_id = o.id
				WHERE o.status = 'closed' AND p.status IN ('creating', 'open')`,
		},
		{
			Name: "checkout.work_waits_for_paid_orders", About: "nobody works for an order whose money goes back",
			Query: `SELECT o.order_no, o.status || ', line ' || d.line_no FROM deliveries d JOIN all_orders o ON o.id = d.order_id
				WHERE d.status = 'waiting' AND o.status <> 'paid'`,
		},
	}
}

func stockInvariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "checkout.held_cards_have_waiting_order", About: "a held card belongs to an order that still waits for money",
			Query: `SELECT c.id, 'held for order ' || COALESCE(o.status, 'missing') FROM cards c
				LEFT JOIN all_orders o ON o.id = c.order_id AND o.merchant_id = c.merchant_id
				WHERE c.status = 'held' AND (o.id IS NULL OR NOT ` + reserving + `)`,
		},
		{
			Name: "checkout.waiting_order_holds_its_cards", About: "an order that waits for money holds a card for every item",
			Query: `SELECT o.order_no, 'line ' || l.line_no FROM orders o
				JOIN order_lines l ON l.order_id = o.id AND l.kind = 'card'
				LEFT JOIN (SELECT order_id, sku_id, COUNT(*) AS n FROM cards WHERE status = 'held'
					GROUP BY order_id, sku_id) c ON c.order_id = o.id AND c.sku_id = l.sku_id
				WHERE ` + reserving + ` AND COALESCE(c.n, 0) <> l.quantity`,
		},
		{
			Name: "checkout.sold_equals_deliveries", About: "a SKU's sold counter equals what was delivered or waits",
			Query: `SELECT s.sku_id, 'sold ' || s.sold || ', lines ' || COALESCE(l.n, 0) FROM stock s LEFT JOIN
				(SELECT l.sku_id, SUM(l.quantity - COALESCE(w.n, 0)) AS n FROM all_order_lines l
				LEFT JOIN ` + withdrawn + ` w ON w.order_id = l.order_id AND w.line_no = l.line_no WHERE EXISTS
					(SELECT 1 FROM deliveries d WHERE d.order_id = l.order_id AND d.line_no = l.line_no)
				GROUP BY l.sku_id) l ON l.sku_id = s.sku_id WHERE s.sold <> COALESCE(l.n, 0)`,
		},
		{
			Name: "checkout.held_equals_waiting_orders", About: "a SKU's held counter equals what orders that wait for money ask for",
			Query: `SELECT s.sku_id, 'held ' || s.held || ', lines ' || COALESCE(l.n, 0) FROM stock s LEFT JOIN
				(SELECT l.sku_id, SUM(l.quantity) AS n FROM order_lines l JOIN orders o ON o.id = l.order_id
					WHERE ` + reserving + ` GROUP BY l.sku_id) l ON l.sku_id = s.sku_id WHERE s.held <> COALESCE(l.n, 0)`,
		},
		{
			Name: "checkout.contact_limits_add_up", About: "what a contact bought of a limited product is what its orders reserve or got",
			Query: `SELECT c.product_id, 'kept ' || c.quantity || ', lines ' || COALESCE(l.n, 0) FROM purchase_counts c LEFT JOIN
				(SELECT l.merchant_id, l.product_id, o.contact_index, SUM(l.quantity - COALESCE(w.n, 0)) AS n FROM all_order_lines l
				JOIN all_orders o ON o.id = l.order_id
				LEFT JOIN ` + withdrawn + ` w ON w.order_id = l.order_id AND w.line_no = l.line_no WHERE l.limited = 1 AND (` + reserving + ` OR EXISTS
					(SELECT 1 FROM deliveries d WHERE d.order_id = l.order_id AND d.line_no = l.line_no))
				GROUP BY l.merchant_id, l.product_id, o.contact_index) l ON l.merchant_id = c.merchant_id
				AND l.product_id = c.product_id AND l.contact_index = c.contact_index WHERE c.quantity <> COALESCE(l.n, 0)`,
		},
	}
}

func deskInvariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "checkout.held_has_open_case", About: "every held order has an open case on the hold desk",
			Query: `SELECT o.order_no, o.hold_reason FROM orders o WHERE o.status = 'held' AND NOT EXISTS
				(SELECT 1 FROM holds h WHERE h.order_id = o.id AND h.resolved_at IS NULL)`,
		},
		{
			Name: "checkout.held_money_has_case", About: "money that did not fit was laid before a person",
			Query: `SELECT p.payment_no, 'held without a case' FROM payments p WHERE p.status = 'held' AND NOT EXISTS
				(SELECT 1 FROM holds h WHERE h.payment_id = p.id AND h.merchant_id = p.merchant_id)`,
		},
		{
			Name: "checkout.refused_refund_has_case", About: "a refund that the platform refused was laid before a person",
			Query: `SELECT r.refund_no, 'refused without a case' FROM refunds r WHERE r.status = 'failed' AND NOT EXISTS
				(SELECT 1 FROM holds h WHERE h.refund_id = r.id AND h.reason = 'refund_failed')`,
		},
	}
}

func moneyInvariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "checkout.refunded_gave_all_back", About: "a refunded order's payments hold nothing any more",
			Query: `SELECT o.order_no, p.payment_no FROM all_orders o JOIN payments p ON p.order_id = o.id
				WHERE o.status = 'refunded' AND p.received <> p.refunded AND NOT EXISTS
				(SELECT 1 FROM holds h WHERE h.payment_id = p.id AND (h.resolved_at IS NULL OR h.resolution LIKE 'dismiss%'))`,
		},
		{
			Name: "checkout.refunding_has_refund", About: "an order that is being refunded has an unfinished refund",
			Query: `SELECT o.order_no, 'no refund under way' FROM orders o WHERE o.status = 'refunding' AND NOT EXISTS
				(SELECT 1 FROM refunds r WHERE r.order_id = o.id AND r.status IN ('requested', 'processing'))`,
		},
		{
			Name: "checkout.books_equal_payments", About: "the books have what each payment's transactions brought less what was paid back",
			Query: `SELECT p.payment_no, m.currency || ' moved ' || SUM(m.moved) || ', books ' || SUM(m.booked) FROM
				(SELECT payment_id, currency, amount AS moved, 0 AS booked FROM payment_transactions
				UNION ALL SELECT payment_id, currency, -amount, 0 FROM refunds WHERE status = 'succeeded'
				UNION ALL SELECT COALESCE(r.payment_id, e.subject_id), g.currency, 0, g.amount FROM all_ledger_postings g
					JOIN ledger_entries e ON e.id = g.entry_id LEFT JOIN refunds r ON r.id = e.subject_id
					WHERE (g.account LIKE 'provider/%' AND e.kind <> 'fee' AND e.kind NOT LIKE 'adjustment/%')
					OR (g.account LIKE 'credit/%' AND e.kind IN ('payment', 'refund_paid'))) m
				LEFT JOIN payments p ON p.id = m.payment_id
				GROUP BY m.payment_id, p.payment_no, m.currency HAVING SUM(m.moved) <> SUM(m.booked)`,
		},
		{
			Name: "checkout.books_equal_refunds", About: "what the books owe to buyers is what refunds are under way for",
			Query: `SELECT l.merchant_id, l.currency || ' owed ' || -SUM(l.owed) || ', under way ' || SUM(l.due) FROM
				(SELECT merchant_id, currency, amount AS owed, 0 AS due FROM all_ledger_postings WHERE account = 'refunds_due'
				UNION ALL SELECT merchant_id, currency, 0, amount FROM refunds WHERE status IN ('requested', 'processing')) l
				GROUP BY l.merchant_id, l.currency HAVING -SUM(l.owed) <> SUM(l.due)`,
		},
		{
			Name: "checkout.paid_by_word_or_approval", About: "only an approved transfer is paid without a platform's word, and only offline",
			Query: `SELECT p.payment_no, p.provider || ' settled by ' || p.settled_by FROM payments p
				WHERE (p.settled_by = 'approval' OR (p.provider = 'offline' AND p.received > 0))
				AND (p.provider <> 'offline' OR NOT EXISTS (SELECT 1 FROM approvals a
				WHERE a.subject_id = p.id AND a.kind = 'offline_payment' AND a.status = 'approved'))`,
		},
	}
}

func creditInvariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "checkout.credit_spent_once", About: "what store credit paid is one movement of the payment's amount, and nothing else is",
			Query: `SELECT p.payment_no, p.provider || ' received ' || p.received || ', spent ' || COALESCE(-m.amount, 0) FROM payments p
				LEFT JOIN credit_movements m ON m.kind = 'spent' AND m.subject_id = p.id AND m.merchant_id = p.merchant_id
				WHERE (p.provider = 'balance' OR p.settled_by = 'credit' OR m.id IS NOT NULL)
				AND (p.provider <> 'balance' OR p.settled_by <> 'credit' OR p.received <> COALESCE(-m.amount, 0))
				UNION ALL SELECT c.number, 'spent for no payment' FROM credit_movements m JOIN credit_accounts c ON c.id = m.credit_id
				LEFT JOIN payments p ON p.id = m.subject_id WHERE m.kind = 'spent' AND p.id IS NULL`,
		},
		{
			Name: "checkout.credit_returned_once", About: "a refund to store credit is done, and is one movement of its amount; credit returns where it was spent",
			Query: `SELECT r.refund_no, r.status || ' ' || r.amount || ', returned ' || COALESCE(m.amount, 0) FROM refunds r
				LEFT JOIN credit_movements m ON m.kind = 'returned' AND m.subject_id = r.id AND m.credit_id = r.credit_id
				WHERE r.credit_id IS NOT NULL AND (r.status <> 'succeeded' OR r.amount <> COALESCE(m.amount, 0))
				UNION ALL SELECT c.number, 'returned by no refund' FROM credit_movements m JOIN credit_accounts c ON c.id = m.credit_id
				LEFT JOIN refunds r ON r.id = m.subject_id AND r.credit_id = m.credit_id WHERE m.kind = 'returned' AND r.id IS NULL
				UNION ALL SELECT r.refund_no, 'went elsewhere' FROM refunds r
				JOIN credit_movements m ON m.kind = 'spent' AND m.subject_id = r.payment_id
				WHERE r.credit_id IS NULL OR r.credit_id <> m.credit_id`,
		},
	}
}

func partInvariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "checkout.lines_given_back_once", About: "no more of a line is given back than was bought, at the price that was paid",
			Query: `SELECT r.order_id, 'line ' || r.line_no || ': ' || r.n || ' for ' || r.amount FROM
				(SELECT order_id, line_no, merchant_id, SUM(quantity) AS n, SUM(amount) AS amount FROM refund_lines
				GROUP BY order_id, line_no, merchant_id) r LEFT JOIN all_order_lines l
				ON l.order_id = r.order_id AND l.line_no = r.line_no AND l.merchant_id = r.merchant_id
				WHERE l.order_id IS NULL OR r.n > l.quantity OR r.amount <> r.n * l.unit_price
				UNION ALL SELECT x.refund_id, 'line ' || x.line_no || ' of another order' FROM refund_lines x
				LEFT JOIN refunds r ON r.id = x.refund_id AND r.order_id = x.order_id AND r.merchant_id = x.merchant_id WHERE r.id IS NULL`,
		},
	}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	return []dataclass.Table{
		dataclass.Of("idempotency_keys", dataclass.Trade, []string{
			"merchant_id", "scope", "key", "body_digest", "subject_id", "expires_at",
		}),
		dataclass.Of("merchant_limits", dataclass.Trade, []string{"merchant_id", "refund_limit", "updated_at"}),
	}
}
