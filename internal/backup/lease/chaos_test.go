package lease_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/faultdest"
	"panshi/internal/backup/lease"
)

// upTo is a time below most.
func upTo(d *backuptest.Dice, most time.Duration) time.Duration {
	return time.Duration(d.IntN(int(most.Milliseconds()))) * time.Millisecond
}

// Machines promote, sleep, lose their line and get stale or late answers, at
// random. Whoever must confirm never writes after another one took over; the
// others stop as soon as their line works; and no epoch has two holders.
func TestTwoNeverWrite(t *testing.T) {
	dice := backuptest.NewDice(t)
	epochs := 0
	for range 6 {
		synctest.Test(t, func(t *testing.T) { epochs += chaos(t, dice.Split()) })
	}
	t.Logf("%d take-overs", epochs)
	require.Greater(t, epochs, 8, "hardly anything happened")
}

// chaos tells how many epochs there were.
func chaos(t *testing.T, random *backuptest.Dice) int {
	p := newPlace(t)
	const count = 3
	var mu sync.Mutex
	holders := map[uint64]string{} // node by epoch
	keepers := map[*lease.Keeper]*machine{}
	var work sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for i := range count {
		m := p.machine(fmt.Sprint("n", i)).promoting()
		m.cfg.MustConfirm = true
		pause := random.Split()
		work.Go(func() {
			for run := 0; ctx.Err() == nil; run++ {
				time.Sleep(upTo(pause, 30*time.Second))
				m.cfg.Claim.Run = fmt.Sprint(m.cfg.Claim.Node, "-", run)
				m.cfg.Claim.Depose = false
				k, err := lease.Hold(ctx, m.cfg)
				if err != nil {
					continue
				}
				mu.Lock()
				if who, taken := holders[k.Epoch()]; taken && who != m.cfg.Claim.Node {
					t.Errorf("epoch %d has two holders: %s and %s", k.Epoch(), who, m.cfg.Claim.Node)
				}
				holders[k.Epoch()], keepers[k] = m.cfg.Claim.Node, m
				mu.Unlock()
				live, end := context.WithTimeout(ctx, upTo(pause, 2*time.Minute))
				k.Run(live)
				end()
				mu.Lock()
				delete(keepers, k) // the process has ended: it writes no more
				mu.Unlock()
			}
		})
		lines := random.Split()
		work.Go(func() { trouble(ctx, t, m, lines) })
	}
	for range 4000 {
		time.Sleep(100 * time.Millisecond)
		mu.Lock()
		at := p.look().Epoch
		writing := 0
		for k := range keepers {
			if k.Check() != nil {
				continue
			}
			writing++
			if k.Epoch() < at {
				t.Errorf("epoch %d writes after epoch %d was taken", k.Epoch(), at)
			}
		}
		mu.Unlock()
		require.LessOrEqual(t, writing, 1)
	}
	cancel()
	work.Wait()
	return len(holders)
}

// trouble sets and heals faults of a line.
func trouble(ctx context.Context, t *testing.T, m *machine, random *backuptest.Dice) {
	faults := []faultdest.Rule{
		{Op: faultdest.Swap, Fault: faultdest.Down},
		{Op: faultdest.Swap, Fault: faultdest.Hang},
		{Op: faultdest.Swap, Fault: faultdest.CommitThen, Times: 2},
		{Op: faultdest.Load, Fault: faultdest.Down},
		{Op: faultdest.Load, Fault: faultdest.Stale, Times: 3},
	}
	for ctx.Err() == nil {
		m.set(t, faults[random.IntN(len(faults))])
		time.Sleep(upTo(random, 20*time.Second))
		m.line.Heal()
		time.Sleep(upTo(random, 20*time.Second))
	}
}
