package app

import (
	"runtime"

	"panshi/internal/db/postgres"
	"panshi/internal/db/sqlite"
	"panshi/internal/guard"
)

// seats is how many may wait for those who read. Waiting costs little, and slows
// down who asks again without a pause; beyond it refusing must be cheap.
const seats = 256

// newBulkhead puts the budget of those who look around before d. The shelf has
// half of the readers. Searches read through the whole catalogue, on SQLite on
// our own processors: they have half of them, on a server a quarter of the
// connections.
func newBulkhead(cfg Config, d *database) *guard.Bulkhead {
	readers, searches := orElse(cfg.DB.ReadConns, sqlite.DefaultReadConns), runtime.GOMAXPROCS(0)/2
	if cfg.DB.URL != "" {
		readers = orElse(cfg.DB.MaxConns, postgres.DefaultMaxConns)
		searches = readers / 4
	}
	lane := func(n int) guard.Lane { return guard.Lane{AtOnce: max(1, n), Waiting: seats} }
	return guard.NewBulkhead(d, lane(readers/2), lane(orElse(cfg.Guard.SearchesAtOnce, searches)))
}

func orElse(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// bulkheadGauge tells of those who had to be sent away.
func (s *Shop) bulkheadGauge() gauge {
	return gauge{
		name: "panshi_reads_refused_total", help: "Lists and searches that found too many others looking.",
		read: func() float64 { return float64(s.bulkhead.Refused()) },
	}
}
