package mirror_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/faultdest"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/mirror"
)

// TestNoLieIsBelieved: failures 1 and 2 of the list that this shop has to
// survive. While a destination fails or lies nothing more is claimed than it has,
// somebody is told, the other destination goes on, and after healing both have
// the same.
func TestNoLieIsBelieved(t *testing.T) {
	segment := func(name string) bool { return strings.HasPrefix(name, "seg/") }
	listed := func(name string) bool { return strings.HasPrefix(name, manifest.Prefix) }
	cases := []struct {
		name  string
		rule  faultdest.Rule
		alarm string // "" if the mirror gets over it without a word
	}{
		{"answers errors", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Down}, mirror.AlarmFailing},
		{"answers a few errors", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Down, Times: 3}, ""},
		{"does not answer", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Hang}, mirror.AlarmLag},
		{"is full", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Full}, mirror.AlarmFailing},
		{"refuses", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Refused}, mirror.AlarmFailing},
		{"times out after it stored", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.CommitThen}, ""},
		{"times out after it stored once", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.CommitThen, Times: 1}, ""},
		{"times out after half of it", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.TornThen, Times: 1}, mirror.AlarmLie},
		{"stores nothing of segments", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.ZeroBytes, Match: segment}, mirror.AlarmLie},
		{"stores half of segments", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Truncated, Match: segment}, mirror.AlarmLie},
		{"stores half of manifests", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Truncated, Match: listed}, mirror.AlarmLie},
		{"changes a bit", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Flipped}, mirror.AlarmLie},
		{"forgets", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Vanished}, mirror.AlarmLie},
		{"breaks off reading", faultdest.Rule{Op: faultdest.Get, Fault: faultdest.ShortRead}, mirror.AlarmFailing},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, []string{"bad", "good"}, func(t *testing.T, w *world) {
				w.start()
				w.full()
				w.run(5)
				w.set("bad", c.rule)
				w.run(40)
				w.pass(3 * time.Minute)
				w.requireNoFalseClaim("bad")
				require.Equal(t, w.tx, w.status("good").Reach.End)
				if c.alarm != "" {
					w.requireTold("bad", c.alarm)
				}
				w.places["bad"].Heal()
				w.pass(3 * time.Minute)
				w.run(3)
				w.pass(11 * time.Second)
				w.requireSound("good")
				w.requireSound("bad")
				w.requireSpoolEmpty()
			})
		})
	}
}

// TestWhatCannotBeTakenAwayGetsASpareCopy: rubbish under the right name, and no
// right to delete it.
func TestWhatCannotBeTakenAwayGetsASpareCopy(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.start()
		w.full()
		w.run(3)
		w.set("a", faultdest.Rule{Op: faultdest.Delete, Fault: faultdest.Refused})
		w.set("a", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Truncated, Times: 1})
		name := w.segment()
		w.pass(time.Second)
		w.run(3)
		w.pass(11 * time.Second)
		require.Equal(t, w.tx, w.status("a").Reach.End)
		require.Contains(t, w.contents("a", name), name+"~1")
		w.requireTold("a", mirror.AlarmLie)
	})
}

// TestSilenceIsNoticed: failure 3. A copier that hangs and a source that stops
// are told by a watch that does not depend on them.
func TestSilenceIsNoticed(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.cfg.Targets[0].Dest = w.places["a"].Dest // nothing bounds its calls
		w.start()
		w.full()
		w.run(3)
		w.set("a", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Hang})
		w.run(60)
		w.requireTold("a", mirror.AlarmLag)
		require.Greater(t, w.status("a").Lag, 50*time.Second, "the figure goes on although the copier hangs")
		w.pass(17 * time.Minute)
		require.False(t, w.told("", mirror.AlarmQuiet, true), "the source says that there is nothing to bring")
		w.unsure = true
		w.pass(17 * time.Minute)
		w.requireTold("", mirror.AlarmQuiet)
	})
}

// TestAMissingFirstSegmentIsNoRecoveryPoint: failure 9. All but the first segment
// after a full arrive; the reach ends at the full.
func TestAMissingFirstSegmentIsNoRecoveryPoint(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.start()
		w.full()
		w.pass(time.Second)
		end := w.tx
		w.set("a", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Refused, Match: func(name string) bool {
			s, ok := backup.ParseSegment(name)
			return ok && s.Max == end+1
		}})
		w.segment()
		w.pass(time.Second)
		w.run(10)
		s := w.status("a")
		require.Equal(t, end, s.Reach.End)
		require.Equal(t, end+1, s.Reach.Gap)
		require.Equal(t, "backup_refused", s.Code)
		w.pass(time.Minute)
		w.requireTold("a", mirror.AlarmFailing)
		w.requireTold("a", mirror.AlarmLag)
		w.places["a"].Heal()
		w.pass(2 * time.Minute)
		w.requireSound("a")
	})
}

// TestAFullSpoolLetsTheLaggardGo: failure 11.
func TestAFullSpoolLetsTheLaggardGo(t *testing.T) {
	inBubble(t, []string{"a", "b"}, func(t *testing.T, w *world) {
		w.cfg.SpoolMax = 150_000
		w.start()
		w.full()
		w.run(5)
		w.set("b", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Hang})
		w.run(60)
		w.requireTold("b", mirror.AlarmNeedsFull)
		w.requireTold("", mirror.AlarmSpool)
		require.Contains(t, w.asked(), "b")
		require.NotContains(t, w.asked(), "a")
		require.False(t, w.status("b").Following)
		require.Zero(t, w.status("a").Pending)
		require.True(t, w.told("", mirror.AlarmSpool, false), "the disk is protected")

		w.stop() // the decision outlives a restart
		w.places["b"].Heal()
		w.start()
		w.run(3)
		w.full()
		w.run(3)
		w.pass(30 * time.Second)
		w.requireSound("a")
		w.requireSound("b")
		w.requireSpoolEmpty()
	})
}

// TestOneBadFileDoesNotStopTheOthers: failure 11 too.
func TestOneBadFileDoesNotStopTheOthers(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.start()
		w.full()
		w.write("Not A Name", []byte("x"))
		w.run(10)
		require.Equal(t, w.tx, w.status("a").Reach.End)
		w.requireTold("", mirror.AlarmIntake)
		files, err := w.spool.List(t.Context(), "")
		require.NoError(t, err)
		require.Len(t, files, 1, "the others leave the spool")
	})
}

// TestTwoMachinesUnderOneKey: failure 13. The other machine's segment stays as it
// is, and somebody is told.
func TestTwoMachinesUnderOneKey(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.start()
		w.full()
		w.run(3)
		next := backup.Segment{Generation: 1, Min: w.tx + 1, Max: w.tx + 1, Time: w.clock.Now()}
		var other bytes.Buffer
		_, err := w.keys.Seal(t.Context(), next.Name(), strings.NewReader("written by the other one"), &other)
		require.NoError(t, err)
		require.NoError(t, w.places["a"].real.Put(t.Context(), next.Name(), backup.Bytes(other.Bytes())))
		require.Equal(t, next.Name(), w.segment())
		w.pass(time.Minute)
		w.requireTold("a", mirror.AlarmSplitBrain)
		require.Equal(t, w.tx-1, w.status("a").Reach.End)
		require.Equal(t, other.String(), w.contents("a", next.Name())[next.Name()])
	})
}

// TestAListingThatLagsLosesNothing: failure 15. The mirror starts against a
// listing of an hour ago: no claim is dropped, and its manifests go on where they
// were.
func TestAListingThatLagsLosesNothing(t *testing.T) {
	for _, journal := range []bool{true, false} {
		t.Run(fmt.Sprint("journal ", journal), func(t *testing.T) {
			inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
				w.start()
				w.full()
				w.run(5)
				w.pass(11 * time.Second)
				w.set("a", faultdest.Rule{Op: faultdest.List, Fault: faultdest.Stale})
				w.run(30)
				w.pass(11 * time.Second)
				objects := w.status("a").Objects
				w.stop()
				if !journal {
					w.state = memory(t)
					w.cfg.Dir = w.state
				}
				w.start()
				w.pass(11 * time.Second)
				require.Equal(t, objects, w.status("a").Objects)
				require.Empty(t, w.heard())
				w.run(3)
				w.pass(11 * time.Second)
				w.places["a"].Heal()
				w.requireSound("a")
			})
		})
	}
}

// TestAnIntruderWhoDeletesIsSeen: failure 18. What is gone is told, is brought
// again while the source has it, else a full is asked for.
func TestAnIntruderWhoDeletesIsSeen(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.start()
		w.full()
		w.run(10)
		name := w.segment()
		w.run(10)
		w.pass(11 * time.Second)
		require.NoError(t, w.places["a"].real.Delete(t.Context(), name))
		report := w.verify("a")
		require.Equal(t, []manifest.Finding{{Kind: manifest.Missing, Name: name}}, report.Findings)

		w.pass(time.Hour + 3*time.Minute) // the source is looked at before a full is asked for
		w.requireTold("a", mirror.AlarmVanished)
		w.requireTold("a", mirror.AlarmNeedsFull)
		require.Contains(t, w.asked(), "a")
		require.False(t, w.status("a").Following)
		w.full()
		w.run(3)
		w.pass(11 * time.Second)
		w.requireSound("a")
	})
}
