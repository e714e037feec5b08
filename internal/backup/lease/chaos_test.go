package lease_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/faultdest"
	"panshi/internal/backup/lease"
)

// seed is that of a run, printed; PANSHI_SEED repeats one.
func seed(t *testing.T) uint64 {
	t.Helper()
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails
	n := binary.LittleEndian.Uint64(raw[:])
	if text := os.Getenv("PANSHI_SEED"); text != "" {
		var err error
		n, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("PANSHI_SEED=%d", n)
	return n
}

// draws is a generator that a seed repeats (splitmix64).
type draws uint64

func (d *draws) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// upTo is a time below most.
func (d *draws) upTo(most time.Duration) time.Duration {
	return time.Duration(d.next() % uint64(most)).Truncate(time.Millisecond)
}

// branch is a generator of its own, for another goroutine.
func (d *draws) branch() *draws {
	next := draws(d.next())
	return &next
}

// Machines promote, sleep, lose their line and get stale or late answers, at
// random. Whoever must confirm never writes after another one took over; the
// others stop as soon as their line works; and no epoch has two holders.
func TestTwoNeverWrite(t *testing.T) {
	n := seed(t)
	epochs := 0
	for round := range uint64(6) {
		synctest.Test(t, func(t *testing.T) { seeded := draws(n + round); epochs += chaos(t, &seeded) })
	}
	t.Logf("%d take-overs", epochs)
	require.Greater(t, epochs, 8, "hardly anything happened")
}

// chaos tells how many epochs there were.
func chaos(t *testing.T, random *draws) int {
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
		pause := random.branch()
		work.Go(func() {
			for run := 0; ctx.Err() == nil; run++ {
				time.Sleep(pause.upTo(30 * time.Second))
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
				live, end := context.WithTimeout(ctx, pause.upTo(2*time.Minute))
				k.Run(live)
				end()
				mu.Lock()
				delete(keepers, k) // the process has ended: it writes no more
				mu.Unlock()
			}
		})
		lines := random.branch()
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
func trouble(ctx context.Context, t *testing.T, m *machine, random *draws) {
	faults := []faultdest.Rule{
		{Op: faultdest.Swap, Fault: faultdest.Down}, {Op: faultdest.Swap, Fault: faultdest.Hang},
		{Op: faultdest.Swap, Fault: faultdest.CommitThen, Times: 2}, {Op: faultdest.Load, Fault: faultdest.Down},
		{Op: faultdest.Load, Fault: faultdest.Stale, Times: 3},
	}
	for ctx.Err() == nil {
		m.set(t, faults[random.next()%uint64(len(faults))])
		time.Sleep(random.upTo(20 * time.Second))
		m.line.Heal()
		time.Sleep(random.upTo(20 * time.Second))
	}
}
