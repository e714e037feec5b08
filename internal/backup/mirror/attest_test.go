package mirror_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/faultdest"
	"panshi/internal/backup/manifest"
)

// complete is up to when the manifests of a destination say that nothing is
// missing.
func (w *world) complete(label string) time.Time {
	w.t.Helper()
	log, err := manifest.Read(w.t.Context(), w.places[label].real, w.keys.Signer())
	require.NoError(w.t, err)
	require.Empty(w.t, log.Findings)
	return log.Complete()
}

// A day in which nothing happens makes no copy old: each destination says every
// quarter of an hour, signed, that nothing is missing. It costs six or seven manifests
// an hour.
func TestAnIdleShopIsKnownToBeIdle(t *testing.T) {
	inBubble(t, []string{"a", "b"}, func(t *testing.T, w *world) {
		w.full()
		w.start()
		w.run(3)
		w.pass(time.Minute)
		before := len(w.contents("a", manifest.Prefix))
		for quarter := range 4 * 24 {
			w.pass(15 * time.Minute)
			for _, label := range w.labels {
				at := w.status(label).Complete
				require.LessOrEqual(t, w.clock.Now().Sub(at), 15*time.Minute, label)
				if quarter%24 == 0 {
					require.Equal(t, at, w.complete(label))
				}
			}
		}
		require.LessOrEqual(t, len(w.contents("a", manifest.Prefix))-before, 24*7)
		w.requireSound("a")
	})
}

// A destination that lacks something says nothing about the time since, neither
// does one whose spool does not know whether it has everything; and another one
// is not held up by that.
func TestNothingIsAttestedThatIsNotThere(t *testing.T) {
	inBubble(t, []string{"good", "bad"}, func(t *testing.T, w *world) {
		w.full()
		w.start()
		w.pass(time.Minute)
		at := w.clock.Now()
		w.set("bad", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Full, Match: func(name string) bool { return strings.HasPrefix(name, "seg/") }})
		w.segment()
		w.pass(time.Hour)
		require.Less(t, w.complete("bad"), at.Add(time.Second))
		require.Less(t, w.clock.Now().Sub(w.complete("good")), 15*time.Minute)

		w.places["bad"].Heal()
		w.pass(30 * time.Minute)
		require.Less(t, w.clock.Now().Sub(w.complete("bad")), 15*time.Minute)
		w.unsure = true
		w.pass(time.Minute)
		last := w.complete("good")
		w.pass(time.Hour)
		require.Equal(t, last, w.complete("good"))
	})
}
