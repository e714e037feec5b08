package powerloss

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// older is how many promises of earlier cycles are looked at after each power
// loss, besides those of the last. All are when a shop ends.
const older = 40

// lanes is how many shops lose power side by side: they also wait a lot.
const lanes = 2

// TestPowerLoss takes the power away at random moments while 16 buyers order,
// pay, cancel and look at their keys, and while the shop starts. The disk
// forgets all that was not synced, or all but a torn part of it. Nothing that
// was acknowledged may be missing, undone or different afterwards.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	const perShop = 25
	enough := int64(100)
	if long() {
		enough = 1000
	}
	seed := seedOf(t)
	var shops, begun, cycles, orders atomic.Int64
	another := func() bool { return begun.Add(1) <= enough }
	kit.Each(make([]struct{}, lanes), lanes, func(int, struct{}) {
		for !t.Failed() && begun.Load() < enough {
			n := shops.Add(1)
			t.Run(fmt.Sprintf("shop%d", n), func(t *testing.T) {
				w := newWorld(t, seed+uint64(n))
				w.start()
				for i := 0; i < perShop && another(); i++ {
					w.cycle()
					cycles.Add(1)
				}
				w.requireServed()
				orders.Add(int64(len(w.promises.newest(0))))
			})
		}
	})
	t.Logf("%d power losses, %d acknowledged orders", cycles.Load(), orders.Load())
	if !t.Failed() {
		require.Equal(t, enough, cycles.Load())
	}
}

// cycle is load, power loss, start and a look at the promises.
func (w *world) cycle() {
	w.t.Helper()
	before := len(w.promises.newest(0))
	home := w.crowd(16)
	w.randomCut()
	loss := w.dice
	if w.dice.IntN(3) == 0 {
		loss = nil
	}
	w.crash(loss)
	home()
	require.Empty(w.t, w.wrong.text)
	for w.dice.IntN(4) == 0 {
		w.crashWhileStarting(loss)
	}
	w.start()
	w.requireKept(len(w.promises.newest(0)) - before + older)
	if w.dice.IntN(3) == 0 { // what is wrong stays wrong: the shop's end checks too
		w.shop.RequireClean()
	}
}

// randomCut waits for a random moment: one in time, or one between two requests
// to the disk, which finds the short steps too.
func (w *world) randomCut() {
	wait := time.Duration(30+w.dice.IntN(270)) * time.Millisecond
	if w.dice.IntN(2) == 0 {
		w.disk.CutIn(1 + w.dice.IntN(800))
		wait = 600 * time.Millisecond
	}
	select {
	case <-w.disk.Down():
	case <-time.After(wait):
	}
}

// crashWhileStarting takes the power away from the recovery.
func (w *world) crashWhileStarting(loss *rand.Rand) {
	w.t.Helper()
	w.disk.CutIn(1 + w.dice.IntN(40))
	require.NoError(w.t, w.shop.Launch(w.env...))
	select {
	case <-w.disk.Down():
	case <-w.shop.Done(): // it did not survive the cut, as it may
	case <-time.After(500 * time.Millisecond):
	}
	w.crash(loss)
}
