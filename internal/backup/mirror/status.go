package mirror

import (
	"context"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/errs"
)

// Status is what one destination has, as far as it is proved.
type Status struct {
	Label, Region string
	// Following is false while the destination waits for a full.
	Following bool
	// Code is why the last round failed, "" if it did not.
	Code string
	// Objects and Bytes are there; Listed of the objects are in a manifest.
	Objects, Listed int
	Bytes           int64
	// Reach is how far a restore from here gets; Restorable is false if there is
	// no full.
	Reach      backup.Reach
	Restorable bool
	Head       manifest.Head // newest manifest
	// Complete is up to when everything that happened is there and listed, as a
	// manifest of this run says; zero if none did.
	Complete time.Time
	// Pending files, and their bytes, wait for this destination; Lag is the age
	// of the oldest.
	Pending      int
	PendingBytes int64
	Lag          time.Duration
	// Unread says that the credential may not read: what is there was confirmed by
	// the destination, and not read back. Kept says that it may not delete.
	Unread, Kept bool
	Left         int // objects that retention gave up and that are still there
	Alarms       []string
}

// Status tells how each destination stands, in the order of Config.Targets. Lag
// is counted now, whatever the copiers do.
func (m *Mirror) Status() []Status {
	now := m.cfg.Clock.Now()
	out := make([]Status, 0, len(m.copiers))
	for _, c := range m.copiers {
		c.mu.Lock()
		s := c.status
		c.mu.Unlock()
		s.Following, s.Pending, s.PendingBytes, s.Lag = m.behind(c, now)
		s.Alarms = m.alarms.active(c.Label)
		out = append(out, s)
	}
	return out
}

// Alarms are the codes of what ails the mirror as a whole.
func (m *Mirror) Alarms() []string { return m.alarms.active("") }

// behind counts what a destination lacks.
func (m *Mirror) behind(c *copier, now time.Time) (following bool, files int, bytes int64, lag time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, it := range m.items {
		if it.done[c.Label] {
			continue
		}
		files++
		bytes += it.weight()
		lag = max(lag, now.Sub(it.at))
	}
	return !c.from.Waiting, files, bytes, lag
}

// show publishes what the copier's goroutine knows.
func (c *copier) show(err error) {
	reach, found := c.state.furthest()
	code := ""
	if err != nil {
		code = errs.CodeOf(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status.Code = code
	c.status.Objects, c.status.Bytes = len(c.state.live), c.state.bytes
	c.status.Listed = len(c.state.live) - len(c.state.added)
	c.status.Reach, c.status.Restorable = reach, found
	c.status.Head, c.status.Complete = c.state.head, c.attested
	c.status.Unread, c.status.Kept, c.status.Left = c.told.Load(), c.keeps, len(c.state.left)
}

// watchEvery is how often alarms that come from the clock are looked at.
const watchEvery = 10 * time.Second

// askEvery is how often a destination that waits for a full asks again.
const askEvery = time.Hour

// watch raises the alarms that nobody raises who hangs: lag and silence.
func (m *Mirror) watch(ctx context.Context) {
	asked := map[string]time.Time{}
	began := m.cfg.Clock.Now()
	for backup.Pause(ctx, watchEvery) == nil {
		now := m.cfg.Clock.Now()
		m.mu.Lock()
		heard := m.lastSeen
		if m.shown.After(heard) {
			heard = m.shown // there was nothing to bring
		}
		m.mu.Unlock()
		quiet := now.Sub(heard)
		m.alarms.set("", AlarmQuiet, quiet > m.cfg.QuietAlarm, "no new file for "+quiet.String())
		for _, c := range m.copiers {
			following, _, _, lag := m.behind(c, now)
			m.alarms.set(c.Label, AlarmLag, lag > c.LagAlarm, "behind by "+lag.String())
			if following || now.Sub(began) < c.LagAlarm || now.Sub(asked[c.Label]) < askEvery {
				continue
			}
			asked[c.Label] = now
			m.alarms.set(c.Label, AlarmNeedsFull, true, "there is no full to begin with")
			m.cfg.WantFull(c.Label)
		}
	}
}
