package proof

import (
	"context"

	"panshi/internal/backup/manifest"
	"panshi/internal/db"
)

// day is in milliseconds, in which times are kept.
const day = 24 * 60 * 60 * 1000

// Count adds up a restored shop: the rows of tables, orders by day (since 1970,
// UTC), state and currency, and the ledger by account and currency. It reads
// everything, so it is for scratch copies.
func Count(ctx context.Context, d db.DB, tables []string) (manifest.Sums, error) {
	s := manifest.Sums{Rows: map[string]int64{}, Orders: map[string]manifest.Total{}, Ledger: map[string]int64{}}
	err := d.View(db.WithLong(ctx), func(tx *db.Tx) error {
		for _, table := range tables {
			var n int64
			if err := tx.Get([]any{&n}, rowsOf(table)); err != nil {
				return err
			}
			s.Rows[table] = n
		}
		if err := orders(tx, s.Orders); err != nil {
			return err
		}
		return ledger(tx, s.Ledger)
	})
	return s, err
}

// rowsOf asks for the rows of a table of ours; names come from no input.
func rowsOf(table string) string { return `SELECT COUNT(*) FROM ` + table }

func orders(tx *db.Tx, out map[string]manifest.Total) error {
	rows, err := tx.Query(`SELECT CAST(created_at / $1 AS TEXT) || ' ' || status || ' ' || currency, COUNT(*), CAST(SUM(total) AS BIGINT)
		FROM all_orders GROUP BY 1`, int64(day))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var t manifest.Total
		if err := rows.Scan(&key, &t.Count, &t.Amount); err != nil {
			return err
		}
		out[key] = t
	}
	return rows.Err()
}

func ledger(tx *db.Tx, out map[string]int64) error {
	rows, err := tx.Query(`SELECT account || ' ' || currency, CAST(SUM(amount) AS BIGINT) FROM all_ledger_postings GROUP BY 1`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var sum int64
		if err := rows.Scan(&key, &sum); err != nil {
			return err
		}
		out[key] = sum
	}
	return rows.Err()
}
