package account

import (
	"panshi/internal/dataclass"
	"panshi/internal/invariant"
)

// Invariants declares what `panshi check` verifies of store credit by itself;
// what ties it to payments and refunds is declared by package checkout.
func Invariants() []invariant.Invariant {
	return []invariant.Invariant{
		{
			Name: "account.balance_is_movements", About: "a credit account's balance is the sum of its movements, and never below zero",
			Query: `SELECT c.number, 'balance ' || c.balance || ', movements ' || COALESCE(m.amount, 0) FROM credit_accounts c
				LEFT JOIN (SELECT credit_id, currency, SUM(amount) AS amount FROM credit_movements GROUP BY credit_id, currency) m
				ON m.credit_id = c.id AND m.currency = c.currency WHERE c.balance <> COALESCE(m.amount, 0) OR c.balance < 0`,
		},
		{
			Name: "account.balance_is_booked", About: "what the books owe to credit accounts is their balance, account by account",
			Query: `SELECT b.account, b.currency || ' balance ' || SUM(b.kept) || ', books ' || SUM(b.owed) FROM
				(SELECT merchant_id, 'credit/' || number AS account, currency, balance AS kept, 0 AS owed FROM credit_accounts
				UNION ALL SELECT merchant_id, account, currency, 0, -amount FROM all_ledger_postings WHERE account LIKE 'credit/%') b
				GROUP BY b.merchant_id, b.account, b.currency HAVING SUM(b.kept) <> SUM(b.owed)`,
		},
		{
			Name: "account.movements_stay", About: "a movement belongs to an account of its merchant and currency",
			Query: `SELECT m.id, 'account of another merchant or currency' FROM credit_movements m LEFT JOIN credit_accounts c
				ON c.id = m.credit_id AND c.merchant_id = m.merchant_id AND c.currency = m.currency WHERE c.id IS NULL`,
		},
		{
			Name: "account.taken_back_was_approved", About: "nobody takes credit from a buyer alone",
			Query: `SELECT m.id, 'no approval' FROM credit_movements m WHERE m.kind = 'taken_back' AND NOT EXISTS
				(SELECT 1 FROM approvals a WHERE a.id = m.approval_id AND a.merchant_id = m.merchant_id AND a.status = 'approved')`,
		},
		{
			Name: "account.closed_is_empty", About: "a closed account holds nothing but what came back since",
			Query: `SELECT c.number, 'closed with ' || c.balance FROM credit_accounts c WHERE c.state = 'closed' AND c.balance > 0
				AND NOT EXISTS (SELECT 1 FROM credit_movements m WHERE m.credit_id = c.id AND m.kind = 'returned')`,
		},
	}
}

// Columns declares the data classes of this package's tables.
func Columns() []dataclass.Table {
	return []dataclass.Table{
		dataclass.Of("credit_accounts", dataclass.Trade, []string{
			"id", "merchant_id", "number", "contact_kind", "currency", "balance", "state", "code_version", "created_at",
		}, map[string]dataclass.Class{"contact_sealed": dataclass.PII, "contact_index": dataclass.PII}),
		dataclass.Of("credit_movements", dataclass.Trade, []string{
			"id", "merchant_id", "credit_id", "kind", "amount", "currency", "balance", "subject_id", "order_no", "approval_id", "created_at",
		}),
	}
}
