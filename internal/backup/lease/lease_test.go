package lease_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/faultdest"
	"panshi/internal/backup/lease"
	"panshi/internal/backup/seal"
	"panshi/internal/clock"
	"panshi/internal/dirdest"
	"panshi/internal/errs"
)

// place is one destination that machines share, each over a line of its own.
type place struct {
	t    *testing.T
	dir  *dirdest.Dest
	keys *seal.Keys
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir, err := dirdest.New(dirdest.Config{Dir: t.TempDir(), SameDevice: true})
	require.NoError(t, err)
	keys, _, err := seal.New(seal.Options{Shop: "t", Now: time.Now()})
	require.NoError(t, err)
	return &place{t, dir, keys}
}

// machine is one data directory and its process.
type machine struct {
	line *faultdest.Swapper
	cfg  lease.Config
}

func (p *place) machine(node string) *machine {
	line := faultdest.NewSwapper(p.dir)
	return &machine{line, lease.Config{
		Dest: line, Signer: p.keys, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
		Claim: lease.Claim{Node: node, Run: node + "-1", TTL: lease.TTL, Now: time.Now},
	}}
}

func (m *machine) hold(t *testing.T) *lease.Keeper {
	t.Helper()
	k, err := lease.Hold(t.Context(), m.cfg)
	require.NoError(t, err)
	return k
}

// run renews until the test or the returned function ends it.
func run(t *testing.T, k *lease.Keeper) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { k.Run(ctx) })
	return func() { cancel(); work.Wait() }
}

func (p *place) look() lease.Lease {
	l, err := lease.Look(p.t.Context(), p.dir, p.keys)
	require.NoError(p.t, err)
	return l
}

func (m *machine) promoting() *machine {
	m.cfg.Claim.Promote = true
	return m
}

func (m *machine) set(t *testing.T, r faultdest.Rule) {
	t.Helper()
	require.NoError(t, m.line.Set(t.Context(), r))
}

func TestTheFirstShopHoldsAndARestartGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		m := p.machine("a")
		stop := run(t, m.hold(t))
		time.Sleep(time.Minute)
		require.EqualValues(t, 1, p.look().Epoch)
		require.Greater(t, p.look().Beat, uint64(25))
		stop()
		m.cfg.Claim.Run, m.cfg.Claim.Epoch = "a-2", 1
		begin := time.Now()
		require.NoError(t, m.hold(t).Check())
		require.Zero(t, time.Since(begin), "its own lease is nothing to wait for")
		require.EqualValues(t, 1, p.look().Epoch)
	})
}

func TestWhoLivesIsNotPromotedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		stop := run(t, p.machine("a").hold(t))
		defer stop()
		time.Sleep(time.Second)
		_, err := lease.Hold(t.Context(), p.machine("b").promoting().cfg)
		require.Equal(t, "lease_held", errs.CodeOf(err), "%v", err)
		_, err = lease.Hold(t.Context(), p.machine("c").cfg)
		require.Equal(t, "lease_held", errs.CodeOf(err), "a copy of the shop on another machine: %v", err)
	})
}

// The old primary stops within one renewal, and refuses for ever after.
func TestADeposedShopStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		old := p.machine("a")
		keeper := old.hold(t)
		defer run(t, keeper)()
		time.Sleep(time.Minute)
		m := p.machine("b").promoting()
		m.cfg.Claim.Depose = true
		begin := time.Now()
		require.EqualValues(t, 2, m.hold(t).Epoch())
		<-keeper.Lost()
		require.LessOrEqual(t, time.Since(begin), lease.Every)
		require.Equal(t, "lease_lost", errs.CodeOf(keeper.Check()))
		old.cfg.Claim.Epoch = 1
		_, err := lease.Hold(t.Context(), old.cfg)
		require.Equal(t, "lease_lost", errs.CodeOf(err), "%v", err)
	})
}

// A machine that slept through a promotion writes nothing before it has looked.
func TestWhoSleptLooksFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		old := p.machine("a")
		keeper := old.hold(t) // and does not run: the process is stopped
		time.Sleep(lease.TTL * 4 / 5)
		require.NoError(t, keeper.Check())
		begin := time.Now()
		taken := p.machine("b").promoting().hold(t)
		require.EqualValues(t, 2, taken.Epoch())
		require.NoError(t, taken.Check(), "it waited, but it did not sleep")
		require.GreaterOrEqual(t, time.Since(begin), lease.TTL, "it was promoted before the old one counts as silent")
		require.Equal(t, "lease_unsure", errs.CodeOf(keeper.Check()))
		defer run(t, keeper)()
		<-keeper.Lost()
		require.Equal(t, "lease_lost", errs.CodeOf(keeper.Check()))
	})
}

func TestADestinationThatIsDown(t *testing.T) {
	for _, must := range []bool{false, true} {
		t.Run(fmt.Sprint("must confirm ", must), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t)
				m := p.machine("a")
				m.cfg.MustConfirm = must
				keeper := m.hold(t)
				defer run(t, keeper)()
				m.set(t, faultdest.Rule{Op: faultdest.Swap, Fault: faultdest.Hang})
				m.set(t, faultdest.Rule{Op: faultdest.Load, Fault: faultdest.Down})
				time.Sleep(time.Hour)
				require.Equal(t, must, errs.CodeOf(keeper.Check()) == "lease_unsure", "%v", keeper.Check())
				m.line.Heal()
				time.Sleep(2 * (lease.Every + lease.CallFor))
				require.NoError(t, keeper.Check())
			})
		})
	}
}

// A start without an answer goes on with what the node held, and ends as soon as
// the destination says that another one holds.
func TestAStartWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		old := p.machine("a")
		old.hold(t)
		p.machine("b").promoting().hold(t)
		old.cfg.Claim.Epoch, old.cfg.Claim.Run = 1, "a-2"
		keeper := lease.Unconfirmed(old.cfg, errors.New("no answer"))
		require.NoError(t, keeper.Check())
		defer run(t, keeper)()
		<-keeper.Lost()
		require.Equal(t, "b", p.look().Node)
	})
}

// Of many that promote at once exactly one wins, whatever their lines do.
func TestOnePromotionWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.machine("a").hold(t)
		won := make([]error, 6)
		var race sync.WaitGroup
		for i := range won {
			m := p.machine(fmt.Sprint("p", i)).promoting()
			if i%2 == 0 {
				m.set(t, faultdest.Rule{Op: faultdest.Swap, Fault: faultdest.CommitThen, Times: 1})
			}
			race.Go(func() { _, won[i] = lease.Hold(t.Context(), m.cfg) })
		}
		race.Wait()
		winners := 0
		for i, err := range won {
			if err == nil {
				winners++
				require.Equal(t, fmt.Sprint("p", i), p.look().Node)
			}
		}
		require.Equal(t, 1, winners, "%v", won)
		require.EqualValues(t, 2, p.look().Epoch)
	})
}

// A lease that was deleted, damaged or set back is written anew by whoever holds
// the highest epoch, and by nobody else.
func TestTheHighestEpochComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		old := p.machine("a").hold(t)
		before, _, err := p.dir.Load(t.Context(), lease.Name)
		require.NoError(t, err)
		m := p.machine("b").promoting()
		keeper := m.hold(t)
		defer run(t, keeper)()
		time.Sleep(lease.Every / 2) // between two renewals
		for what, content := range map[string][]byte{"set back": before, "damaged": []byte("x"), "gone": nil} {
			if content == nil {
				require.NoError(t, p.dir.Delete(t.Context(), lease.Name))
			} else {
				_, version, err := p.dir.Load(t.Context(), lease.Name)
				require.NoError(t, err)
				_, err = p.dir.Swap(t.Context(), lease.Name, version, content)
				require.NoError(t, err)
			}
			time.Sleep(2 * lease.Every)
			require.NoError(t, keeper.Check(), what)
			require.Equal(t, "b", p.look().Node, what)
		}
		defer run(t, old)()
		<-old.Lost()
	})
}

func TestAnotherShopsLeaseIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		p.machine("a").hold(t)
		other := newPlace(t)
		m := p.machine("b").promoting()
		m.cfg.Signer = other.keys
		_, err := lease.Hold(t.Context(), m.cfg)
		require.Equal(t, "lease_foreign", errs.CodeOf(err))
	})
}

func TestFollowersTell(t *testing.T) {
	p := newPlace(t)
	at := time.UnixMilli(1764179912345)
	for range 2 {
		require.NoError(t, lease.Tell(t.Context(), p.dir, p.keys, lease.Follower{Node: "b", Time: at.UnixMilli(), Transaction: 7}))
	}
	_, err := p.dir.Swap(t.Context(), backup.LeasePrefix+"follower-x", "", []byte("who am I"))
	require.NoError(t, err)
	all, err := lease.Followers(t.Context(), p.dir, p.keys)
	require.NoError(t, err)
	require.Equal(t, []lease.Follower{{Node: "b", Time: at.UnixMilli(), Transaction: 7}}, all)
}

var _ backup.Swapper = (*faultdest.Swapper)(nil)
