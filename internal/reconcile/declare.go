package reconcile

import (
	"slices"

	"panshi/internal/dataclass"
	"panshi/internal/invariant"
)

// Invariants declares what `panshi check` verifies of closed days.
func Invariants() []invariant.Invariant {
	return slices.Concat(billInvariants(), bookInvariants(), decisionInvariants())
}

// decided finds a person's decision about line l of a bill.
const decided = ` FROM reconcile_cases c WHERE c.merchant_id = l.merchant_id AND c.day_id = l.day_id AND c.line_kind = l.kind
	AND c.transaction_id = l.transaction_id AND c.kind <> 'fee' AND c.decision <> ''`

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
			Name: "reconcile.closed_day_has_payments", About: "every payment in the bill of a closed day is in the shop with its amount, or was decided about",
			Query: `SELECT d.day, l.payment_no FROM reconcile_days d JOIN reconcile_lines l ON l.day_id = d.id AND l.merchant_id = d.merchant_id
				LEFT JOIN payments p ON p.payment_no = l.payment_no AND p.merchant_id = l.merchant_id
				LEFT JOIN payment_transactions t ON t.provider = p.provider AND t.account_id = p.account_id
				AND t.transaction_id = l.transaction_id AND t.payment_id = p.id
				WHERE d.state = 'closed' AND l.kind = 'payment' AND NOT EXISTS (SELECT 1` + decided + ` AND c.number = l.payment_no)
				AND (t.transaction_id IS NULL OR t.amount <> l.amount OR t.currency <> d.currency)`,
		},
		{
			Name: "reconcile.closed_day_has_refunds", About: "every refund in the bill of a closed day is done in the shop with its amount, or was decided about",
			Query: `SELECT d.day, l.refund_no FROM reconcile_days d JOIN reconcile_lines l ON l.day_id = d.id AND l.merchant_id = d.merchant_id
				LEFT JOIN refunds r ON r.refund_no = l.refund_no AND r.merchant_id = l.merchant_id
				WHERE d.state = 'closed' AND l.kind = 'refund' AND NOT EXISTS (SELECT 1` + decided + ` AND c.number = l.refund_no)
				AND (r.id IS NULL OR r.status <> 'succeeded' OR r.amount <> l.amount OR r.currency <> d.currency)`,
		},
	}
}

func bookInvariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "reconcile.closed_day_in_books", About: "the books gained at the platform what a closed day says, decisions included",
			Query: `SELECT d.day, 'day ' || (d.bill_paid - d.bill_refunded) || ', books ' || COALESCE(b.net, 0) FROM reconcile_days d LEFT JOIN
				(SELECT x.day_id, SUM(g.amount) AS net FROM
				(SELECT l.day_id, e.id FROM reconcile_lines l
					JOIN payments p ON p.payment_no = l.payment_no AND p.merchant_id = l.merchant_id
					JOIN payment_transactions t ON t.provider = p.provider AND t.account_id = p.account_id AND t.transaction_id = l.transaction_id
					JOIN payments o ON o.id = t.payment_id JOIN ledger_entries e ON e.subject_id = o.id
					WHERE l.kind = 'payment' AND (e.kind = 'suspense/' || l.transaction_id OR (e.kind = 'payment' AND o.transaction_id = l.transaction_id))
				UNION ALL SELECT l.day_id, e.id FROM reconcile_lines l JOIN refunds r ON r.refund_no = l.refund_no AND r.merchant_id = l.merchant_id
					JOIN ledger_entries e ON e.subject_id = r.id WHERE l.kind = 'refund' AND e.kind = 'refund_paid'
				UNION ALL SELECT c.day_id, e.id FROM reconcile_cases c JOIN ledger_entries e ON e.subject_id = c.id
					WHERE c.kind <> 'ours_only' AND e.kind LIKE 'adjustment/%') x
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

func decisionInvariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "reconcile.closed_day_agrees", About: "bill, payments and books of a closed day agree to the fen, decisions included, and no case is open",
			Query: `SELECT d.day, 'bill ' || d.bill_paid || '/' || d.bill_refunded || ', shop ' || d.our_paid || '/' || d.our_refunded || ', books '
				|| d.ledger_net || ', decided ' || d.decided_net FROM reconcile_days d
				LEFT JOIN (SELECT day_id, SUM(CASE WHEN resolved_at IS NULL THEN 1 ELSE 0 END) AS open, SUM(adjusted) AS net
				FROM reconcile_cases GROUP BY day_id) c ON c.day_id = d.id
				WHERE d.state = 'closed' AND (d.bill_count <> d.our_count + d.decided_count OR d.bill_paid <> d.our_paid + d.decided_paid
				OR d.bill_refunded <> d.our_refunded + d.decided_refunded OR d.bill_paid - d.bill_refunded <> d.ledger_net + d.decided_net
				OR COALESCE(c.open, 0) <> 0 OR COALESCE(c.net, 0) <> d.decided_net)`,
		},
		{
			Name: "reconcile.decisions_in_books", About: "what a person decided is in the books, and nothing else is booked as decided",
			Query: `SELECT COALESCE(c.number, 'no case'), 'case ' || COALESCE(c.adjusted, 0) || ', books ' || COALESCE(b.net, 0) FROM
				(SELECT id, number, adjusted FROM reconcile_cases WHERE posted > 0) c FULL JOIN
				(SELECT e.subject_id, SUM(CASE WHEN g.account LIKE 'provider/%' THEN g.amount ELSE 0 END) AS net
				FROM ledger_entries e JOIN all_ledger_postings g ON g.entry_id = e.id
				WHERE e.kind LIKE 'adjustment/%' GROUP BY e.subject_id) b ON b.subject_id = c.id
				WHERE COALESCE(c.adjusted, 0) <> COALESCE(b.net, 0) OR c.id IS NULL`,
		},
	}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	return []dataclass.Table{
		dataclass.Of("reconcile_days", dataclass.Trade, []string{
			"id", "merchant_id", "account_id", "day", "currency", "state", "run", "digest", "stored", "bill_count", "bill_paid",
			"bill_refunded", "bill_fees", "our_count", "our_paid", "our_refunded", "ledger_net", "decided_count", "decided_paid",
			"decided_refunded", "decided_net", "problem", "fetched_at",
			"next_try_at", "closed_at", "created_at",
		}),
		dataclass.Of("reconcile_lines", dataclass.Trade, []string{
			"merchant_id", "day_id", "kind", "transaction_id", "refund_no", "payment_no", "amount", "fee", "state", "at",
		}),
		dataclass.Of("reconcile_cases", dataclass.Trade, []string{
			"id", "merchant_id", "day_id", "kind", "line_kind", "transaction_id", "number", "bill_amount", "our_amount",
			"currency", "remedy", "seen_run", "created_at", "resolved_at", "resolved_by", "reason",
			"account_id", "ledger_amount", "decision", "adjusted", "posted",
		}),
	}
}
