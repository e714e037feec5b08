package mirror_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/faultdest"
	"panshi/internal/backup/mirror"
)

// short keeps three hours.
func short() mirror.Retention {
	return mirror.Retention{Fine: time.Hour, Window: 3 * time.Hour, Fulls: 2}
}

// day lets a quiet day go by: a full every hour and a segment every ten minutes.
func (w *world) day(hours int) {
	w.t.Helper()
	for range hours {
		w.full()
		for range 6 {
			w.segment()
			w.pass(10 * time.Minute)
		}
	}
}

func deletions(p *place) []string {
	return slices.DeleteFunc(p.Deleted(), func(name string) bool { return !strings.HasPrefix(name, "seg/") })
}

func TestRetentionDeletesAndStaysRestorable(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.cfg.Targets[0].Retention = short()
		w.start()
		w.day(12)
		w.pass(time.Minute)
		require.NotEmpty(t, deletions(w.places["a"]))
		require.Less(t, len(w.contents("a", "seg/")), 40)
		w.requireSound("a")
		require.Zero(t, w.status("a").Left)
		require.Empty(t, w.heard())
	})
}

// TestRetentionWaitsForARestore: failure 8. A restore of this process and one of
// another machine.
func TestRetentionWaitsForARestore(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.cfg.Targets[0].Retention = short()
		w.start()
		release := w.m.Hold()
		w.day(6)
		require.Empty(t, deletions(w.places["a"]))
		there, err := backup.Hold(t.Context(), w.places["a"].real, w.clock.Now(), "elsewhere")
		require.NoError(t, err)
		release()
		w.day(3)
		require.Empty(t, deletions(w.places["a"]))
		require.NoError(t, there(t.Context()))
		w.day(1)
		require.NotEmpty(t, deletions(w.places["a"]))
		w.pass(time.Minute)
		w.requireSound("a")
	})
}

// TestDeletesThatDoNotHappenAreTold: failure 7.
func TestDeletesThatDoNotHappenAreTold(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.cfg.Targets[0].Retention = short()
		w.start()
		w.set("a", faultdest.Rule{Op: faultdest.Delete, Fault: faultdest.DeleteLies})
		w.day(10)
		w.requireTold("a", mirror.AlarmSurplus)
		w.requireSound("a")
	})
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.cfg.Targets[0].Retention = short()
		w.start()
		w.set("a", faultdest.Rule{Op: faultdest.Delete, Fault: faultdest.Refused})
		w.day(10)
		s := w.status("a")
		require.True(t, s.Kept)
		require.Positive(t, s.Left)
		require.Empty(t, s.Code, "it is not an error for ever")
		w.places["a"].Heal()
		w.day(2)
		require.Zero(t, w.status("a").Left, "what was given up goes when it may")
		w.pass(time.Minute)
		w.requireSound("a")
	})
}

// TestClocksThatAreWrongDeleteNothingTooMuch: failure 16, and 6. The shop's clock
// is two hours ahead or behind for a while; the destination's says what it likes.
func TestClocksThatAreWrongDeleteNothingTooMuch(t *testing.T) {
	for _, by := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
			w.cfg.Targets[0].Retention = short()
			w.start()
			w.day(8)
			before := len(w.contents("a", "seg/"))
			w.stop()
			w.clock.shift(by)
			w.start() // with such a clock
			w.pass(time.Hour + 5*time.Minute)
			if by < 0 {
				w.requireTold("a", mirror.AlarmRetention)
			}
			require.InDelta(t, before, len(w.contents("a", "seg/")), 8, "%s", by)
			w.clock.shift(0)
			w.day(5)
			w.pass(time.Minute)
			w.requireSound("a")
			require.False(t, slices.Contains(w.status("a").Alarms, mirror.AlarmRetention))
		})
	}
}

// TestAFullDestinationStillExpires: failure 12. Nothing big can be stored; what
// retention gives up is deleted all the same, and nothing that is needed.
func TestAFullDestinationStillExpires(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.cfg.Targets[0].Retention = short()
		w.start()
		w.day(4)
		before := len(deletions(w.places["a"]))
		w.set("a", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Full, Match: func(name string) bool { return strings.HasPrefix(name, "seg/") }})
		w.cfg.Targets[0].Retention = mirror.Retention{Fine: time.Hour, Window: time.Hour, Fulls: 2}
		w.stop()
		w.start()
		w.day(2)
		w.requireTold("a", mirror.AlarmFailing)
		require.Equal(t, "backup_full", w.status("a").Code)
		require.Greater(t, len(deletions(w.places["a"])), before, "room is made")
		w.requireNoFalseClaim("a")
		w.places["a"].Heal()
		w.day(1)
		w.pass(time.Minute)
		w.requireSound("a")
	})
}
