package cache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/cache"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/money"
)

// text is a value of a test.
type text string

func (t text) Size() int { return len(t) }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// bench is a cache on a real database whose time the test moves.
type bench struct {
	t        *testing.T
	db       cache.Database
	clock    *clock.Manual
	versions *cache.Versions
	cache    *cache.Cache[text]
	shop     id.ID
}

func newBench(t *testing.T, cfg cache.Config) *bench {
	t.Helper()
	b := &bench{t: t, db: dbtest.SQLite(t), clock: clock.NewManual(time.Now())}
	b.versions = cache.NewVersions(b.db, b.clock, quiet())
	var err error
	b.cache, err = cache.New[text](cfg, b.versions, b.clock, quiet())
	require.NoError(t, err)
	b.shop = newMerchant(t, b.db, "a")
	b.look()
	return b
}

func newMerchant(t *testing.T, d db.DB, slug string) id.ID {
	t.Helper()
	m, err := merchant.NewService(d, clock.System{}).Put(t.Context(), merchant.Merchant{Slug: slug, Name: slug, Currency: money.CNY, Open: true})
	require.NoError(t, err)
	return m.ID
}

// look does what the time between looks does by itself.
func (b *bench) look() {
	b.t.Helper()
	require.NoError(b.t, b.versions.Look(b.t.Context()))
}

func (b *bench) bump(shop id.ID) {
	b.t.Helper()
	require.NoError(b.t, b.db.Update(b.t.Context(), func(tx *db.Tx) error { return cache.BumpTx(tx, shop) }))
	b.look()
}

func (b *bench) key(name string) cache.Key {
	return cache.Key{Merchant: b.shop, Kind: "test", Name: name}
}

func (b *bench) get(name string, load cache.Load[text]) (text, error) {
	return b.cache.Get(b.t.Context(), b.key(name), load)
}

// must is a Get that succeeds.
func (b *bench) must(name string, load cache.Load[text]) text {
	b.t.Helper()
	v, err := b.get(name, load)
	require.NoError(b.t, err)
	return v
}

func gives(v text) cache.Load[text] {
	return func(context.Context) (text, error) { return v, nil }
}

func fails(err error) cache.Load[text] {
	return func(context.Context) (text, error) { return "", err }
}

// held is a load that waits until it is released.
type held struct {
	started, release chan struct{}
	loads            atomic.Int64
}

func hold() *held { return &held{started: make(chan struct{}, 2000), release: make(chan struct{})} }

func (h *held) gives(v text) cache.Load[text] {
	return func(ctx context.Context) (text, error) {
		h.loads.Add(1)
		h.started <- struct{}{}
		select {
		case <-h.release:
			return v, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func TestAThousandMissesMakeOneLoad(t *testing.T) {
	b := newBench(t, cache.DefaultConfig())
	h := hold()
	var all sync.WaitGroup
	var wrong atomic.Int64
	for range 1000 {
		all.Go(func() {
			if v, err := b.get("x", h.gives("new")); v != "new" || err != nil {
				wrong.Add(1)
			}
		})
	}
	<-h.started
	close(h.release)
	all.Wait()
	require.Zero(t, wrong.Load())
	require.Equal(t, int64(1), h.loads.Load())
	require.Equal(t, int64(1), b.cache.Stats().Loads)
}

func TestOldValueIsServedWhileOneLoads(t *testing.T) {
	b := newBench(t, cache.DefaultConfig())
	require.Equal(t, text("old"), b.must("x", gives("old")))
	_, fresh := b.cache.Fresh(b.key("x"))
	require.True(t, fresh)

	b.bump(b.shop)
	_, fresh = b.cache.Fresh(b.key("x"))
	require.False(t, fresh)
	h := hold()
	for range 100 {
		require.Equal(t, text("old"), b.must("x", h.gives("new")))
	}
	<-h.started
	close(h.release)
	require.Eventually(t, func() bool { v, ok := b.cache.Fresh(b.key("x")); return ok && v == "new" }, 30*time.Second, time.Millisecond)
	require.Equal(t, int64(1), h.loads.Load())
}

func TestSoonTheNewValueIsWaitedFor(t *testing.T) {
	b := newBench(t, cache.DefaultConfig())
	b.must("x", gives("old"))
	b.bump(b.shop)
	b.clock.Advance(400 * time.Millisecond)
	require.Equal(t, text("new"), b.must("x", gives("new")), "after a moment nobody gets the old value if a new one can be had")

	b.bump(b.shop)
	b.clock.Advance(400 * time.Millisecond)
	h := hold()
	began := time.Now()
	require.Equal(t, text("new"), b.must("x", h.gives("newer")), "a load that hangs keeps nobody")
	require.Less(t, time.Since(began), 4*time.Second, "it waits for a quarter of a second, and a load may take 5")
	b.clock.Advance(time.Second)
	began = time.Now()
	for range 50 {
		require.Equal(t, text("new"), b.must("x", h.gives("newer")))
	}
	require.Less(t, time.Since(began), 6*time.Second, "only the first wait for it")
	close(h.release)
	require.Equal(t, int64(1), h.loads.Load())
}

func TestFailingLoadsAreStoodInForAndThenTold(t *testing.T) {
	b := newBench(t, cache.DefaultConfig())
	broken := errors.New("the disk is on fire")
	b.must("x", gives("old"))
	b.bump(b.shop)
	loads := 0
	for range 28 {
		b.clock.Advance(time.Second)
		b.look()
		for range 3 {
			require.Equal(t, text("old"), b.must("x", func(context.Context) (text, error) { loads++; return "", broken }))
		}
	}
	require.InDelta(t, 28, loads, 2, "a load a second")
	b.clock.Advance(3 * time.Second)
	b.look()
	_, err := b.get("x", fails(broken))
	require.ErrorIs(t, err, broken, "after half a minute the truth")
	require.Equal(t, text("back"), b.must("x", gives("back")))
}

func TestBlindnessMakesNothingFresh(t *testing.T) {
	b := newBench(t, cache.DefaultConfig())
	b.must("x", gives("old"))
	b.clock.Advance(2500 * time.Millisecond) // nobody looks: the database does not answer
	_, fresh := b.cache.Fresh(b.key("x"))
	require.False(t, fresh, "what cannot be seen may have changed")
	require.Equal(t, text("new"), b.must("x", gives("new")))
	b.clock.Advance(time.Second)
	require.Equal(t, text("new"), b.must("x", fails(errors.New("down"))), "and yet there is an answer")
}

func TestAnswersThatAreNoFaultsAreNotKept(t *testing.T) {
	b := newBench(t, cache.DefaultConfig())
	gone := errs.New(errs.NotFound, "product_not_found", "gone")
	b.must("x", gives("old"))
	b.bump(b.shop)
	b.clock.Advance(time.Second)
	b.look()
	_, err := b.get("x", fails(gone))
	require.ErrorIs(t, err, gone, "what was taken off sale is not shown for half a minute")
	require.Zero(t, b.cache.Stats().Entries)
	require.Equal(t, text("again"), b.must("x", gives("again")))
}

func TestAPanicInALoadIsAnError(t *testing.T) {
	b := newBench(t, cache.DefaultConfig())
	_, err := b.get("x", func(context.Context) (text, error) { panic("oops") })
	require.ErrorContains(t, err, "panic")
	require.Equal(t, text("v"), b.must("x", gives("v")))
}

func TestWhoLeavesDoesNotEndTheLoad(t *testing.T) {
	b := newBench(t, cache.DefaultConfig())
	ctx, leave := context.WithCancel(t.Context())
	h := hold()
	left := make(chan error, 1)
	go func() {
		_, err := b.cache.Get(ctx, b.key("x"), h.gives("v"))
		left <- err
	}()
	<-h.started
	leave()
	require.ErrorIs(t, <-left, context.Canceled)
	got := make(chan text, 1)
	go func() {
		v, _ := b.get("x", h.gives("another"))
		got <- v
	}()
	close(h.release)
	require.Equal(t, text("v"), <-got)
	require.Equal(t, int64(1), h.loads.Load())
}

func TestAChangeDuringALoadIsNotMissed(t *testing.T) {
	b := newBench(t, cache.DefaultConfig())
	b.must("x", func(context.Context) (text, error) {
		b.bump(b.shop) // after the load read, before it ends
		return "read before", nil
	})
	_, fresh := b.cache.Fresh(b.key("x"))
	require.False(t, fresh)
	b.clock.Advance(time.Second)
	b.look()
	require.Equal(t, text("read after"), b.must("x", gives("read after")))
}

func TestMerchantsAreApart(t *testing.T) {
	b := newBench(t, cache.DefaultConfig())
	other := newMerchant(t, b.db, "b")
	b.look()
	theirs := cache.Key{Merchant: other, Kind: "test", Name: "x"}
	b.must("x", gives("mine"))
	v, err := b.cache.Get(t.Context(), theirs, gives("theirs"))
	require.NoError(t, err)
	require.Equal(t, text("theirs"), v)
	b.bump(other)
	_, fresh := b.cache.Fresh(b.key("x"))
	require.True(t, fresh, "another merchant's change is none of mine")
	_, fresh = b.cache.Fresh(theirs)
	require.False(t, fresh)
}

func TestBoundsHold(t *testing.T) {
	b := newBench(t, cache.Config{MaxBytes: 1000, MaxEntries: 20})
	b.must("hot", gives("hot"))
	for i := range 200 {
		b.must(fmt.Sprint("cold", i), gives(text(make([]byte, 60))))
		_, fresh := b.cache.Fresh(b.key("hot"))
		require.True(t, fresh, "what is used stays: %d", i)
		s := b.cache.Stats()
		require.LessOrEqual(t, s.Bytes, int64(1000))
		require.LessOrEqual(t, s.Entries, 20)
	}
	require.Positive(t, b.cache.Stats().Evicted)
	b.must("huge", gives(text(make([]byte, 500))))
	_, fresh := b.cache.Fresh(b.key("huge"))
	require.False(t, fresh, "one value does not empty the cache")
}

func TestOffKeepsNothing(t *testing.T) {
	none := cache.None[text]()
	for _, want := range []text{"a", "b"} {
		v, err := none.Get(t.Context(), cache.Key{}, gives(want))
		require.NoError(t, err)
		require.Equal(t, want, v)
		_, fresh := none.Fresh(cache.Key{})
		require.False(t, fresh)
	}
	require.Error(t, cache.Config{MaxBytes: -1}.Validate())
}
