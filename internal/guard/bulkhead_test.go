package guard_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/guard"
)

// crowd is Views that stay inside until they are let go.
type crowd struct {
	t      *testing.T
	inside chan struct{} // one each time a View began
	let    chan struct{}
	gone   sync.WaitGroup
}

func (c *crowd) come(ctx context.Context, d db.DB, n int) {
	for range n {
		c.gone.Go(func() {
			_ = d.View(ctx, func(*db.Tx) error { // refused or not: what counts is who is inside
				c.inside <- struct{}{}
				<-c.let
				return nil
			})
		})
	}
	synctest.Wait()
}

func quick(ctx context.Context, d db.DB) error {
	return d.View(ctx, func(tx *db.Tx) error { return tx.Get([]any{new(int64)}, `SELECT COUNT(*) FROM merchants`) })
}

// TestACrowdLeavesRoom: however many search, they have their readers, the shelf
// has its own, and who reads beside the bulkhead finds a reader at once. The
// excess hears so, at once or after a moment.
func TestACrowdLeavesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := dbtest.SQLite(t) // has eight readers
		b := guard.NewBulkhead(d, guard.Lane{AtOnce: 4, Waiting: 2}, guard.Lane{AtOnce: 2, Waiting: 3})
		searching := db.WithStale(t.Context())
		c := &crowd{t: t, inside: make(chan struct{}, 100), let: make(chan struct{})}
		c.come(searching, b, 50)
		require.Len(t, c.inside, 2)
		require.EqualValues(t, 45, b.Refused(), "whoever finds all places and all seats taken does not wait")

		began := time.Now()
		require.NoError(t, quick(t.Context(), d), "an order")
		require.NoError(t, quick(t.Context(), b), "the shelf")
		require.Zero(t, time.Since(began), "nobody waited")

		err := quick(searching, b)
		require.Equal(t, "overloaded", errs.CodeOf(err))
		require.Equal(t, errs.Unavailable, errs.KindOf(err))
		require.Zero(t, time.Since(began))
		time.Sleep(2 * time.Second)
		require.EqualValues(t, 49, b.Refused(), "who waited hears so too")
		require.Len(t, c.inside, 2)

		c.come(t.Context(), b, 4) // the shelf as well
		require.Len(t, c.inside, 6)
		require.NoError(t, quick(t.Context(), d), "an order")

		close(c.let)
		c.gone.Wait()
		require.NoError(t, quick(searching, b), "there is room again")
	})
}

// TestWhoWaitsGetsItsTurn, and who leaves meanwhile keeps no place.
func TestWhoWaitsGetsItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := guard.NewBulkhead(dbtest.SQLite(t), guard.Lane{AtOnce: 1, Waiting: 1}, guard.Lane{AtOnce: 1, Waiting: 1})
		c := &crowd{t: t, inside: make(chan struct{}, 100), let: make(chan struct{})}
		c.come(t.Context(), b, 1)
		impatient, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { left <- quick(impatient, b) }()
		synctest.Wait()
		leave()
		require.ErrorIs(t, <-left, context.Canceled)
		waited := make(chan error, 1)
		go func() { waited <- quick(t.Context(), b) }()
		synctest.Wait()
		close(c.let)
		require.NoError(t, <-waited)
		c.gone.Wait()
		require.Zero(t, b.Refused())
	})
}
