package reconcile

import (
	"time"

	"panshi/internal/db"
)

// Late is what should be reconciled by now and is not.
type Late struct {
	Days   int64   `json:"days"`             // days of an account
	Oldest string  `json:"oldest,omitempty"` // date
	Cases  int64   `json:"cases"`            // open ones of those days
	Money  []Money `json:"money,omitempty"`  // what the cases are about, by currency
}

// Money is a sum of amounts without their signs, in minor units.
type Money struct {
	Currency string `json:"currency"`
	Minor    int64  `json:"minor"`
}

// lateAfter is how many days a day has until it is late: a bill comes in the
// morning after it.
const lateAfter = 2

// LateTx tells what is late in all the shop.
func LateTx(tx *db.Tx) (l Late, err error) {
	before := tx.Now().In(Zone()).AddDate(0, 0, -lateAfter).Format(time.DateOnly)
	if err := tx.Get([]any{&l.Days, &l.Oldest}, `SELECT COUNT(*), COALESCE(MIN(day), '') FROM reconcile_days
		WHERE state <> 'closed' AND day < $1`, before); err != nil || l.Days == 0 {
		return l, err
	}
	if err := tx.Get([]any{&l.Cases}, `SELECT COUNT(*) FROM reconcile_days d JOIN reconcile_cases c
		ON c.merchant_id = d.merchant_id AND c.day_id = d.id AND c.resolved_at IS NULL
		WHERE d.state <> 'closed' AND d.day < $1`, before); err != nil {
		return l, err
	}
	l.Money, err = db.Collect(tx, func(rows db.Rows) (m Money, err error) {
		err = rows.Scan(&m.Currency, &m.Minor)
		return m, err
	}, `SELECT c.currency, CAST(SUM(ABS(c.bill_amount - CASE WHEN c.kind = 'fee' THEN c.bill_amount ELSE c.our_amount END)) AS BIGINT)
		FROM reconcile_days d JOIN reconcile_cases c
		ON c.merchant_id = d.merchant_id AND c.day_id = d.id AND c.resolved_at IS NULL
		WHERE d.state <> 'closed' AND d.day < $1 GROUP BY c.currency ORDER BY c.currency`, before)
	return l, err
}
