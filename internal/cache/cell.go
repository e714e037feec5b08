package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"panshi/internal/clock"
	"panshi/internal/errs"
)

const (
	grace     = 250 * time.Millisecond // how long stale values are served without waiting
	patience  = 250 * time.Millisecond // how long a load is waited for while there is a stale value
	keep      = 30 * time.Second       // how long a stale value may stand in for a load that fails
	again     = time.Second            // after a load that failed, before the next
	loadLimit = 5 * time.Second        // of one load
)

// Load brings a value. It gets a context that does not end with the request
// that asked first, because others wait for the same load.
type Load[V any] func(ctx context.Context) (V, error)

// filled is a value with what it was loaded under. It does not change.
type filled[V any] struct {
	value    V
	version  int64
	loadedAt time.Time // when its load began
}

// landed is the flight that brought the value.
func (f *filled[V]) landed() *flight[V] {
	done := make(chan struct{})
	close(done)
	return &flight[V]{began: f.loadedAt, done: done, value: f.value}
}

// flight is a load under way.
type flight[V any] struct {
	began time.Time
	done  chan struct{} // closed when value and err are there
	value V
	err   error
}

// cell is one value that is loaded by one at a time.
type cell[V any] struct {
	filled atomic.Pointer[filled[V]]

	mu       sync.Mutex
	flight   *flight[V] // guarded by mu
	failedAt time.Time  // guarded by mu; zero after a load that succeeded
}

// terms are how a cell's value is judged and kept.
type terms[V any] struct {
	clock   clock.Clock
	logger  *slog.Logger
	stale   func(f *filled[V], now time.Time) (since time.Time, stale bool)
	version func() int64                      // before a load
	landed  func(f *filled[V], held bool)     // after a load; nil with held false: there is no such thing
	loaded  func(took time.Duration, ok bool) // for the count
}

// get gives the value, loading it if need be, as doc.go says.
func (c *cell[V]) get(ctx context.Context, t terms[V], load Load[V]) (V, error) {
	now := t.clock.Now()
	old := c.filled.Load()
	if old == nil {
		return c.join(ctx, t, load, nil, false).wait(ctx)
	}
	since, stale := t.stale(old, now)
	if !stale {
		return old.value, nil
	}
	spare := now.Sub(since) < keep
	f := c.join(ctx, t, load, old, spare)
	switch {
	case now.Sub(since) < grace, f == nil:
		return old.value, nil
	case !spare:
		return f.wait(ctx)
	case !f.within(ctx, f.began.Add(patience).Sub(now)):
		return old.value, nil
	case f.err != nil && fault(f.err):
		return old.value, nil
	}
	return f.value, f.err
}

// join starts a load or finds the one under way, or the one that ended since
// the caller saw old. With a value to spare there is none, nil, shortly after
// one failed.
func (c *cell[V]) join(ctx context.Context, t terms[V], load Load[V], old *filled[V], spare bool) *flight[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := t.clock.Now()
	switch got := c.filled.Load(); {
	case c.flight != nil:
		return c.flight
	case got != nil && got != old: // it landed before the caller got here: a second load would bring the same
		return got.landed()
	case spare && !c.failedAt.IsZero() && now.Sub(c.failedAt) < again:
		return nil
	}
	f := &flight[V]{began: now, done: make(chan struct{})}
	c.flight = f
	version := t.version()
	go c.fly(context.WithoutCancel(ctx), t, load, f, version)
	return f
}

// fly loads and hands out.
func (c *cell[V]) fly(ctx context.Context, t terms[V], load Load[V], f *flight[V], version int64) {
	ctx, cancel := context.WithTimeout(ctx, loadLimit)
	defer cancel()
	f.value, f.err = safely(ctx, load)
	c.mu.Lock()
	c.flight, c.failedAt = nil, time.Time{}
	switch {
	case f.err == nil:
		got := &filled[V]{f.value, version, f.began}
		c.filled.Store(got)
		t.landed(got, true)
	case fault(f.err):
		c.failedAt = t.clock.Now()
		t.landed(nil, c.filled.Load() != nil)
		t.logger.Warn("cache: a load failed", slog.Any("error", f.err), slog.Bool("stale_served", c.filled.Load() != nil))
	default: // the answer is that there is no such thing
		c.filled.Store(nil)
		t.landed(nil, false)
	}
	c.mu.Unlock()
	t.loaded(t.clock.Now().Sub(f.began), f.err == nil)
	close(f.done)
}

// safely makes an error of a panic, which would end the process here.
func safely[V any](ctx context.Context, load Load[V]) (v V, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = errs.Wrap(fmt.Errorf("panic: %v\n%s", fault, debug.Stack()), errs.Internal, "panic", "a load panicked")
		}
	}()
	return load(ctx)
}

// fault tells whether a load failed, rather than found that there is nothing
// to be had.
func fault(err error) bool {
	var known *errs.Error
	if !errors.As(err, &known) {
		return true
	}
	switch known.Kind {
	case errs.Internal, errs.Unavailable, errs.Integrity:
		return true
	default:
		return false
	}
}

// wait waits for the load, or for the caller to leave.
func (f *flight[V]) wait(ctx context.Context) (v V, err error) {
	select {
	case <-f.done:
		return f.value, f.err
	case <-ctx.Done():
		return v, ctx.Err()
	}
}

// within waits for the load for a time and tells whether it came.
func (f *flight[V]) within(ctx context.Context, patience time.Duration) bool {
	if patience <= 0 {
		select {
		case <-f.done:
			return true
		default:
			return false
		}
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-f.done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
