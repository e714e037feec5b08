package postgres

import (
	"sync"
	"sync/atomic"
)

// counters count since opening.
type counters struct {
	commits, views, retries, careful, unknown, wakesLost atomic.Int64
}

// Stats is a look at the engine, for metrics.
type Stats struct {
	Commits   int64 // Updates committed
	Views     int64 // Views that ended
	Retries   int64 // runs after a deadlock, a serialization failure or a lost connection
	Careful   int64 // runs with savepoints, because a closure went on after a failed statement
	Unknown   int64 // commits whose outcome is unknown
	WakesLost int64 // transactions whose wake-ups were dropped because earlier ones were slow
	Guarded   int   // statements that have a savepoint of their own
	Conns     int   // connections open now
	Busy      int   // connections at work now
}

// Stats tells how the engine is doing.
func (d *DB) Stats() Stats {
	online, long := d.online.Stat(), d.long.Stat()
	return Stats{
		Commits: d.stats.commits.Load(), Views: d.stats.views.Load(),
		Retries: d.stats.retries.Load(), Careful: d.stats.careful.Load(), Unknown: d.stats.unknown.Load(),
		WakesLost: d.stats.wakesLost.Load(), Guarded: d.wary.len(),
		Conns: int(online.TotalConns() + long.TotalConns()),
		Busy:  int(online.AcquiredConns() + long.AcquiredConns()),
	}
}

// waryLimit bounds how many statements are remembered; their texts are
// constants of the program, so that few ever are.
const waryLimit = 500

// wary remembers the statements after whose failure a closure went on.
type wary struct {
	mu    sync.RWMutex
	texts map[string]bool // guarded by mu
}

func (w *wary) of(query string) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.texts[query]
}

func (w *wary) remember(query string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.texts == nil {
		w.texts = make(map[string]bool)
	}
	if len(w.texts) < waryLimit {
		w.texts[query] = true
	}
}

func (w *wary) len() int {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.texts)
}
