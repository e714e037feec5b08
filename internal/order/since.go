package order

import (
	"time"

	"panshi/internal/db"
	"panshi/internal/id"
)

// Since is what happened to orders of one currency from a time on.
type Since struct {
	Currency string `json:"currency"`
	Placed   int64  `json:"placed"` // orders
	Paid     int64  `json:"paid"`   // orders that were paid then, whenever they were placed
	Minor    int64  `json:"minor"`  // what these cost, in minor units
}

const (
	// sinceMost bounds how many orders are looked at: the newest.
	sinceMost = 20_000
	// sinceBegun is how long before a time an order may have been placed that was
	// paid after it.
	sinceBegun = 2 * time.Hour
)

// SinceTx tells of the orders of all merchants that were placed or paid from a
// time on, at most the newest 20,000; more says that there are others.
func SinceTx(tx *db.Tx, at time.Time) (all []Since, more bool, err error) {
	ms, begun := db.Millis(at), at.Add(-sinceBegun)
	if begun.Before(time.Unix(0, 0)) {
		begun = time.Unix(0, 0) // before that no id was made
	}
	rows, err := tx.Query(`SELECT currency, COUNT(*), CAST(SUM(CASE WHEN created_at >= $1 THEN 1 ELSE 0 END) AS BIGINT),
		CAST(SUM(CASE WHEN paid_at >= $2 THEN 1 ELSE 0 END) AS BIGINT), CAST(SUM(CASE WHEN paid_at >= $3 THEN total ELSE 0 END) AS BIGINT)
		FROM (SELECT currency, total, created_at, paid_at FROM orders WHERE id >= $4 ORDER BY id DESC LIMIT $5) AS newest
		GROUP BY currency ORDER BY currency`, ms, ms, ms, id.Lowest(begun), int64(sinceMost))
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	seen := int64(0)
	for rows.Next() {
		var s Since
		var n int64
		if err := rows.Scan(&s.Currency, &n, &s.Placed, &s.Paid, &s.Minor); err != nil {
			return nil, false, err
		}
		seen += n
		if s.Placed+s.Paid > 0 {
			all = append(all, s)
		}
	}
	return all, seen >= sinceMost, rows.Err()
}
