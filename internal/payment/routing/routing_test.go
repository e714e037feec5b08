package routing

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/payment"
)

// fake is a platform whose answer a test sets.
type fake struct {
	payment.Provider
	query func(ctx context.Context) error
}

func (f *fake) Query(ctx context.Context, _ string) (payment.Report, error) {
	return payment.Report{}, f.query(ctx)
}

// subject is one account's metered Provider.
func subject() (*fake, metered, *gauge) {
	g := New(nil, clock.System{}, slog.New(slog.DiscardHandler)).gauge([16]byte{1})
	f := &fake{}
	return f, metered{f, g}, g
}

// TestBreakerOpensProbesAndCloses: five unknown outcomes open it; then nothing
// is asked for 5 s, one probe at a time goes through, and its answer decides.
func TestBreakerOpensProbesAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, g := subject()
		asked := 0
		down := true
		f.query = func(context.Context) error {
			asked++
			if down {
				return payment.ErrProviderBusy
			}
			return nil
		}
		ask := func() error { _, err := p.Query(t.Context(), "P1"); return err }
		for range 20 {
			require.ErrorIs(t, ask(), payment.ErrProviderBusy)
		}
		require.Equal(t, failuresToOpen, asked, "an open breaker asks nothing")
		require.False(t, g.usable())
		require.Equal(t, -1, g.rank())
		require.Equal(t, int64(15), g.health().Refused)
		begun := time.Now()
		require.Equal(t, []time.Time{begun, begun}, []time.Time{g.health().Failing, g.health().FailedAt})

		time.Sleep(openTime)
		require.True(t, g.usable())
		require.Error(t, ask())
		require.Equal(t, failuresToOpen+1, asked, "a probe")
		require.False(t, g.usable(), "it failed: open again")

		down = false
		time.Sleep(openTime)
		require.NoError(t, ask())
		require.Equal(t, "closed", g.health().Breaker)
		require.True(t, g.health().Failing.IsZero())
		require.Equal(t, begun.Add(openTime), g.health().FailedAt, "the probe")
		require.NoError(t, ask())
		require.Less(t, g.rank(), 5, "it has a past")
		time.Sleep(10 * time.Minute)
		require.Equal(t, 5, g.rank(), "which is forgotten")
	})
}

// TestWhatIsAFailure: the platform's word is none, and who hangs up tells
// nothing, but does not keep the probe's place either.
func TestWhatIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, g := subject()
		for _, word := range []error{nil, payment.ErrNotFound, payment.ErrAlreadyPaid, payment.ErrRejected} {
			f.query = func(context.Context) error { return word }
			for range 6 {
				_, err := p.Query(t.Context(), "P1")
				require.Equal(t, word, err)
			}
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		f.query = func(context.Context) error { return payment.ErrProviderBusy }
		for range 20 {
			g.note(gone, 0, payment.ErrProviderBusy)
		}
		require.Equal(t, "closed", g.health().Breaker)
		require.Equal(t, 1.0, g.health().Score)
		for range failuresToOpen {
			_, err := p.Query(t.Context(), "P1")
			require.Error(t, err)
		}
		time.Sleep(openTime)
		f.query = func(context.Context) error { panic("a defect") }
		require.Panics(t, func() { _, _ = p.Query(t.Context(), "P1") })
		time.Sleep(openTime)
		require.True(t, g.usable(), "the probe's place came back")
		f.query = func(context.Context) error { return nil }
		_, err := p.Query(t.Context(), "P1")
		require.NoError(t, err)
	})
}

// TestOneSlowAccountHoldsFew: a platform that hangs holds so many calls and no
// more; the others are told after 2 s, and another account is not concerned. (P72)
func TestOneSlowAccountHoldsFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, _ := subject()
		release := make(chan struct{})
		inside := make(chan struct{}, 10*callsAtATime)
		f.query = func(context.Context) error { inside <- struct{}{}; <-release; return nil }
		const extra = 50
		answers := make(chan error, callsAtATime+extra)
		for range callsAtATime + extra {
			go func() { _, err := p.Query(t.Context(), "P1"); answers <- err }()
		}
		synctest.Wait()
		require.Len(t, inside, callsAtATime)
		other, q, _ := subject()
		other.query = func(context.Context) error { return nil }
		_, err := q.Query(t.Context(), "P2")
		require.NoError(t, err)
		time.Sleep(waitForTurn)
		synctest.Wait()
		require.Len(t, answers, extra)
		for range extra {
			require.ErrorIs(t, <-answers, payment.ErrProviderBusy)
		}
		close(release)
		for range callsAtATime {
			require.NoError(t, <-answers)
		}
	})
}

// TestSlowIsLessHealthy: who takes 4 s stands behind who takes half a second.
func TestSlowIsLessHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rank := func(took time.Duration) int {
			f, p, g := subject()
			f.query = func(context.Context) error { time.Sleep(took); return nil }
			for range 10 {
				_, err := p.Query(t.Context(), "P1")
				require.NoError(t, err)
			}
			return g.rank()
		}
		require.Greater(t, rank(time.Second/2), rank(4*time.Second))
	})
}

// TestShareGoesByWeight: equals take turns as often as their weights say.
func TestShareGoesByWeight(t *testing.T) {
	r := New(nil, clock.System{}, slog.New(slog.DiscardHandler))
	first := map[string]int{}
	for range 80 {
		list := []payment.Account{{Name: "a", Limits: payment.Limits{Weight: 3}}, {Name: "b"}}
		r.share(list)
		first[list[0].Name]++
	}
	require.Equal(t, map[string]int{"a": 60, "b": 20}, first)
	require.True(t, isFailure(errors.New("anything else")))
}

// biller is a platform whose bills hang.
type biller struct {
	*fake
	release chan error
}

func (b biller) Bill(context.Context, time.Time) (payment.Bill, error) {
	return payment.Bill{}, <-b.release
}

// TestBillsHaveTurnsOfTheirOwn: bills that hang take no turn of payments, and
// bills that fail open no breaker of payments.
func TestBillsHaveTurnsOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, p, g := subject()
		f.query = func(context.Context) error { return nil }
		bills := New(nil, clock.System{}, slog.New(slog.DiscardHandler)).billGauge([16]byte{1})
		b := billing{p, biller{f, make(chan error)}, bills}
		answers := make(chan error, billsAtATime+3)
		for range billsAtATime + 3 {
			go func() { _, err := b.Bill(t.Context(), time.Time{}); answers <- err }()
		}
		time.Sleep(waitForTurn)
		synctest.Wait()
		require.Len(t, answers, 3, "as many as may wait for a bill at a time")
		for range callsAtATime {
			_, err := b.Query(t.Context(), "P1")
			require.NoError(t, err)
		}
		for _, answer := range []error{payment.ErrBillNotReady, payment.ErrProviderBusy} {
			b.biller.(biller).release <- answer
		}
		synctest.Wait()
		require.Equal(t, int64(1), bills.health().Failures, "a bill that is not ready is the platform's word")
		for range failuresToOpen {
			bills.note(t.Context(), 0, payment.ErrProviderBusy)
		}
		require.Equal(t, []any{"open", "closed"}, []any{bills.health().Breaker, g.health().Breaker})
	})
}
