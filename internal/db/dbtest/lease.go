package dbtest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/db"
)

func leases(t *testing.T, s *suite, now *clock.Manual) {
	ctx := context.Background()
	held := func(l db.Lease) error { return s.update(l.HeldTx) }
	a, err := db.Acquire(ctx, s.DB, "keeper", "a", time.Minute)
	require.NoError(t, err)
	require.EqualValues(t, 1, a.Fence)
	require.NoError(t, held(a))
	_, err = db.Acquire(ctx, s.DB, "keeper", "b", time.Minute)
	require.ErrorIs(t, err, db.ErrLeaseTaken)
	_, err = db.Acquire(ctx, s.DB, "other", "b", time.Minute)
	require.NoError(t, err, "names are independent")

	now.Advance(50 * time.Second)
	a, err = a.Renew(ctx, s.DB, time.Minute)
	require.NoError(t, err)
	now.Advance(50 * time.Second)
	require.NoError(t, held(a), "renewed")
	now.Advance(10 * time.Second)
	require.ErrorIs(t, held(a), db.ErrLeaseTaken, "its time is over to the millisecond")

	b, err := db.Acquire(ctx, s.DB, "keeper", "b", time.Minute)
	require.NoError(t, err)
	require.Greater(t, b.Fence, a.Fence)
	_, err = a.Renew(ctx, s.DB, time.Minute)
	require.ErrorIs(t, err, db.ErrLeaseTaken)
	require.NoError(t, a.Release(ctx, s.DB), "releasing what is lost does nothing")
	require.NoError(t, held(b))

	again, err := db.Acquire(ctx, s.DB, "keeper", "b", time.Minute)
	require.NoError(t, err, "the holder itself may")
	require.Greater(t, again.Fence, b.Fence)
	require.ErrorIs(t, held(b), db.ErrLeaseTaken, "the older fence is out")
	require.NoError(t, again.Release(ctx, s.DB))
	c, err := db.Acquire(ctx, s.DB, "keeper", "c", time.Minute)
	require.NoError(t, err)
	require.Greater(t, c.Fence, again.Fence, "the fence never falls")
}

func leaseRace(t *testing.T, s *suite) {
	var won atomic.Int64
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			_, err := db.Acquire(context.Background(), s.DB, "one", string(rune('a'+i)), time.Hour)
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, db.ErrLeaseTaken):
				t.Errorf("acquiring: %v", err)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, won.Load())
}
