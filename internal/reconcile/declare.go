package reconcile

import (
	"panshi/internal/dataclass"
	"panshi/internal/invariant"
)

// Invariants declares what `panshi check` verifies of closed days.
func Invariants() []invariant.Invariant {
	return append(billInvariants(), bookInvariants()...)
}

func billInvariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "reconcile.closed_day_has_bill", About: "the sums of a closed day are those of its bill's lines",
			Query: `SELECT d.day, 'bill ' || d.bill_paid || '/' || d.bill_refunded || '/' || d.bill_count || ', lines ' || COALESCE(l.paid, 0) || '/'
				|| COALESCE(l.refunded, 0) || '/' || COALESCE(l.lines, 0) FROM reconcile_days d LEFT JOIN
				(SELECT day_id, COUNT(*) AS lines, SUM(CASE WHEN kind = 'payment' THEN amount ELSE 0 END) AS paid,
				SUM(CASE WHEN kind = 'refund' THEN amount ELSE 0 END) AS refunded FROM reconcile_lines GROUP BY day_id) l ON l.day_id = d.id
				WHERE d.state = 'closed' AND (d.bill_paid <> COALESCE(l.paid, 0) OR d.bill_refunded <> COALESCE(l.refunded, 0)
				OR d.bill_count <> COALESCE(l.lines, 0))`,
		},
		{
			Name: "reconcile.closed_day_has_payments", About: "every payment in the bill of a closed day is in the shop with its amount",
			Query: `SELECT d.day, l.payment_no FROM reconcile_days d JOIN reconcile_lines l ON l.day_id = d.id AND l.merchant_id = d.merchant_id
				LEFT JOIN payments p ON p.payment_no = l.payment_no AND p.merchant_id = l.merchant_id
				LEFT JOIN payment_transactions t ON t.provider = p.provider AND t.account_id = p.account_id
				AND t.transaction_id = l.transaction_id AND t.payment_id = p.id
				WHERE d.state = 'closed' AND l.kind = 'payment'
				AND (t.transaction_id IS NULL OR t.amount <> l.amount OR t.currency <> d.currency)`,
		},
		{
			Name: "reconcile.closed_day_has_refunds", About: "every refund in the bill of a closed day is done in the shop with its amount",
			Query: `SELECT d.day, l.refund_no FROM reconcile_days d JOIN reconcile_lines l ON l.day_id = d.id AND l.merchant_id = d.merchant_id
				LEFT JOIN refunds r ON r.refund_no = l.refund_no AND r.merchant_id = l.merchant_id
				WHERE d.state = 'closed' AND l.kind = 'refund'
				AND (r.id IS NULL OR r.status <> 'succeeded' OR r.amount <> l.amount OR r.currency <> d.currency)`,
		},
	}
}

func bookInvariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "reconcile.closed_day_in_books", About: "the books gained at the platform what a closed day says",
			Query: `SELECT d.day, 'day ' || (d.bill_paid - d.bill_refunded) || ', books ' || COALESCE(b.net, 0) FROM reconcile_days d LEFT JOIN
				(SELECT x.day_id, SUM(g.amount) AS net FROM
				(SELECT l.day_id, e.id FROM reconcile_lines l
					JOIN payments p ON p.payment_no = l.payment_no AND p.merchant_id = l.merchant_id JOIN ledger_entries e ON e.subject_id = p.id
					WHERE l.kind = 'payment' AND (e.kind = 'suspense/' || l.transaction_id OR (e.kind = 'payment' AND p.transaction_id = l.transaction_id))
				UNION ALL SELECT l.day_id, e.id FROM reconcile_lines l JOIN refunds r ON r.refund_no = l.refund_no AND r.merchant_id = l.merchant_id
					JOIN ledger_entries e ON e.subject_id = r.id WHERE l.kind = 'refund' AND e.kind = 'refund_paid') x
				JOIN all_ledger_postings g ON g.entry_id = x.id WHERE g.account LIKE 'provider/%' GROUP BY x.day_id) b ON b.day_id = d.id
				WHERE d.state = 'closed' AND d.bill_paid - d.bill_refunded <> COALESCE(b.net, 0)`,
		},
		{
			Name: "reconcile.fees_booked", About: "the fee of a closed day is in the books once, and no other is",
			Query: `SELECT COALESCE(d.day, 'no day'), 'fee ' || COALESCE(d.bill_fees, 0) || ', books ' || COALESCE(f.amount, 0) FROM
				(SELECT id, day, bill_fees FROM reconcile_days WHERE state = 'closed') d FULL JOIN
				(SELECT e.subject_id, SUM(g.amount) AS amount FROM ledger_entries e JOIN all_ledger_postings g ON g.entry_id = e.id
				WHERE e.kind = 'fee' AND g.account = 'fees' GROUP BY e.subject_id) f ON f.subject_id = d.id
				WHERE COALESCE(d.bill_fees, 0) <> COALESCE(f.amount, 0)`,
		},
	}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	return []dataclass.Table{
		dataclass.Of("reconcile_days", dataclass.Trade, []string{
			"id", "merchant_id", "account_id", "day", "currency", "state", "run", "digest", "stored", "bill_count", "bill_paid",
			"bill_refunded", "bill_fees", "our_count", "our_paid", "our_refunded", "ledger_net", "problem", "fetched_at",
			"next_try_at", "closed_at", "created_at",
		}),
		dataclass.Of("reconcile_lines", dataclass.Trade, []string{
			"merchant_id", "day_id", "kind", "transaction_id", "refund_no", "payment_no", "amount", "fee", "state", "at",
		}),
		dataclass.Of("reconcile_cases", dataclass.Trade, []string{
			"id", "merchant_id", "day_id", "kind", "line_kind", "transaction_id", "number", "bill_amount", "our_amount",
			"currency", "remedy", "seen_run", "created_at", "resolved_at", "resolved_by", "reason",
		}),
	}
}
