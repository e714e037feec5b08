package mirror_test

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/faultdest"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/mirror"
	"panshi/internal/backup/mirror/mirrortest"
)

func TestEverythingArrivesEverywhere(t *testing.T) {
	inBubble(t, []string{"a", "b"}, func(t *testing.T, w *world) {
		w.start()
		w.full()
		w.write("box/uploads/0000000001-"+"0946684800000", []byte("a picture"))
		w.run(30)
		w.pass(11 * time.Second)
		w.requireSound("a")
		w.requireSound("b")
		w.requireSpoolEmpty()
		require.Equal(t, w.contents("a", "seg/"), w.contents("b", "seg/"), "the same bytes everywhere")
		require.Len(t, w.contents("a", ""), 32+len(w.contents("a", "manifest/")))
		require.Empty(t, w.heard())
	})
}

// TestNothingIsBehindASecondLong: what is written is at both places at once, not
// at the next tick of something.
func TestNothingIsBehindASecondLong(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.start()
		w.full()
		w.pass(11 * time.Second)
		for range 5 {
			w.segment()
			w.pass(10 * time.Millisecond)
			require.Equal(t, w.tx, w.status("a").Reach.End)
		}
	})
}

func TestOneDestinationDiesTheOtherGoesOn(t *testing.T) {
	inBubble(t, []string{"a", "b"}, func(t *testing.T, w *world) {
		w.start()
		w.full()
		w.run(10)
		for _, op := range []faultdest.Ops{faultdest.Put, faultdest.Get, faultdest.List, faultdest.Delete} {
			w.set("b", faultdest.Rule{Op: op, Fault: faultdest.Down})
		}
		w.run(60)
		require.Equal(t, w.tx, w.status("a").Reach.End, "the living one is up to date")
		require.Zero(t, w.status("a").Pending)
		w.requireTold("b", mirror.AlarmFailing)
		w.requireTold("b", mirror.AlarmLag)
		require.Greater(t, w.status("b").Lag, 50*time.Second)
		require.Equal(t, uint64(11), w.status("b").Reach.End, "the dead one claims what it had")
		w.requireNoFalseClaim("b")

		w.places["b"].Heal()
		w.pass(2 * time.Minute)
		w.run(3)
		w.pass(11 * time.Second)
		w.requireSound("a")
		w.requireSound("b")
		require.Equal(t, w.contents("a", "seg/"), w.contents("b", "seg/"), "digests equal after healing")
		require.True(t, w.told("b", mirror.AlarmLag, false))
		require.True(t, w.told("b", mirror.AlarmFailing, false))
		w.requireSpoolEmpty()
	})
}

// TestARestartGoesOn stops the mirror at odd moments, and once without what it
// had sealed.
func TestARestartGoesOn(t *testing.T) {
	inBubble(t, []string{"a", "b"}, func(t *testing.T, w *world) {
		w.start()
		w.full()
		for round := range 6 {
			w.run(round)
			w.segment()
			w.stop()
			w.segment()
			w.start()
		}
		w.pass(15 * time.Second)
		w.requireSound("a")
		w.requireSound("b")
		w.requireSpoolEmpty()
		require.Empty(t, w.heard())
		require.Len(t, w.verify("a").Heads, 1, "one chain over all restarts")
	})
}

func TestANewMachineTakesOver(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.start()
		w.full()
		w.run(20)
		w.pass(11 * time.Second)
		w.stop()
		before := w.contents("a", "seg/")

		w.cfg.Dir = memory(t) // the old machine's state is gone
		w.state = w.cfg.Dir
		w.generation, w.tx = 2, 0
		w.start()
		w.full()
		w.run(20)
		w.pass(11 * time.Second)
		w.requireSound("a")
		require.Empty(t, w.heard())
		after := w.contents("a", "seg/")
		for name, content := range before {
			require.Equal(t, content, after[name], "the old generation is not overwritten: %s", name)
		}
		require.Len(t, w.verify("a").Heads, 1, "the old chain is taken over")
	})
}

// TestATakenOverChainStaysSilent: the credential may not delete, so the old
// chain's manifests stay; they accuse nobody of what retention deletes later.
func TestATakenOverChainStaysSilent(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.start()
		w.full()
		w.run(20)
		w.pass(11 * time.Second)
		w.stop()
		w.set("a", faultdest.Rule{Op: faultdest.Delete, Fault: faultdest.Refused, Match: func(name string) bool {
			return strings.HasPrefix(name, manifest.Prefix)
		}})
		w.cfg.Dir = memory(t)
		w.state = w.cfg.Dir
		w.cfg.Targets[0].Retention = mirror.Retention{Fine: time.Hour, Window: time.Hour, Fulls: 2}
		w.start()
		for range 5 {
			w.full()
			w.segment()
			w.pass(50 * time.Minute)
		}
		w.pass(time.Hour)
		require.Len(t, w.verify("a").Heads, 2)
		require.NoError(t, w.verify("a").Err())
	})
}

func TestADamagedJournalIsMadeAnewFromTheDestination(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.start()
		w.full()
		w.run(20)
		w.pass(11 * time.Second)
		objects := w.status("a").Objects
		w.stop()
		damage(t, w.state+"/a.journal")
		w.start()
		w.pass(11 * time.Second)
		w.requireTold("a", mirror.AlarmVanished)
		require.Equal(t, objects, w.status("a").Objects)
		w.run(3)
		w.pass(11 * time.Second)
		w.requireSound("a")
	})
}

// TestAWriteOnlyCredentialIsNoError: it cannot read, list or delete; that is
// told, and nothing fails for ever.
func TestAWriteOnlyCredentialIsNoError(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		for _, op := range []faultdest.Ops{faultdest.Get, faultdest.List, faultdest.Delete} {
			w.set("a", faultdest.Rule{Op: op, Fault: faultdest.Refused})
		}
		w.cfg.Targets[0].Retention = mirror.Retention{Fine: time.Hour, Window: time.Hour, Fulls: 2}
		w.start()
		for range 5 {
			w.full()
			w.run(20)
			w.pass(50 * time.Minute)
		}
		w.pass(2 * time.Hour)
		s := w.status("a")
		require.Empty(t, s.Code)
		require.True(t, s.Unread && s.Kept, "%+v", s)
		require.Positive(t, s.Left, "what retention gave up is still there")
		require.Empty(t, slices.DeleteFunc(w.heard(), func(a mirror.Alert) bool { return a.Code == mirror.AlarmQuiet }))
		require.NoError(t, w.verify("a").Err(), "somebody who may read finds all sound")
	})
}

func TestANewDestinationWaitsForAFull(t *testing.T) {
	inBubble(t, []string{"a", "b"}, func(t *testing.T, w *world) {
		both := w.cfg.Targets
		w.cfg.Targets = both[:1]
		w.start()
		w.full()
		w.run(5)
		w.pass(11 * time.Second)
		w.stop()
		w.cfg.Targets = both
		w.start()
		w.run(45)
		require.Equal(t, []string{"b"}, w.asked())
		require.False(t, w.status("b").Following)
		require.Zero(t, w.status("b").Objects, "log without a full is worth nothing")
		w.requireTold("b", mirror.AlarmNeedsFull)
		w.full()
		w.run(5)
		w.pass(11 * time.Second)
		w.requireSound("a")
		w.requireSound("b")
		require.True(t, w.told("b", mirror.AlarmNeedsFull, false))
		w.requireSpoolEmpty()
		require.Less(t, len(w.contents("b", "seg/")), len(w.contents("a", "seg/")))
		require.Subset(t, slices.Collect(maps.Keys(w.contents("a", "seg/"))), slices.Collect(maps.Keys(w.contents("b", "seg/"))))
	})
}

// TestASourceMayKeepItsFiles: one that has a retention of its own goes on showing
// what was removed. Nothing is sealed or sent twice, also after a restart, and
// what a destination loses comes again from there.
func TestASourceMayKeepItsFiles(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.cfg.Source, w.unsure = keeping{w.spool}, true
		w.start()
		w.full()
		w.run(10)
		w.pass(time.Hour + time.Minute)
		puts := w.places["a"].Calls(faultdest.Put)
		w.stop()
		w.start()
		w.pass(10 * time.Minute)
		require.Equal(t, puts, w.places["a"].Calls(faultdest.Put))
		left, err := os.ReadDir(w.state + "/sealed")
		require.NoError(t, err)
		require.Empty(t, left)

		name := slices.Sorted(maps.Keys(w.contents("a", "seg/")))[4]
		require.False(t, w.m.Needs(name))
		require.NoError(t, w.places["a"].real.Delete(t.Context(), name))
		w.pass(time.Hour)
		w.requireTold("a", mirror.AlarmVanished)
		w.pass(2 * time.Minute)
		w.requireSound("a")
		require.True(t, w.m.Needs("seg/new"))
	})
}

// keeping is a spool that removes nothing.
type keeping struct{ mirrortest.Spool }

func (keeping) Remove(context.Context, string) error { return nil }

// TestALargeFullDoesNotHoldUpTheLog: the line is slow and the full takes minutes;
// each second's segment is there within a second all the same.
func TestALargeFullDoesNotHoldUpTheLog(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		retry := backup.DefaultRetry()
		retry.Slowest = 10_000
		w.cfg.Targets[0].Dest = backup.Retry(slow{w.places["a"]}, retry)
		w.start()
		w.full()
		w.run(3)
		s := backup.Segment{Generation: 1, Level: backup.FullLevel, Min: 1, Max: w.tx, Time: w.clock.Now()}
		w.write(s.Name(), make([]byte, 5<<20))
		for range 60 {
			w.segment()
			w.pass(time.Second)
			require.Equal(t, w.tx, w.status("a").Reach.End)
			require.Positive(t, w.status("a").Pending, "the full is under way")
		}
		w.pass(5 * time.Minute)
		require.Zero(t, w.status("a").Pending)
		require.Equal(t, s.Name(), w.status("a").Reach.Full.Name())
		w.requireSound("a")
		w.requireSpoolEmpty()
	})
}

// TestALargeFullThatFailsStopsNothingElse: each second's segment goes on being
// brought and listed.
func TestALargeFullThatFailsStopsNothingElse(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		w.start()
		w.full()
		w.run(3)
		s := backup.Segment{Generation: 1, Level: backup.FullLevel, Min: 1, Max: w.tx, Time: w.clock.Now()}
		w.set("a", faultdest.Rule{Op: faultdest.Put, Fault: faultdest.Down, Match: func(name string) bool { return name == s.Name() }})
		w.write(s.Name(), make([]byte, 5<<20))
		for range 90 {
			w.segment()
			w.pass(time.Second)
			require.Equal(t, w.tx, w.status("a").Reach.End)
		}
		w.requireTold("a", mirror.AlarmFailing)
		w.pass(11 * time.Second)
		require.Equal(t, w.status("a").Objects, w.status("a").Listed)
		w.places["a"].Heal()
		w.pass(3 * time.Minute)
		w.requireSound("a")
		w.requireSpoolEmpty()
		require.True(t, w.told("a", mirror.AlarmFailing, false))
	})
}

// slow is a destination that takes two minutes for what is large.
type slow struct{ backup.Destination }

func (s slow) Put(ctx context.Context, name string, body backup.Body) error {
	if body.Size > 1<<20 {
		if err := backup.Pause(ctx, 2*time.Minute); err != nil {
			return err
		}
	}
	return s.Destination.Put(ctx, name, body)
}
