package jobs_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
	"panshi/internal/jobs"
)

// takeover is how long the work of a dead node may stand still.
const takeover = 6 * time.Second

// mortal is a node's way to the database; once the node is dead, nothing that
// it tries arrives any more.
type mortal struct {
	db.DB
	dead atomic.Bool
}

var errDead = errors.New("this node is dead")

func (m *mortal) View(ctx context.Context, fn func(tx *db.Tx) error) error {
	if m.dead.Load() {
		return errDead
	}
	return m.DB.View(ctx, fn)
}

func (m *mortal) Update(ctx context.Context, fn func(tx *db.Tx) error) error {
	if m.dead.Load() {
		return errDead
	}
	return m.DB.Update(ctx, fn)
}

// start runs a node until the test ends.
func start(t *testing.T, d db.DB, name string, handler jobs.Handler, run func(context.Context) (bool, error)) {
	t.Helper()
	var handlers map[string]jobs.Handler
	if handler != nil {
		handlers = map[string]jobs.Handler{"mail": handler}
	}
	var sweeps []jobs.Sweep
	if run != nil {
		sweeps = []jobs.Sweep{{Name: "x", Every: time.Second, Run: run}}
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		jobs.NewRunner(d, name, handlers, sweeps, clock.System{}, quiet()).Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-stopped
	})
}

// TestAnotherNodeTakesASweepOver kills a node in the middle of a run that waits
// for a platform that hangs. The run ends with its lease, and only then another
// node goes on, within seconds.
func TestAnotherNodeTakesASweepOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &mortal{DB: dbtest.Postgres(t)}
		hangs, ended, tookOver := make(chan struct{}, 1), make(chan time.Time, 1), make(chan time.Time, 1)
		start(t, d, "a", nil, func(ctx context.Context) (bool, error) {
			hangs <- struct{}{}
			<-ctx.Done()
			ended <- time.Now()
			return false, ctx.Err()
		})
		<-hangs
		start(t, d.DB, "b", nil, func(context.Context) (bool, error) {
			select {
			case tookOver <- time.Now():
			default:
			}
			return false, nil
		})
		time.Sleep(20 * time.Second)
		require.Empty(t, ended, "the node keeps its lease while it works")
		require.Empty(t, tookOver, "and nobody else does the same")
		d.dead.Store(true)
		killed := time.Now()
		begun := <-tookOver
		require.LessOrEqual(t, begun.Sub(killed), takeover)
		require.False(t, (<-ended).After(begun), "two nodes do the same")
	})
}

// TestAnotherNodeTakesAJobOver kills a node that has claimed a job.
func TestAnotherNodeTakesAJobOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &mortal{DB: dbtest.Postgres(t)}
		require.NoError(t, enqueue(t, d.DB, id.New(), nil))
		claimed, tookOver := make(chan struct{}), make(chan time.Time, 1)
		start(t, d, "a", func(ctx context.Context, _ jobs.Job) error {
			close(claimed)
			<-ctx.Done()
			return ctx.Err()
		}, nil)
		<-claimed
		start(t, d.DB, "b", func(context.Context, jobs.Job) error {
			tookOver <- time.Now()
			return nil
		}, nil)
		time.Sleep(20 * time.Second)
		require.Empty(t, tookOver, "a job that takes its time has one node")
		d.dead.Store(true)
		killed := time.Now()
		require.LessOrEqual(t, (<-tookOver).Sub(killed), takeover)
		synctest.Wait()
		require.Zero(t, left(t, d.DB))
	})
}

// TestWithoutHandlersJobsAreLeftToOthers: a node that does not do jobs takes
// none, and does not use up their attempts.
func TestWithoutHandlersJobsAreLeftToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dbtest.SQLite(t)
		require.NoError(t, enqueue(t, d, id.New(), nil))
		start(t, d, "a", nil, func(context.Context) (bool, error) { return false, nil })
		time.Sleep(time.Minute)
		var attempts int
		require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
			return tx.Get([]any{&attempts}, `SELECT attempts FROM jobs`)
		}))
		require.Zero(t, attempts)
	})
}
