package app

import (
	"slices"
	"sync"
	"time"

	"panshi/internal/backup/mirror"
	"panshi/internal/clock"
)

// recentFor is for how long an alarm stands at least, so that who looks now and
// then sees one that is over at once, or that is about something which does not
// last.
const recentFor = time.Minute

// recentAlarms remembers what was raised lately. Its zero value is ready.
type recentAlarms struct {
	mu     sync.Mutex
	raised []mirror.Alert // guarded by mu
}

// note takes an alert of the mirror. What comes and goes by itself has to last to
// matter, and is left out.
func (r *recentAlarms) note(a mirror.Alert) {
	if !a.Raised || a.Code == mirror.AlarmFailing || a.Code == mirror.AlarmLag {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget()
	r.raised = append(r.raised, a)
}

// with adds to the codes of alarms that stand those that were raised lately.
func (r *recentAlarms) with(label string, codes []string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget()
	for _, a := range r.raised {
		if a.Label == label && !slices.Contains(codes, a.Code) {
			codes = append(codes, a.Code)
		}
	}
	return codes
}

// forget drops what is old; the caller holds mu.
func (r *recentAlarms) forget() {
	now := clock.System{}.Now()
	r.raised = slices.DeleteFunc(r.raised, func(a mirror.Alert) bool { return now.Sub(a.At).Abs() > recentFor })
}

// alarms are the codes of what ails the copying as a whole.
func (c *copies) alarms() []string {
	m := c.running.Load()
	if m == nil {
		return nil
	}
	return c.recent.with("", m.Alarms())
}
