package mirror

import "time"

// A shop in which nothing happens brings no segment, and its copies would seem to
// grow old. So a manifest also says up to when nothing is missing, and one is
// written for that alone when the last has said it long ago.

// shownUntil takes down up to when a look has shown everything.
func (m *Mirror) shownUntil(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shown = at
}

// complete is the time up to which the destination has everything, zero if that
// cannot be said now: log waits for it, or a large file is being sealed.
func (c *copier) complete() time.Time {
	if _, restorable := c.state.furthest(); !restorable {
		return time.Time{}
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.from.Waiting || len(c.m.staging) > 0 {
		return time.Time{}
	}
	for _, it := range c.m.items {
		if it.log && !it.done[c.Label] {
			return time.Time{}
		}
	}
	return c.m.shown
}

// millis is a time as a manifest tells it.
func millis(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

// attestDue tells whether a manifest is due that says nothing but up to when
// everything is there.
func (c *copier) attestDue(now time.Time) bool {
	return now.Sub(c.attested) >= c.m.cfg.AttestEvery && c.complete().After(c.attested)
}
