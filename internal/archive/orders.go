package archive

import (
	"time"

	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/order"
)

// candidate is an order that the walk passes.
type candidate struct {
	id    id.ID
	at    db.Time // when it was placed
	lines int     // 0 if it must stay
}

// over says of an order o that it ended before a time that stands for $1 and
// that nothing about it is under way.
const over = `o.status IN ('completed', 'closed', 'refunded') AND COALESCE(o.closed_at, o.created_at) <= $1
	AND COALESCE(o.paid_at, o.created_at) <= $1 AND COALESCE(o.delivered_at, o.created_at) <= $1
	AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.order_id = o.id
		AND (p.status IN ('creating', 'open') OR p.next_query_at IS NOT NULL))
	AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.order_id = o.id AND (r.done_at IS NULL OR r.done_at > $1))
	AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.order_id = o.id AND h.resolved_at IS NULL)
	AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.order_id = o.id AND d.status = 'waiting')`

// ordersTx moves the orders that are over among those next after an id, in the
// order of time. It tells the last one that it passed, moved or not; the zero
// id when no order is that old any more.
func ordersTx(tx *db.Tx, after id.ID, cutoff time.Time) (last id.ID, err error) {
	query := `SELECT o.id, o.created_at, CASE WHEN ` + over + `
		THEN (SELECT COUNT(*) FROM order_lines l WHERE l.order_id = o.id) ELSE 0 END
		FROM orders o WHERE o.id > $2 ORDER BY o.id LIMIT $3`
	if tx.Engine() == db.Postgres {
		query += ` FOR UPDATE OF o SKIP LOCKED` // or it could change between the copy and the removal
	}
	next, err := db.Collect(tx, func(rows db.Rows) (c candidate, err error) {
		return c, rows.Scan(&c.id, &c.at, &c.lines)
	}, query, db.Millis(cutoff), after[:], order.MaxArchive)
	if err != nil {
		return id.ID{}, err
	}
	var moving []id.ID
	rows, months := 0, map[db.Month]bool{}
	for _, c := range next {
		if c.at.After(cutoff) || rows+2*(1+c.lines) > db.MaxRows {
			break
		}
		last = c.id
		if c.lines > 0 {
			rows += 2 * (1 + c.lines) // copied and removed
			moving, months[db.MonthOf(c.id)] = append(moving, c.id), true
		}
	}
	for month := range months {
		for _, table := range order.ArchiveTables() {
			if err := db.PartitionTx(tx, table, month); err != nil {
				return id.ID{}, err
			}
		}
	}
	return last, order.ArchiveTx(tx, moving)
}
