package cache

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"panshi/internal/clock"
)

// Aged is one value that is true for a time. Like an entry of Cache it is
// loaded by one at a time and stands in for loads that fail.
type Aged[V any] struct {
	clock  clock.Clock
	logger *slog.Logger
	age    time.Duration
	load   Load[V]
	cell   atomic.Pointer[cell[V]]
}

// NewAged returns an Aged without a value. A value is at most age old when it
// is given, but for a load that is slow or fails.
func NewAged[V any](age time.Duration, c clock.Clock, logger *slog.Logger, load Load[V]) *Aged[V] {
	a := &Aged[V]{clock: c, logger: logger, age: age, load: load}
	a.Forget()
	return a
}

// Get gives the value, loading it if it is too old.
func (a *Aged[V]) Get(ctx context.Context) (V, error) {
	c := a.cell.Load()
	if f := c.filled.Load(); f != nil && a.clock.Now().Sub(f.loadedAt) < a.freshFor() {
		return f.value, nil
	}
	return c.get(ctx, terms[V]{
		clock: a.clock, logger: a.logger,
		stale: func(f *filled[V], now time.Time) (time.Time, bool) {
			old := f.loadedAt.Add(a.freshFor())
			return old, !now.Before(old)
		},
		version: func() int64 { return 0 },
		landed:  func(*filled[V], bool) {},
		loaded:  func(time.Duration, bool) {},
	}, a.load)
}

// freshFor leaves room for the time in which a stale value is served while a
// new one is loaded.
func (a *Aged[V]) freshFor() time.Duration { return max(a.age-grace, a.age/2) }

// Forget makes the next Get load, even if a load is under way.
func (a *Aged[V]) Forget() { a.cell.Store(&cell[V]{}) }
