package cache_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/cache"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
)

// hung is a deaf database whose Views never end by themselves: looks fail.
type hung struct{ deaf }

func (hung) View(ctx context.Context, _ func(*db.Tx) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// late is a deaf database whose Views take a while, so that looks come rarely.
type late struct{ deaf }

func (d late) View(ctx context.Context, fn func(*db.Tx) error) error {
	err := d.deaf.View(ctx, fn)
	time.Sleep(900 * time.Millisecond)
	return err
}

// TestAChangeShowsWithinASecond drives a process that follows by the bubble's
// clock, so that the bound is exact: an answer that is asked for ShownWithin
// after a commit has the change, whatever happens to messages and looks and
// however often somebody asks. With messages it takes the time of one load.
func TestAChangeShowsWithinASecond(t *testing.T) {
	t.Parallel()
	for name, follow := range map[string]struct {
		view  func(cache.Database) cache.Database
		bound time.Duration // when somebody asks all the time
	}{
		"messages":        {func(d cache.Database) cache.Database { return d }, 500 * time.Millisecond},
		"messages lost":   {func(d cache.Database) cache.Database { return deaf{d} }, cache.ShownWithin},
		"looks take long": {func(d cache.Database) cache.Database { return late{deaf{d}} }, cache.ShownWithin},
		"looks hang":      {func(d cache.Database) cache.Database { return hung{deaf{d}} }, cache.ShownWithin},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := dbtest.SQLite(t)
				w := newWatched(t, d, follow.view(d))
				longest := time.Duration(0)
				for range 60 {
					longest = max(longest, w.change(true))
					w.change(false)
				}
				t.Logf("shown after at most %v", longest)
				require.LessOrEqual(t, longest, follow.bound)
			})
		})
	}
}

// watched is a process that shows a value, and who looks at it.
type watched struct {
	t     *testing.T
	d     db.DB
	cache *cache.Cache[text]
	shop  id.ID
	steps int
}

func newWatched(t *testing.T, d db.DB, follows cache.Database) *watched {
	w := &watched{t: t, d: d, shop: newMerchant(t, d, "a")}
	versions := cache.NewVersions(follows, clock.System{}, quiet())
	var err error
	w.cache, err = cache.New[text](cache.DefaultConfig(), versions, clock.System{}, quiet())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { versions.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return w
}

// shown is the sum of the merchant's version that the process answers with. A
// load takes up to 200 ms after it has read.
func (w *watched) shown() string {
	slow := time.Duration(w.step(200)) * time.Millisecond
	v, err := w.cache.Get(w.t.Context(), cache.Key{Merchant: w.shop, Kind: "test"}, func(context.Context) (text, error) {
		v := w.truth()
		time.Sleep(slow)
		return v, nil
	})
	require.NoError(w.t, err)
	return string(v)
}

func (w *watched) truth() text {
	sum, _ := state(w.t, w.d, w.shop)
	return text(strconv.FormatInt(sum, 10))
}

// step walks over the numbers below n, far apart one after the other and always
// the same.
func (w *watched) step(n int) int {
	w.steps++
	return w.steps * 7919 % n
}

// change commits a change at some moment between two looks and tells when it was asked for
// by who saw it first. With nobody asking meanwhile, it asks at the bound.
func (w *watched) change(asking bool) time.Duration {
	for until := time.Now().Add(time.Duration(w.step(2000)) * time.Millisecond); time.Now().Before(until); {
		w.shown()
		time.Sleep(time.Duration(1+w.step(100)) * time.Millisecond)
	}
	update(w.t, w.d, func(tx *db.Tx) error { return cache.BumpTx(tx, w.shop) })
	committed, truth := time.Now(), string(w.truth())
	if !asking {
		time.Sleep(cache.ShownWithin)
		require.Equal(w.t, truth, w.shown(), "the first who asks at the bound")
		return cache.ShownWithin
	}
	for {
		asked := time.Since(committed)
		if w.shown() == truth {
			return asked
		}
		require.Less(w.t, asked, 10*time.Second, "never")
		time.Sleep(time.Millisecond)
	}
}
