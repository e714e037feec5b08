package guard

import (
	"maps"
	"sync/atomic"
	"time"

	"panshi/internal/clock"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// Guard limits rates and the work under way. It is safe for use by many
// goroutines.
type Guard struct {
	clock  clock.Clock
	off    bool // rate limits are lifted
	limits *limits

	inFlight atomic.Int64
	ceilings [perm.Optional + 1]int64 // by priority: admitted while fewer are under way
	leave    func()                   // the same for all, so that Enter allocates nothing
}

// New returns a Guard, or what Validate complains about.
func New(cfg Config, c clock.Clock) (*Guard, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	rates := defaultRates()
	maps.Copy(rates, cfg.Rates)
	g := &Guard{clock: c, off: cfg.Limits == Off, limits: newLimits(rates, cfg.MaxKeys)}
	all := int64(cfg.MaxInFlight)
	g.ceilings[perm.Critical] = all
	g.ceilings[perm.Normal] = all * 3 / 4
	g.ceilings[perm.Optional] = all / 2
	g.leave = func() { g.inFlight.Add(-1) }
	return g, nil
}

// Allow counts one use of class under key (web.Limiter). A refused use is not
// counted, so that who waits as told succeeds.
func (g *Guard) Allow(class web.LimitClass, name string) (ok bool, retryAfter time.Duration) {
	if g.off || class == web.Unlimited {
		return true, 0
	}
	return g.limits.take(key{class, name}, g.clock.Now())
}

// Enter admits one request of a priority (web.Shedder): Optional while half
// of the places are free, Normal while a quarter is, Critical while one is.
// An unknown priority is not admitted.
func (g *Guard) Enter(priority perm.Priority) (leave func(), ok bool) {
	if int(priority) >= len(g.ceilings) {
		return nil, false
	}
	if g.inFlight.Add(1) > g.ceilings[priority] {
		g.inFlight.Add(-1)
		return nil, false
	}
	return g.leave, true
}

// InFlight tells how many requests are under way, for metrics.
func (g *Guard) InFlight() int64 { return g.inFlight.Load() }

// Keys tells how many keys are remembered, for metrics.
func (g *Guard) Keys() int { return g.limits.size() }
