package payment

import (
	"panshi/internal/dataclass"
	"panshi/internal/invariant"
)

// Invariants declares what `panshi check` verifies of payments by themselves.
func Invariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "payment.received_has_transaction", About: "what a payment received is the sum of its transactions",
			Query: `SELECT p.payment_no, 'received ' || p.received || ', transactions ' || COALESCE(t.amount, 0)
				FROM payments p LEFT JOIN (SELECT payment_id, currency, SUM(amount) AS amount
				FROM payment_transactions GROUP BY payment_id, currency) t
				ON t.payment_id = p.id AND t.currency = p.currency WHERE p.received <> COALESCE(t.amount, 0)`,
		},
		{
			Name: "payment.stays_with_merchant", About: "a payment, its order and its account belong to one merchant",
			Query: `SELECT p.payment_no, 'order or account of another merchant' FROM payments p
				LEFT JOIN all_orders o ON o.id = p.order_id AND o.merchant_id = p.merchant_id
				LEFT JOIN payment_accounts a ON a.id = p.account_id AND a.merchant_id = p.merchant_id
				WHERE o.id IS NULL OR a.id IS NULL`,
		},
		{
			Name: "payment.refunds_add_up", About: "what was promised back is the sum of the refunds that did not fail",
			Query: `SELECT p.payment_no, 'promised ' || p.refunded || ', refunds ' || COALESCE(r.amount, 0)
				FROM payments p LEFT JOIN (SELECT payment_id, SUM(amount) AS amount FROM refunds WHERE status <> 'failed' GROUP BY payment_id) r
				ON r.payment_id = p.id WHERE p.refunded <> COALESCE(r.amount, 0) OR p.refunded > p.received`,
		},
		{
			Name: "payment.open_is_asked", About: "every open payment has a time at which its platform is asked",
			Query: `SELECT payment_no, 'never asked again' FROM payments
				WHERE status IN ('creating', 'open') AND next_query_at IS NULL`,
		},
		{
			Name: "payment.refund_is_tried", About: "every unfinished refund has a time at which it is tried",
			Query: `SELECT refund_no, 'never tried again' FROM refunds
				WHERE status IN ('requested', 'processing') AND next_try_at IS NULL`,
		},
	}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	return []dataclass.Table{
		dataclass.Of("payments", dataclass.Trade, []string{
			"id", "merchant_id", "order_id", "account_id", "payment_no", "provider", "method", "status", "amount",
			"currency", "received", "refunded", "code_url", "transaction_id", "settled_by", "next_query_at",
			"last_query_at", "queries", "created_at", "paid_at", "closed_at", "counted",
		}),
		dataclass.Of("payment_transactions", dataclass.Trade, []string{
			"provider", "account_id", "transaction_id", "merchant_id", "payment_id", "amount", "currency", "created_at", "paid_at",
		}),
		dataclass.Of("refunds", dataclass.Trade, []string{
			"id", "merchant_id", "order_id", "payment_id", "refund_no", "amount", "currency", "status", "reason",
			"source", "by_staff", "refund_id", "next_try_at", "tries", "created_at", "done_at", "credit_id",
		}),
		dataclass.Of("refund_lines", dataclass.Trade, []string{
			"refund_id", "line_no", "merchant_id", "order_id", "quantity", "withdrawn", "amount",
		}),
		dataclass.Of("holds", dataclass.Trade, []string{
			"id", "merchant_id", "order_id", "payment_id", "refund_id", "reason", "amount", "currency", "detail", "created_at",
			"resolved_at", "resolution",
		}),
		dataclass.Of("payment_accounts", dataclass.Trade, []string{
			"id", "merchant_id", "provider", "method", "external_ref", "app_ref", "sandbox", "name", "name_en", "status", "position",
			"version", "created_at", "updated_at", "min_amount", "max_amount", "day_amount", "day_count", "currency", "clients",
			"hours", "weight",
		}, map[string]dataclass.Class{"config_sealed": dataclass.Secret}),
	}
}
