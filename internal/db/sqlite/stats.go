package sqlite

import "sync/atomic"

// counters count since opening.
type counters struct {
	batches, closures, reruns, failed, wakesLost atomic.Int64
}

// Stats is a look at the writer, for metrics.
type Stats struct {
	Queue     int   // closures that wait now
	Batches   int64 // transactions begun
	Closures  int64 // closures run, re-runs included
	Reruns    int64 // closures run again because their transaction was lost
	Failed    int64 // commits that failed
	WakesLost int64 // transactions whose wake-ups were dropped because earlier ones were slow
	Broken    bool  // the disk failed; no write is accepted
}

// Stats tells how the writer is doing.
func (d *DB) Stats() Stats {
	w := d.writer
	return Stats{
		Queue:   len(w.queue),
		Batches: w.stats.batches.Load(), Closures: w.stats.closures.Load(), Reruns: w.stats.reruns.Load(),
		Failed: w.stats.failed.Load(), WakesLost: w.stats.wakesLost.Load(),
		Broken: w.broken.Load(),
	}
}
