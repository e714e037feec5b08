package payment

import (
	"errors"

	"panshi/internal/db"
	"panshi/internal/id"
)

// Functions of this file are for PostgreSQL, one statement for a batch of
// reports; SQLite settles each report by itself.

// ErrMoved says that a payment changed while a batch was at work on it.
var ErrMoved = errors.New("payment: it does not wait for money any more")

// ByNosTx reads the payments with these numbers, of any merchant, by number.
func ByNosTx(tx *db.Tx, numbers []string) (map[string]Payment, error) {
	found := make(map[string]Payment, len(numbers))
	payments, err := db.Collect(tx, scan, `SELECT `+columns+` FROM payments WHERE payment_no = ANY($1)`, numbers)
	for _, p := range payments {
		found[p.No] = p
	}
	return found, err
}

// Settling is a payment with the report that pays it and what is written of it.
type Settling struct {
	Payment    Payment
	Report     Report
	Settlement Settlement
}

// TransactionsTx claims transactions for their payments as TransactionTx does,
// and tells which payments got theirs. No two may claim the same.
func TransactionsTx(tx *db.Tx, claims []Settling) (fresh map[id.ID]bool, err error) {
	n := len(claims)
	providers, transactions, currencies := make([]string, n), make([]string, n), make([]string, n)
	accounts, merchants, payments, amounts := make([]id.ID, n), make([]id.ID, n), make([]id.ID, n), make([]int64, n)
	paid := make([]int64, n)
	for i, c := range claims {
		providers[i], accounts[i], transactions[i] = c.Payment.Provider, c.Payment.AccountID, c.Report.TransactionID
		merchants[i], payments[i] = c.Payment.MerchantID, c.Payment.ID
		amounts[i], currencies[i] = c.Report.Amount.Minor, string(c.Report.Amount.Currency)
		paid[i] = db.MillisOrZero(c.Report.PaidAt)
	}
	fresh = make(map[id.ID]bool, n)
	_, err = db.Collect(tx, func(rows db.Rows) (none struct{}, err error) {
		var owner id.ID
		err = rows.Scan(&owner)
		fresh[owner] = true
		return none, err
	}, `INSERT INTO payment_transactions
		(provider, account_id, transaction_id, merchant_id, payment_id, amount, currency, created_at, paid_at)
		SELECT t.provider, t.account_id, t.transaction_id, t.merchant_id, t.payment_id, t.amount, t.currency, $1, NULLIF(t.paid_at, 0)
		FROM UNNEST($2::TEXT[], $3::BYTEA[], $4::TEXT[], $5::BYTEA[], $6::BYTEA[], $7::BIGINT[], $8::TEXT[], $9::BIGINT[])
			AS t(provider, account_id, transaction_id, merchant_id, payment_id, amount, currency, paid_at)
		ON CONFLICT (provider, account_id, transaction_id) DO NOTHING RETURNING payment_id`,
		db.Millis(tx.Now()), providers, accounts, transactions, merchants, payments, amounts, currencies, paid)
	return fresh, err
}

// SettledManyTx notes what SettledTx notes, of payments that wait for money.
// If one of them does not any more it fails with ErrMoved, and nothing may be
// committed. COALESCE keeps the planner from reckoning with what the states
// were at the last ANALYZE: where it thinks that nearly none waits it reads the
// whole table, and compares each row with each report.
func SettledManyTx(tx *db.Tx, settled []Settling) error {
	n := len(settled)
	ids, statuses, received := make([]id.ID, n), make([]string, n), make([]int64, n)
	transactions, by, paid := make([]string, n), make([]string, n), make([]int64, n)
	for i, s := range settled {
		ids[i], statuses[i], received[i] = s.Payment.ID, string(s.Settlement.Status), s.Settlement.Received
		transactions[i], by[i], paid[i] = s.Settlement.TransactionID, s.Settlement.By, s.Settlement.PaidAt.UnixMilli()
	}
	changed, err := tx.Exec(`UPDATE payments SET status = s.status, received = s.received,
		transaction_id = s.transaction_id, settled_by = s.settled_by, paid_at = s.paid_at, next_query_at = NULL
		FROM UNNEST($1::BYTEA[], $2::TEXT[], $3::BIGINT[], $4::TEXT[], $5::TEXT[], $6::BIGINT[])
			AS s(id, status, received, transaction_id, settled_by, paid_at)
		WHERE payments.id = s.id AND COALESCE(payments.status IN ('creating', 'open', 'closed')
			AND payments.received = 0 AND payments.transaction_id = '', FALSE)`,
		ids, statuses, received, transactions, by, paid)
	if err == nil && changed != int64(n) {
		return ErrMoved
	}
	return err
}
