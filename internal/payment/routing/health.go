package routing

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/payment"
)

const (
	failuresToOpen = 5
	lastCalls      = 10
	openTime       = 5 * time.Second
	callsAtATime   = 96              // of one account; the outbound client has 128 connections a host
	billsAtATime   = 2               // of one account: they take minutes, and payments' turns are not theirs
	waitForTurn    = 2 * time.Second // for one of them to end
	newest         = 0.2             // how much the last call weighs in the moving averages
	forgetting     = 30 * time.Second
	quick          = time.Second // answers within it are as good as any
)

// gauge is the health of one account in this process.
type gauge struct {
	clock   clock.Clock
	breaker circuitbreaker.CircuitBreaker[any]
	turns   bulkhead.Bulkhead[any]

	mu       sync.Mutex
	errors   float64 // share of calls that failed, moving; guarded by mu
	latency  float64 // seconds, moving; guarded by mu
	noted    time.Time
	calls    int64 // guarded by mu, as the next two
	failures int64
	refused  int64     // calls not made: the breaker was open or no turn came
	failed   time.Time // the last failure; guarded by mu
	failing  time.Time // the first failure since the last answer, zero if that was the last call; guarded by mu
}

func newGauge(c clock.Clock, turns uint, changed func(from, to string)) *gauge {
	told := func(e circuitbreaker.StateChangedEvent) { changed(e.OldState.String(), e.NewState.String()) }
	return &gauge{
		clock: c,
		breaker: circuitbreaker.NewBuilder[any]().WithFailureThresholdRatio(failuresToOpen, lastCalls).
			WithSuccessThreshold(1).WithDelay(openTime).OnStateChanged(told).Build(),
		turns: bulkhead.New[any](turns),
	}
}

// call makes one call to the platform if the account may be asked.
func (g *gauge) call(ctx context.Context, do func() error) error {
	if err := g.turns.AcquirePermitWithMaxWait(ctx, waitForTurn); err != nil {
		return g.refuse(err)
	}
	defer g.turns.ReleasePermit()
	if !g.breaker.TryAcquirePermit() {
		return g.refuse(circuitbreaker.ErrOpen)
	}
	begun, ended := g.clock.Now(), false
	defer func() {
		if !ended { // do panicked: the permit of a probe must come back
			g.breaker.RecordFailure()
		}
	}()
	err := do()
	ended = true
	g.note(ctx, g.clock.Now().Sub(begun), err)
	return err
}

func (g *gauge) refuse(why error) error {
	g.mu.Lock()
	g.refused++
	g.mu.Unlock()
	e := *payment.ErrProviderBusy
	e.Err = why
	return &e
}

// note takes the outcome of a call into account. A caller who has gone tells
// nothing about the platform; only a probe that he took with him failed.
func (g *gauge) note(ctx context.Context, took time.Duration, err error) {
	failed := isFailure(err)
	if failed && errors.Is(ctx.Err(), context.Canceled) {
		if g.breaker.IsHalfOpen() {
			g.breaker.RecordFailure()
		}
		return
	}
	if failed {
		g.breaker.RecordFailure()
	} else {
		g.breaker.RecordSuccess()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fade()
	g.calls++
	share := 0.0
	if failed {
		g.failures++
		share = 1
		g.failed = g.clock.Now()
		if g.failing.IsZero() {
			g.failing = g.failed
		}
	} else {
		g.failing = time.Time{}
	}
	g.errors += newest * (share - g.errors)
	g.latency += newest * (took.Seconds() - g.latency)
}

// fade forgets by half every 30 s, so that an account nobody uses for its past
// is tried again. mu is held.
func (g *gauge) fade() {
	now := g.clock.Now()
	if !g.noted.IsZero() {
		kept := math.Exp2(-now.Sub(g.noted).Seconds() / forgetting.Seconds())
		g.errors, g.latency = g.errors*kept, g.latency*kept
	}
	g.noted = now
}

// isFailure tells whether an error leaves the outcome of a call unknown.
func isFailure(err error) bool {
	known := err == nil || errors.Is(err, payment.ErrNotFound) || errors.Is(err, payment.ErrAlreadyPaid) ||
		errors.Is(err, payment.ErrRejected) || errors.Is(err, payment.ErrBillNotReady)
	if known {
		return false
	}
	return errs.KindOf(err) != errs.Invalid
}

// Health is how an account fares in this process.
type Health struct {
	Score    float64       // 0 (nothing works) to 1
	Errors   float64       // share of calls that failed lately
	Latency  time.Duration // of calls lately
	Breaker  string        // "closed", "open", "half-open"
	Calls    int64         // since the start, as the next two
	Failures int64
	Refused  int64     // not made, because the account was not to be asked
	FailedAt time.Time // of the last failure, zero if there was none
	Failing  time.Time // since when no call was answered, zero if the last one was
}

func (g *gauge) health() Health {
	state := g.breaker.State().String()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fade()
	slow := min(1, quick.Seconds()/max(g.latency, quick.Seconds()))
	return Health{
		Score: (1 - g.errors) * slow, Errors: g.errors, Latency: time.Duration(g.latency * float64(time.Second)),
		Breaker: state, Calls: g.calls, Failures: g.failures, Refused: g.refused,
		FailedAt: g.failed, Failing: g.failing,
	}
}

// usable tells whether a call would be tried: the breaker is not open, or has
// been for long enough to send a probe.
func (g *gauge) usable() bool { return !g.breaker.IsOpen() || g.breaker.RemainingDelay() == 0 }
