package cache

import (
	"sync/atomic"
	"time"
)

// Stats is a look at a Cache, for metrics.
type Stats struct {
	Hits    int64 // answered from a fresh entry
	Stale   int64 // asked for a stale one
	Loads   int64 // ended, well or not
	Failed  int64 // of them, without a value
	Evicted int64
	Loading time.Duration // spent in loads
	Entries int
	Bytes   int64
}

type counters struct {
	hits, stale, loads, failed, evicted, loading atomic.Int64
}

func (c *counters) note(stale bool) {
	if stale {
		c.stale.Add(1)
		return
	}
	c.hits.Add(1)
}

func (c *counters) loaded(took time.Duration, ok bool) {
	c.loads.Add(1)
	c.loading.Add(int64(took))
	if !ok {
		c.failed.Add(1)
	}
}

func (c *counters) read() Stats {
	return Stats{
		Hits: c.hits.Load(), Stale: c.stale.Load(), Loads: c.loads.Load(), Failed: c.failed.Load(),
		Evicted: c.evicted.Load(), Loading: time.Duration(c.loading.Load()),
	}
}
