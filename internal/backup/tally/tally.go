package tally

import (
	"context"
	"errors"
	"slices"
	"time"

	"panshi/internal/backup/manifest"
	"panshi/internal/db"
	"panshi/internal/id"
)

const (
	day = 24 * time.Hour
	// detailed is how long days stay apart in what is told.
	detailed = 35 * day
	// trust is how long closed days are remembered: ids of a clock that was set
	// back may fall into one.
	trust = day
	// maxMillis is the last time that an id can have.
	maxMillis = 1<<48 - 1
	// rowsEvery is how long a count of rows is enough.
	rowsEvery = time.Hour
)

// Counter adds up one shop again and again. It is not safe for concurrent use.
type Counter struct {
	tables []string
	closed []period // without a hole, oldest first
	fresh  time.Time
	rowsAt time.Time
}

// period is what one day had.
type period struct {
	from, to       time.Time // to is zero for the last one, which is open
	orders, ledger map[string]manifest.Total
}

// NewCounter makes a Counter; tables are those whose rows are counted.
func NewCounter(tables []string) *Counter { return &Counter{tables: tables} }

// CatchUp adds up the closed days that are not remembered, each in a transaction
// of its own: they are the same in all, and a long one would keep the log of the
// database from starting over.
func (c *Counter) CatchUp(ctx context.Context, d db.DB, at time.Time) error {
	c.forget(at)
	var from time.Time
	err := d.View(db.WithLong(ctx), func(tx *db.Tx) (err error) {
		from, err = c.next(tx, at)
		return err
	})
	for err == nil && manifest.Closed(from.Add(day), at) {
		p := period{from: from, to: from.Add(day)}
		if err = d.View(db.WithLong(ctx), p.addUp); err == nil {
			c.closed = append(c.closed, p)
		}
		from = p.to
	}
	return err
}

// forget lets go of closed days when it is time to read them anew.
func (c *Counter) forget(at time.Time) {
	if at.Sub(c.fresh) >= trust || at.Before(c.fresh) {
		c.closed, c.fresh = nil, at
	}
}

// Count adds up what tx sees at a time. Rows is nil if it was told less than an
// hour ago.
func (c *Counter) Count(tx *db.Tx, at time.Time) (manifest.Sums, error) {
	c.forget(at)
	open, err := c.days(tx, at)
	if err != nil {
		return manifest.Sums{}, err
	}
	s := told(slices.Concat(c.closed, open), at)
	if at.Sub(c.rowsAt) < rowsEvery && !at.Before(c.rowsAt) {
		return s, nil
	}
	s.Rows, err = rowsOf(tx, c.tables)
	c.rowsAt = at
	return s, err
}

// days adds up the days that are not remembered, remembers those that are
// closed, and gives the others.
func (c *Counter) days(tx *db.Tx, at time.Time) (open []period, err error) {
	from, err := c.next(tx, at)
	if err != nil {
		return nil, err
	}
	for ; ; from = from.Add(day) {
		p := period{from: from, to: from.Add(day)}
		if p.to.After(at) {
			p.to = time.Time{}
		}
		if err := p.addUp(tx); err != nil {
			return nil, err
		}
		switch {
		case p.to.IsZero():
			return append(open, p), nil
		case len(open) == 0 && manifest.Closed(p.to, at):
			c.closed = append(c.closed, p)
		default:
			open = append(open, p)
		}
	}
}

// next is the first day that is not remembered.
func (c *Counter) next(tx *db.Tx, at time.Time) (time.Time, error) {
	if len(c.closed) > 0 {
		return c.closed[len(c.closed)-1].to, nil
	}
	first := at
	for _, query := range []string{
		`SELECT id FROM orders WHERE id >= $1 ORDER BY id LIMIT 1`,
		`SELECT id FROM archived_orders WHERE id >= $1 ORDER BY id LIMIT 1`,
		`SELECT entry_id FROM ledger_postings WHERE entry_id >= $1 ORDER BY entry_id LIMIT 1`,
		`SELECT entry_id FROM archived_ledger_postings WHERE entry_id >= $1 ORDER BY entry_id LIMIT 1`,
	} {
		ids, err := db.Collect(tx, func(rows db.Rows) (v id.ID, err error) { return v, rows.Scan(&v) }, query, make([]byte, len(id.ID{})))
		if err != nil {
			return first, err
		}
		if len(ids) > 0 && ids[0].Time().Before(first) {
			first = ids[0].Time()
		}
	}
	return first.UTC().Truncate(day), nil
}

// addUp reads the period: what sells, and what is archived. The two are asked
// one by one, because SQLite would make a list of both first.
func (p *period) addUp(tx *db.Tx) error {
	from, to := id.Lowest(p.from), id.Lowest(time.UnixMilli(maxMillis))
	if !p.to.IsZero() {
		to = id.Lowest(p.to)
	}
	p.orders, p.ledger = map[string]manifest.Total{}, map[string]manifest.Total{}
	var all []error
	for _, query := range []string{
		`SELECT merchant_id, currency, COUNT(*), CAST(SUM(total) AS BIGINT) FROM orders WHERE id >= $1 AND id < $2
			GROUP BY merchant_id, currency`,
		`SELECT merchant_id, currency, COUNT(*), CAST(SUM(total) AS BIGINT) FROM archived_orders WHERE id >= $1 AND id < $2
			GROUP BY merchant_id, currency`,
	} {
		all = append(all, totals(tx, p.orders, byMerchant, query, from[:], to[:]))
	}
	for _, query := range []string{
		`SELECT account, currency, COUNT(*), CAST(SUM(amount) AS BIGINT) FROM ledger_postings
			WHERE entry_id >= $1 AND entry_id < $2 GROUP BY account, currency`,
		`SELECT account, currency, COUNT(*), CAST(SUM(amount) AS BIGINT) FROM archived_ledger_postings
			WHERE entry_id >= $1 AND entry_id < $2 GROUP BY account, currency`,
	} {
		all = append(all, totals(tx, p.ledger, byAccount, query, from[:], to[:]))
	}
	return errors.Join(all...)
}

func byMerchant(rows db.Rows) (key string, t manifest.Total, err error) {
	var merchant id.ID
	var currency string
	err = rows.Scan(&merchant, &currency, &t.Count, &t.Amount)
	return merchant.String() + " " + currency, t, err
}

func byAccount(rows db.Rows) (key string, t manifest.Total, err error) {
	var account, currency string
	err = rows.Scan(&account, &currency, &t.Count, &t.Amount)
	return account + " " + currency, t, err
}

// totals adds what a query finds to sums.
func totals(tx *db.Tx, sums map[string]manifest.Total, scan func(db.Rows) (string, manifest.Total, error), query string, args ...any) error {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		key, t, err := scan(rows)
		if err != nil {
			return err
		}
		sums[key] = sums[key].Plus(t)
	}
	return rows.Err()
}

// told gives periods the form of Sums: old ones by month.
func told(all []period, at time.Time) manifest.Sums {
	s := manifest.Sums{Time: at.UnixMilli(), Orders: map[string]manifest.Total{}, Ledger: map[string]manifest.Total{}}
	for _, p := range all {
		when := p.from.Format(manifest.DayForm)
		if at.Sub(endOfMonth(p.from)) > detailed {
			when = p.from.Format(manifest.MonthForm)
		}
		add(s.Orders, when, p.orders)
		add(s.Ledger, when, p.ledger)
	}
	return s
}

func endOfMonth(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

func add(to map[string]manifest.Total, when string, from map[string]manifest.Total) {
	for key, t := range from {
		to[when+" "+key] = to[when+" "+key].Plus(t)
	}
}
