package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
)

// sink is a channel that a test breaks and mends.
type sink struct {
	mu    sync.Mutex
	fails bool     // guarded by mu
	tries int      // guarded by mu
	ids   []string // of all attempts; guarded by mu
	meet  func()   // called in the middle of an attempt, or nil
	got   []string // "<minutes and seconds since the start> <event> <count>"; guarded by mu
	start time.Time
}

func (s *sink) Send(_ context.Context, m Message) error {
	if s.meet != nil {
		s.meet()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	s.ids = append(s.ids, m.ID)
	if s.fails {
		return unreached(errors.New("planned"))
	}
	s.got = append(s.got, fmt.Sprintf("%v %s %d", time.Since(s.start).Truncate(time.Second), m.Event, m.Count))
	return nil
}

func (s *sink) set(fails bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = fails
}

func (s *sink) tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

func (s *sink) told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

// desk is a shop's alerting with two channels in a bubble of time.
type desk struct {
	t      *testing.T
	db     db.DB
	svc    *Service
	first  *sink
	second *sink
}

// inBubble runs a test with the sweeps at work; its time is the bubble's.
func inBubble(t *testing.T, channels int, run func(t *testing.T, k *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := &desk{t: t, db: dbtest.SQLite(t), first: &sink{start: time.Now()}, second: &sink{start: time.Now()}}
		k.svc = New(k.db, Defaults(), Ways{}, testTexts(t), noNames, clock.System{}, quiet())
		for i, ch := range []*sink{k.first, k.second}[:channels] {
			k.svc.channels = append(k.svc.channels, namedChannel{fmt.Sprintf("channel-%d", i+1), "en", ch})
		}
		run(t, k)
		sound(t, k.db)
	})
}

// wait lets d pass with the sweeps at work: every second, or every minute when
// it is long.
func (k *desk) wait(d time.Duration) {
	k.t.Helper()
	step := time.Second
	if d > 20*time.Minute {
		step = time.Minute
	}
	for end := time.Now().Add(d); ; time.Sleep(step) {
		for _, sweep := range k.svc.Sweeps() {
			for more := true; more; {
				var err error
				more, err = sweep.Run(k.t.Context())
				require.NoError(k.t, err)
			}
		}
		if !time.Now().Before(end) {
			return
		}
	}
}

var leak = Alert{Code: "test", Severity: Warning, Args: map[string]string{"channel": "x"}}

func (k *desk) raise(a Alert) { raise(k.t, k.db, a) }

func (k *desk) resolve() {
	k.t.Helper()
	require.NoError(k.t, k.svc.Resolve(k.t.Context(), id.ID{}, "test", ""))
}

func (k *desk) standing() Standing {
	k.t.Helper()
	s, err := k.svc.Standing(k.t.Context())
	require.NoError(k.t, err)
	return s
}

// TestToldOnceWithACount: at once, then what came within the window as one
// message, a reminder a day, and the end.
func TestToldOnceWithACount(t *testing.T) {
	t.Parallel()
	inBubble(t, 2, func(t *testing.T, k *desk) {
		k.raise(leak)
		for range 100 {
			k.wait(2 * time.Second)
			k.raise(leak)
		}
		k.wait(10 * time.Minute)
		k.wait(49 * time.Hour)
		k.resolve()
		k.wait(time.Hour)
		require.Equal(t, []string{"0s opened 1", "10m0s again 101", "24h10m20s reminder 101", "48h10m20s reminder 101", "49h13m20s resolved 101"}, k.first.told())
		require.Empty(t, k.second.told())
		require.Equal(t, Standing{Channels: 2}, k.standing())
	})
}

// TestAcknowledgedIsQuiet: no reminder and no escalation; what comes new is
// told, and the end too.
func TestAcknowledgedIsQuiet(t *testing.T) {
	t.Parallel()
	inBubble(t, 2, func(t *testing.T, k *desk) {
		critical := leak
		critical.Severity = Critical
		k.raise(critical)
		k.wait(4*time.Minute + 59*time.Second)
		alerts := list(t, k.db, Scope{All: true})
		require.NoError(t, k.svc.Acknowledge(t.Context(), Scope{All: true}, alerts[0].ID, "chen"))
		k.wait(72 * time.Hour)
		require.Equal(t, []string{"0s opened 1"}, k.first.told())
		require.Empty(t, k.second.told())
		k.raise(critical)
		k.wait(time.Minute)
		k.resolve()
		k.wait(time.Minute)
		require.Len(t, k.first.told(), 3)
	})
}

// TestNobodyAcknowledges: what is critical goes to the second channel after
// five minutes, once. (P34)
func TestNobodyAcknowledges(t *testing.T) {
	t.Parallel()
	inBubble(t, 2, func(t *testing.T, k *desk) {
		critical := leak
		critical.Severity = Critical
		k.raise(critical)
		k.wait(4*time.Minute + 58*time.Second)
		require.Empty(t, k.second.told())
		k.wait(5 * time.Second)
		k.wait(20 * time.Hour)
		require.Equal(t, []string{"5m0s escalated 1"}, k.second.told())
		require.Equal(t, []string{"0s opened 1"}, k.first.told())
	})
}

// TestTheSecondChannel steps in after three failures of the first, and only
// for what the first does not take.
func TestTheSecondChannel(t *testing.T) {
	t.Parallel()
	inBubble(t, 2, func(t *testing.T, k *desk) {
		k.first.set(true)
		k.raise(leak)
		k.wait(time.Minute)
		require.Equal(t, 3, k.first.tried())
		require.Equal(t, []string{"7s opened 1"}, k.second.told())
		require.Len(t, slices.Compact(append(k.first.ids, k.second.ids...)), 1, "one message, whatever the attempt")
		require.Equal(t, Standing{Channels: 2, Open: 1}, k.standing())
		k.first.set(false)
		k.resolve()
		k.wait(time.Minute)
		require.Len(t, k.first.told(), 1)
		require.Len(t, k.second.told(), 1)
	})
}

// TestBothDown: the failure is seen, trying goes on with growing pauses, and
// one message arrives when a channel heals, which says how it stands by then.
func TestBothDown(t *testing.T) {
	t.Parallel()
	for _, resolved := range []bool{false, true} {
		inBubble(t, 2, func(t *testing.T, k *desk) {
			k.first.set(true)
			k.second.set(true)
			k.raise(leak)
			k.raise(leak)
			k.wait(3 * time.Hour)
			require.Equal(t, Standing{Channels: 2, Open: 1, Undelivered: 1, LastError: "channel_unreachable"}, k.standing())
			require.Equal(t, k.standing(), k.svc.LastStanding())
			require.Less(t, k.first.tried(), 120, "pauses grow")
			want := "opened 2"
			if resolved {
				k.resolve()
				want = "resolved 2"
			}
			k.second.set(false)
			k.wait(6 * time.Minute)
			require.Empty(t, k.first.told())
			require.Len(t, k.second.told(), 1)
			require.Contains(t, k.second.told()[0], want)
			require.Equal(t, resolved, k.second.ids[0] != k.second.ids[len(k.second.ids)-1], "the beginning may have arrived after all")
			require.Zero(t, k.standing().Undelivered)
		})
	}
}

// TestWithoutChannels nothing is tried, what is open waits to be told, and what
// ended is given up.
func TestWithoutChannels(t *testing.T) {
	t.Parallel()
	inBubble(t, 0, func(t *testing.T, k *desk) {
		k.raise(leak)
		k.resolve()
		k.raise(leak)
		k.wait(time.Minute)
		require.Equal(t, Standing{Open: 1}, k.standing())
		var dropped, due int64
		require.NoError(t, k.db.View(t.Context(), func(tx *db.Tx) error {
			return tx.Get([]any{&dropped, &due}, `SELECT SUM(CASE WHEN state = 'dropped' THEN 1 ELSE 0 END), SUM(CASE WHEN state = 'due' THEN 1 ELSE 0 END) FROM alert_deliveries`)
		}))
		require.Equal(t, []int64{1, 1}, []int64{dropped, due})
	})
}

// TestWhatEndsDuringASend: the end is told although the message that tells of
// the beginning is under way when it is queued.
func TestWhatEndsDuringASend(t *testing.T) {
	t.Parallel()
	inBubble(t, 1, func(t *testing.T, k *desk) {
		k.first.meet = func() {
			k.first.meet = nil
			k.resolve()
			require.NoError(t, k.db.Update(t.Context(), k.svc.queueDueTx))
		}
		k.raise(leak)
		k.wait(time.Minute)
		require.Equal(t, []string{"0s opened 1", "1s resolved 1"}, k.first.told())
		require.Len(t, slices.Compact(k.first.ids), 2, "who skips repeats by their id must not skip this one")
	})
}

// TestADeadProcessLosesNothing: who claimed a message and died leaves it to
// another after a while.
func TestADeadProcessLosesNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, 1, func(t *testing.T, k *desk) {
		k.raise(leak)
		require.NoError(t, k.db.Update(t.Context(), func(tx *db.Tx) error {
			due, err := waitingTx(tx, 1)
			require.NoError(t, err)
			mine, err := claimTx(tx, due[0])
			require.True(t, mine)
			again, _ := claimTx(tx, due[0])
			require.False(t, again, "one at a time")
			return err
		}))
		k.wait(10 * time.Second)
		require.Empty(t, k.first.told(), "the other may still be at it")
		k.wait(10 * time.Second)
		require.Equal(t, []string{"12s opened 1"}, k.first.told())
	})
}

// TestPurge: what ended long ago goes with its messages; what is open stays,
// however old.
func TestPurge(t *testing.T) {
	t.Parallel()
	inBubble(t, 1, func(t *testing.T, k *desk) {
		for i := range 50 {
			a := leak
			a.Subject = fmt.Sprint(i)
			k.raise(a)
		}
		k.wait(time.Minute)
		require.NoError(t, k.db.Update(t.Context(), func(tx *db.Tx) error {
			for i := range 49 {
				if err := ResolveTx(tx, id.ID{}, "test", fmt.Sprint(i)); err != nil {
					return err
				}
			}
			return nil
		}))
		k.wait(time.Minute)
		time.Sleep(89 * 24 * time.Hour)
		k.wait(time.Minute)
		require.Len(t, list(t, k.db, Scope{All: true}), 50)
		time.Sleep(2 * 24 * time.Hour)
		k.wait(time.Minute)
		require.Len(t, list(t, k.db, Scope{All: true}), 1)
	})
}

// TestFailed: attempts, channels and rounds follow one another.
func TestFailed(t *testing.T) {
	t.Parallel()
	c, now := Defaults(), time.Now()
	d := delivery{stepSince: now}
	var pauses []time.Duration
	for range 12 {
		var pause time.Duration
		d, pause = c.failed(d, 2, now)
		pauses = append(pauses, pause)
		now = now.Add(pause)
	}
	s := time.Second
	require.Equal(t, []time.Duration{2 * s, 4 * s, 0, 2 * s, 4 * s, 16 * s, 2 * s, 4 * s, 0, 2 * s, 4 * s, 32 * s}, pauses)
	require.Equal(t, int64(2), d.rounds)
	d, _ = c.failed(delivery{stepSince: now}, 2, now.Add(c.SwitchAfter))
	require.Equal(t, int64(1), d.step, "a channel that takes long to fail is left after a while")
	d, pause := c.failed(delivery{rounds: 1 << 40, step: 1, stepAttempts: 2}, 2, now)
	require.Equal(t, maxPause, pause)
	require.Equal(t, int64(1<<40+1), d.rounds)
}
