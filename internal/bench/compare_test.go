package bench

import (
	"bytes"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		old, fresh         Result
		failOver           float64
		beyond, regression bool
	}{
		"same":                   {Result{Ratio: 0.5, Noise: 0.02}, Result{Ratio: 0.5, Noise: 0.02}, 0.1, false, false},
		"slower within noise":    {Result{Ratio: 0.5, Noise: 0.1}, Result{Ratio: 0.43, Noise: 0.1}, 0.1, false, false},
		"slower, but allowed":    {Result{Ratio: 0.5, Noise: 0.01}, Result{Ratio: 0.46, Noise: 0.01}, 0.1, true, false},
		"slower beyond both":     {Result{Ratio: 0.5, Noise: 0.01}, Result{Ratio: 0.44, Noise: 0.01}, 0.1, true, true},
		"much slower, all noise": {Result{Ratio: 0.5, Noise: 0.3}, Result{Ratio: 0.3, Noise: 0.3}, 0.1, false, false},
		"faster":                 {Result{Ratio: 0.5, Noise: 0.01}, Result{Ratio: 0.7, Noise: 0.01}, 0.1, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.old.Scenario, c.fresh.Scenario, c.old.Size, c.fresh.Size = List, List, 1000, 1000
			got := Compare(Report{Results: []Result{c.old}}, Report{Results: []Result{c.fresh}}, c.failOver)
			require.Len(t, got, 1)
			require.Equal(t, c.beyond, got[0].Beyond)
			require.Equal(t, c.regression, got[0].Regression)
			var text bytes.Buffer
			require.NoError(t, TellChanges(&text, got))
			require.Equal(t, c.regression, bytes.Contains(text.Bytes(), []byte("REGRESSION")), text.String())
		})
	}
	other := Result{Scenario: List, Size: 100_000, Ratio: 1}
	require.Empty(t, Compare(Report{Results: []Result{other}}, Report{Results: []Result{{Scenario: List, Size: 1000, Ratio: 1}}}, 0),
		"sizes are not compared with each other")
}

// The middle does not move by one wild round, and noise is what the middle
// rounds span.
func TestMiddle(t *testing.T) {
	median, spread := middle([]float64{1, 100, 0.9, 1.1, 1})
	require.InDelta(t, 1, median, 1e-9)
	require.InDelta(t, 0.05, spread, 1e-9)
	median, spread = middle(nil)
	require.Zero(t, median+spread)
}

// A round in which one side ran out of work counts for nothing.
func TestSettle(t *testing.T) {
	r := Result{Rounds: []Round{{10, 20}, {12, 20}, {11, 20}, {0, 40}, {13, 0}}}
	r.settle()
	require.InDelta(t, 0.55, r.Ratio, 1e-9)
	require.InDelta(t, 11.5, r.Rate, 1e-9)
	require.False(t, math.IsNaN(r.Noise) || math.IsInf(r.RefNoise, 0))
}

func TestLatency(t *testing.T) {
	var all []time.Duration
	for i := range 1000 {
		all = append(all, time.Duration(999-i)*time.Millisecond)
	}
	require.Equal(t, Latency{500, 990, 999}, latencyOf(all))
	require.Zero(t, latencyOf(nil))
}

func TestShort(t *testing.T) {
	for n, want := range map[int64]string{1000: "1e3", 100_000: "1e5", 1_000_000: "1e6", 2500: "2.5e3", 0: ""} {
		require.Equal(t, want, short(n))
	}
}
