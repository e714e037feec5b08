package guard

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/perm"
	"panshi/internal/web"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func newGuard(t testing.TB, change func(*Config)) (*Guard, *clock.Manual) {
	t.Helper()
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	c := clock.NewManual(start)
	g, err := New(cfg, c)
	require.NoError(t, err)
	return g, c
}

func TestDefaultsCoverEveryClass(t *testing.T) {
	t.Parallel()
	require.NoError(t, DefaultConfig().Validate())
	for _, class := range web.LimitClasses() {
		if class != web.Unlimited {
			require.Contains(t, defaultRates(), class)
		}
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*Config){
		"limits":           func(c *Config) { c.Limits = "maybe" },
		"max_in_flight":    func(c *Config) { c.MaxInFlight = 0 },
		"searches_at_once": func(c *Config) { c.SearchesAtOnce = -1 },
		"max_keys":         func(c *Config) { c.MaxKeys = -1 },
		"rates.read":       func(c *Config) { c.Rates = map[web.LimitClass]Rate{web.LimitRead: {PerSecond: 0, Burst: 1}} },
		"rates.order":      func(c *Config) { c.Rates = map[web.LimitClass]Rate{web.LimitOrder: {PerSecond: 1, Burst: 0}} },
		"rates.invented":   func(c *Config) { c.Rates = map[web.LimitClass]Rate{"invented": {PerSecond: 1, Burst: 1}} },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		_, err := New(cfg, clock.System{})
		var e *errs.Error
		require.ErrorAs(t, err, &e, field)
		require.Equal(t, field, e.Field)
	}
}

func TestBurstThenRate(t *testing.T) {
	t.Parallel()
	g, c := newGuard(t, nil)
	for i := range 20 {
		ok, _ := g.Allow(web.LimitOrder, "a")
		require.True(t, ok, i)
	}
	ok, after := g.Allow(web.LimitOrder, "a")
	require.False(t, ok)
	require.InDelta(t, 200*time.Millisecond, after, float64(time.Millisecond))
	for range 1000 { // being refused does not push the end further away
		_, again := g.Allow(web.LimitOrder, "a")
		require.Equal(t, after, again)
	}
	ok, _ = g.Allow(web.LimitOrder, "b")
	require.True(t, ok, "another key has its own allowance")
	ok, _ = g.Allow(web.LimitRead, "a")
	require.True(t, ok, "another class has its own allowance")
	c.Advance(after)
	ok, _ = g.Allow(web.LimitOrder, "a")
	require.True(t, ok, "who waits as told succeeds")
}

func TestGuessingIsHopeless(t *testing.T) {
	t.Parallel()
	g, c := newGuard(t, nil)
	admitted := 0
	for range 100_000 { // a guess a millisecond for 100 s
		if ok, _ := g.Allow(web.LimitLookup, "a"); ok {
			admitted++
		}
		c.Advance(time.Millisecond)
	}
	require.LessOrEqual(t, admitted, 10+50+1)
	require.GreaterOrEqual(t, admitted, 10+49)
}

func TestUnknownClassIsStrict(t *testing.T) {
	t.Parallel()
	g, _ := newGuard(t, nil)
	n := 0
	for range 100 {
		if ok, _ := g.Allow("invented", "a"); ok {
			n++
		}
	}
	require.Equal(t, strictest().Burst, n)
}

func TestOffLiftsRatesOnly(t *testing.T) {
	t.Parallel()
	g, _ := newGuard(t, func(c *Config) { c.Limits, c.MaxInFlight = Off, 8 })
	for range 10_000 {
		ok, _ := g.Allow(web.LimitSignIn, "a")
		require.True(t, ok)
	}
	require.Zero(t, g.Keys())
	for range 8 {
		_, ok := g.Enter(perm.Critical)
		require.True(t, ok)
	}
	_, ok := g.Enter(perm.Critical)
	require.False(t, ok)
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	g, c := newGuard(t, func(c *Config) { c.MaxKeys = 100 })
	for range 5 {
		g.Allow(web.LimitSignIn, "old friend")
	}
	for i := range 10_000 {
		g.Allow(web.LimitRead, strconv.Itoa(i))
		if i%50 == 0 {
			ok, _ := g.Allow(web.LimitSignIn, "old friend")
			require.False(t, ok, "who is in use is not forgotten")
		}
		require.LessOrEqual(t, g.Keys(), 100)
	}
	c.Advance(time.Hour)
	for range 200 {
		g.Allow(web.LimitRead, "one")
	}
	require.Equal(t, 1, g.Keys(), "what is full again is forgotten")
}

func TestForgettingChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := clock.NewManual(start)
		g, err := New(DefaultConfig(), c)
		require.NoError(t, err)
		never, err := New(DefaultConfig(), c)
		require.NoError(t, err)
		never.limits.idle = 1000 * time.Hour
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			k := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
			gotOK, got := g.Allow(web.LimitSignIn, k)
			wantOK, want := never.Allow(web.LimitSignIn, k)
			require.Equal(t, wantOK, gotOK)
			require.Equal(t, want, got)
			c.Advance(time.Duration(rapid.IntRange(0, 60_000).Draw(t, "ms")) * time.Millisecond)
		}
	})
}

func TestShedsByPriority(t *testing.T) {
	t.Parallel()
	g, _ := newGuard(t, func(c *Config) { c.MaxInFlight = 8 })
	admit := func(p perm.Priority) bool {
		_, ok := g.Enter(p)
		return ok
	}
	var got []string
	for n := range 9 {
		for p, name := range map[perm.Priority]string{perm.Optional: "optional", perm.Normal: "normal", perm.Critical: "critical"} {
			if leave, ok := g.Enter(p); ok {
				leave()
			} else {
				got = append(got, name+strconv.Itoa(n))
			}
		}
		admit(perm.Critical)
	}
	require.ElementsMatch(t, []string{
		"optional4", "optional5", "optional6", "optional7", "optional8", "normal6", "normal7", "normal8", "critical8",
	}, got)
	require.False(t, admit(0), "no priority is no entry")
	require.False(t, admit(9))
	require.EqualValues(t, 8, g.InFlight(), "refusals leave no trace")
}

func TestInFlightUnderConcurrency(t *testing.T) {
	t.Parallel()
	g, _ := newGuard(t, func(c *Config) { c.MaxInFlight = 8 })
	var now, peak atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 500 {
				leave, ok := g.Enter(perm.Critical)
				if !ok {
					continue
				}
				n := now.Add(1)
				for {
					p := peak.Load()
					if n <= p || peak.CompareAndSwap(p, n) {
						break
					}
				}
				now.Add(-1)
				leave()
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, peak.Load(), int64(8))
	require.Zero(t, g.InFlight())
}

func TestCheapInUse(t *testing.T) {
	g, _ := newGuard(t, nil)
	g.Allow(web.LimitRead, "a")
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { g.Allow(web.LimitRead, "a") }), 1.0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if leave, ok := g.Enter(perm.Critical); ok {
			leave()
		}
	}))
}

func BenchmarkAllow(b *testing.B) {
	g, _ := newGuard(b, func(c *Config) { c.Limits = On })
	b.ReportAllocs()
	for b.Loop() {
		g.Allow(web.LimitRead, "192.0.2.1")
	}
}
