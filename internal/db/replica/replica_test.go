package replica_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
	"panshi/internal/db/replica"
	"panshi/internal/errs"
)

// maxLag is short, so that a test sees a replica fall out soon, and long enough
// for a busy machine.
const maxLag = 1500 * time.Millisecond

// world is a primary with one real standby that follows it.
type world struct {
	t                *testing.T
	primary, standby *dbtest.Node
	db               *replica.DB
}

func open(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, primary: dbtest.NewNode(t)}
	w.exec(w.primary, `CREATE TABLE shelf (item TEXT PRIMARY KEY)`)
	w.standby = w.primary.Standby(t)
	main, err := postgres.Open(t.Context(), postgres.Config{URL: w.primary.URL("postgres")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, main.Close()) })
	follower, err := postgres.OpenStandby(postgres.Config{URL: w.standby.URL("postgres")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, follower.Close()) })
	w.db = replica.New(main, []replica.Replica{{Name: "standby", DB: follower}}, replica.Config{MaxLag: maxLag})
	t.Cleanup(w.db.Close)
	w.await("the replica is in use", func() bool { return w.state().InUse })
	return w
}

func (w *world) exec(n *dbtest.Node, statements ...string) {
	w.t.Helper()
	require.NoError(w.t, n.Exec("postgres", statements...))
}

func (w *world) state() replica.State { return w.db.States()[0] }

func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	require.Eventually(w.t, ok, time.Minute, 10*time.Millisecond, what)
}

func (w *world) put(item string) {
	w.t.Helper()
	require.NoError(w.t, w.db.Update(w.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO shelf (item) VALUES ($1)`, item)
		return err
	}))
}

// pause holds the replay of the standby up until resume.
func (w *world) pause() {
	w.t.Helper()
	w.exec(w.standby, `SELECT pg_wal_replay_pause()`)
	w.await("paused", func() bool {
		text, err := w.standby.Text("postgres", `SELECT pg_get_wal_replay_pause_state()`)
		return err == nil && text == "paused"
	})
}

func (w *world) resume() {
	w.t.Helper()
	w.exec(w.standby, `SELECT pg_wal_replay_resume()`)
	w.await("in use again", func() bool { return w.state().InUse })
}

// count counts the items that a reader sees.
func (w *world) count(ctx context.Context) (n int) {
	w.t.Helper()
	require.NoError(w.t, w.db.View(ctx, func(tx *db.Tx) error { return tx.Get([]any{&n}, `SELECT COUNT(*) FROM shelf`) }))
	return n
}

// TestReplica shares one primary and its standby among its parts: they take
// seconds to make.
func TestReplica(t *testing.T) {
	w := open(t)
	t.Run("a late one is left alone", func(t *testing.T) { late(t, w) })
	t.Run("not found is asked again", func(t *testing.T) { notFoundAgain(t, w) })
	t.Run("a dead one costs no answer", func(t *testing.T) { dead(t, w) })
	t.Run("a server that follows nobody or another shop is none", func(t *testing.T) { strangers(t, w) })
}

// late holds the replay up: stale reads show the past
// for as long as they may and then move to the primary; all others see every
// change at once.
func late(t *testing.T, w *world) {
	t.Helper()
	stale := db.WithStale(t.Context())
	time.Sleep(2 * maxLag)
	w.await("a quiet primary makes nobody late", func() bool { return w.state().InUse })
	w.put("a")
	w.await("the replica follows", func() bool { return w.count(stale) == 1 })
	served := w.state().Served
	require.Positive(t, served, "it was the replica that answered")

	w.pause()
	w.put("b")
	require.Equal(t, 2, w.count(t.Context()), "who changed it sees it")
	require.True(t, w.count(stale) == 1 || !w.state().InUse, "a stale read may show the past")
	w.await("stale reads move to the primary", func() bool { return w.count(stale) == 2 })
	require.False(t, w.state().InUse)
	require.Greater(t, w.state().Lag, maxLag)

	w.resume()
	require.Equal(t, 2, w.count(stale))
}

// dead kills and hangs the replica while it is read,
// and lets it come back.
func dead(t *testing.T, w *world) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var answered, failed atomic.Int64
	var slowest atomic.Int64
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				err := w.db.View(db.WithStale(context.WithoutCancel(ctx)), func(tx *db.Tx) error {
					var n int
					return tx.Get([]any{&n}, `SELECT COUNT(*) FROM shelf`)
				})
				if err != nil {
					t.Errorf("a read failed: %v", err)
					failed.Add(1)
				}
				answered.Add(1)
				if took := int64(time.Since(began)); took > slowest.Load() {
					slowest.Store(took)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	w.standby.Stop()
	w.await("out of use", func() bool { return !w.state().InUse })
	w.standby.Start()
	w.await("in use again", func() bool { return w.state().InUse })
	w.standby.Hang()
	w.await("out of use", func() bool { return !w.state().InUse })
	w.standby.Wake()
	w.await("in use again", func() bool { return w.state().InUse })
	cancel()
	readers.Wait()
	require.Zero(t, failed.Load())
	require.Greater(t, answered.Load(), int64(100))
	t.Logf("%d reads, the slowest %v; %d in the replica's place", answered.Load(), time.Duration(slowest.Load()).Round(time.Millisecond), w.state().Failed)
}

// notFoundAgain: what a late replica does not know yet the primary
// may know.
func notFoundAgain(t *testing.T, w *world) {
	t.Helper()
	w.pause()
	w.put("new")
	notFound := errs.New(errs.NotFound, "not_found", "no such item")
	runs := 0
	require.NoError(t, w.db.View(db.WithStale(t.Context()), func(tx *db.Tx) error {
		runs++
		var item string
		if tx.Get([]any{&item}, `SELECT item FROM shelf WHERE item = 'new'`) != nil {
			return notFound
		}
		return nil
	}))
	require.Equal(t, 2, runs)
	require.True(t, w.state().InUse || w.state().Lag > maxLag, "finding nothing is no failure")
	w.resume()
}

// strangers: a server that follows nobody, or somebody
// else, is no replica.
func strangers(t *testing.T, w *world) {
	t.Helper()
	other := dbtest.NewNode(t)
	for name, url := range map[string]string{"the primary itself": w.primary.URL("postgres"), "another server": other.URL("postgres")} {
		follower, err := postgres.OpenStandby(postgres.Config{URL: url})
		require.NoError(t, err)
		d := replica.New(w.db, []replica.Replica{{Name: name, DB: follower}}, replica.Config{MaxLag: time.Hour, Every: 20 * time.Millisecond})
		time.Sleep(500 * time.Millisecond)
		require.False(t, d.States()[0].InUse, name)
		d.Close()
		require.NoError(t, follower.Close())
	}
}
