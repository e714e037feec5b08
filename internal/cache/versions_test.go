package cache_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/cache"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
	"panshi/internal/id"
)

// node is one process's worth: a pool of its own and what follows it.
type node struct {
	db       cache.Database
	versions *cache.Versions
	cache    *cache.Cache[text]
}

func startNode(t *testing.T, d cache.Database) *node {
	t.Helper()
	n := &node{db: d, versions: cache.NewVersions(d, clock.System{}, quiet())}
	var err error
	n.cache, err = cache.New[text](cache.DefaultConfig(), n.versions, clock.System{}, quiet())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { n.versions.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return n
}

// pool opens one more process's pool on a database.
func pool(t *testing.T, url string) *postgres.DB {
	t.Helper()
	d, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func update(t *testing.T, d db.DB, fn func(tx *db.Tx) error) {
	t.Helper()
	require.NoError(t, d.Update(t.Context(), fn))
}

// state is the sum and the rows of a merchant's version.
func state(t *testing.T, d db.DB, shop id.ID) (sum, rows int64) {
	t.Helper()
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
		return tx.Get([]any{&sum, &rows}, `SELECT CAST(SUM(version) AS BIGINT), COUNT(*) FROM catalog_versions WHERE merchant_id = $1`, shop)
	}))
	return sum, rows
}

func TestBumpCountsOnceATransactionOrMore(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		d := open(dbtest.Options{})
		shop := newMerchant(t, d, "a")
		before, _ := state(t, d, shop)
		update(t, d, func(tx *db.Tx) error { return errors.Join(cache.BumpTx(tx, shop), cache.BumpTx(tx, shop)) })
		undone := errors.New("undone")
		require.ErrorIs(t, d.Update(t.Context(), func(tx *db.Tx) error { return errors.Join(cache.BumpTx(tx, shop), undone) }), undone)
		after, rows := state(t, d, shop)
		require.Greater(t, after, before)
		require.LessOrEqual(t, after, before+2, "what was rolled back does not count")
		require.Equal(t, int64(1), rows)
	})
}

func TestBumpsWaitForNobody(t *testing.T) {
	d := dbtest.Postgres(t)
	shop := newMerchant(t, d, "a")
	before, _ := state(t, d, shop)
	const writers = 6
	var bumped, done sync.WaitGroup
	bumped.Add(writers)
	errs := make([]error, writers)
	for i := range writers {
		done.Go(func() {
			var once sync.Once
			errs[i] = d.Update(t.Context(), func(tx *db.Tx) error {
				err := cache.BumpTx(tx, shop)
				once.Do(bumped.Done)
				bumped.Wait() // all have bumped, nobody has committed: a lock would hang here
				return err
			})
		})
	}
	done.Wait()
	require.NoError(t, errors.Join(errs...))
	after, rows := state(t, d, shop)
	require.Equal(t, before+writers, after)
	require.LessOrEqual(t, rows, int64(writers))
	for range 20 {
		update(t, d, func(tx *db.Tx) error { return cache.BumpTx(tx, shop) })
	}
	_, again := state(t, d, shop)
	require.Equal(t, rows, again, "rows are used again")
}

func TestSupplyRaisesAtMostOnceASecondAndNeverForgets(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		d, ok := open(dbtest.Options{}).(cache.Database)
		require.True(t, ok)
		shop := newMerchant(t, d, "a")
		startNode(t, d)
		before, _ := state(t, d, shop)
		began := time.Now()
		for range 150 {
			update(t, d, func(tx *db.Tx) error { return cache.SupplyTx(tx, shop, false) })
		}
		during, _ := state(t, d, shop)
		took := time.Since(began)
		require.LessOrEqual(t, during-before, int64(took/time.Second)+1)
		require.Eventually(t, func() bool { now, _ := state(t, d, shop); return now > during }, 30*time.Second, 20*time.Millisecond,
			"the last change is told too")
		update(t, d, func(tx *db.Tx) error { return cache.SupplyTx(tx, shop, true) })
		update(t, d, func(tx *db.Tx) error { return cache.SupplyTx(tx, shop, true) })
		now, _ := state(t, d, shop)
		require.GreaterOrEqual(t, now, during+3, "sold out and restock do not wait for the second")
	})
}

// reachesWithin wants a change to reach a node within a limit. A busy machine
// may be late some times, but not each time.
func reachesWithin(t *testing.T, limit time.Duration, from db.DB, to *node, shop id.ID) {
	t.Helper()
	var took [10]time.Duration
	for i := range took {
		if took[i] = reaches(t, from, to, shop); took[i] < limit {
			return
		}
	}
	require.Fail(t, "too late each time", "%v, not within %v", took, limit)
}

// reaches measures how long it takes until to no longer serves what it has.
func reaches(t *testing.T, from db.DB, to *node, shop id.ID) time.Duration {
	t.Helper()
	k := cache.Key{Merchant: shop, Kind: "test"}
	_, err := to.cache.Get(t.Context(), k, gives("v"))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, fresh := to.cache.Fresh(k)
		if !fresh {
			_, err = to.cache.Get(t.Context(), k, gives("v"))
		}
		return fresh
	}, 30*time.Second, 5*time.Millisecond)
	update(t, from, func(tx *db.Tx) error { return cache.BumpTx(tx, shop) })
	began := time.Now()
	require.Eventually(t, func() bool { _, fresh := to.cache.Fresh(k); return !fresh }, 30*time.Second, time.Millisecond)
	return time.Since(began)
}

func TestAChangeReachesEveryNode(t *testing.T) {
	url := dbtest.EmptyPostgres(t)
	first, second := startNode(t, pool(t, url)), startNode(t, pool(t, url))
	shop := newMerchant(t, first.db, "a")
	reachesWithin(t, cache.ShownWithin, second.db, second, shop)
	// Messages bring it, not the look every quarter of a second, which would hardly be as fast eight times in a row.
	for quick, tries := 0, 0; quick < 8; tries++ {
		require.Less(t, tries, 200)
		if quick++; reaches(t, first.db, second, shop) > 100*time.Millisecond {
			quick = 0
		}
	}
}

// deaf is a database whose messages never come.
type deaf struct{ db.DB }

func (deaf) Subscribe(string, func(string)) (stop func()) { return func() {} }

func TestWithoutMessagesTheLookBringsIt(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		d := open(dbtest.Options{})
		n := startNode(t, deaf{d})
		shop := newMerchant(t, d, "a")
		reachesWithin(t, cache.ShownWithin, d, n, shop)
	})
}

func TestASeveredListenerIsMadeUpFor(t *testing.T) {
	url := dbtest.EmptyPostgres(t)
	first, second := pool(t, url), startNode(t, pool(t, url))
	shop := newMerchant(t, first, "a")
	for range 2 {
		severed(t, first)
		reachesWithin(t, cache.ShownWithin, first, second, shop)
	}
}

// severed ends every connection that listens, and finds one to end.
func severed(t *testing.T, d db.DB) {
	t.Helper()
	require.Eventually(t, func() bool {
		var n int64
		require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
			return tx.Get([]any{&n}, `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
				WHERE application_name = 'panshi listener' AND datname = current_database()`)
		}))
		return n == 1
	}, 30*time.Second, 20*time.Millisecond)
}
