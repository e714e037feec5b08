package jobs_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"panshi/internal/clock"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
	"panshi/internal/jobs"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func left(t *testing.T, d db.DB) (n int) {
	t.Helper()
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
		return tx.Get([]any{&n}, `SELECT COUNT(*) FROM jobs`)
	}))
	return n
}

func enqueue(t *testing.T, d db.DB, subject id.ID, fail error) error {
	t.Helper()
	return d.Update(t.Context(), func(tx *db.Tx) error {
		require.NoError(t, jobs.EnqueueTx(tx, id.New(), "mail", subject))
		return fail
	})
}

func TestJobHappensIfAndOnlyIfItsCauseDid(t *testing.T) {
	d := dbtest.Open(t, dbtest.Options{})
	rolledBack := errors.New("no")
	require.ErrorIs(t, enqueue(t, d, id.New(), rolledBack), rolledBack)
	require.Zero(t, left(t, d))
	subject := id.New()
	require.NoError(t, enqueue(t, d, subject, nil))
	require.NoError(t, enqueue(t, d, subject, nil), "queued already")
	require.Equal(t, 1, left(t, d))
}

func TestRunnerRunsRetriesAndStops(t *testing.T) {
	d := dbtest.Open(t, dbtest.Options{})
	for range 40 {
		require.NoError(t, enqueue(t, d, id.New(), nil))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done, failed atomic.Int64
	handler := func(context.Context, jobs.Job) error {
		if failed.CompareAndSwap(0, 1) {
			return errors.New("first one fails")
		}
		done.Add(1)
		return nil
	}
	r := jobs.NewRunner(d, "test", map[string]jobs.Handler{"mail": handler}, nil, clock.System{}, quiet())
	stopped := make(chan struct{})
	go func() { defer close(stopped); r.Run(ctx) }()
	require.Eventually(t, func() bool { return done.Load() == 39 }, 30*time.Second, 5*time.Millisecond)
	require.Eventually(t, func() bool { return left(t, d) == 1 }, 30*time.Second, 5*time.Millisecond, "the failed one stays")
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE jobs SET run_at = 1`)
		return err
	}))
	require.Eventually(t, func() bool { return left(t, d) == 0 }, 30*time.Second, 5*time.Millisecond)
	cancel()
	<-stopped
}

func TestGivenUpJobIsKeptForAPerson(t *testing.T) {
	d := dbtest.Open(t, dbtest.Options{})
	require.NoError(t, enqueue(t, d, id.New(), nil))
	ctx, cancel := context.WithCancel(t.Context())
	var tries atomic.Int64
	due := func() {
		_ = d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE jobs SET run_at = 1, attempts = 11 WHERE attempts = 1`)
			return err
		})
	}
	handler := func(context.Context, jobs.Job) error { tries.Add(1); return errors.New("never") }
	r := jobs.NewRunner(d, "test", map[string]jobs.Handler{"mail": handler}, nil, clock.System{}, quiet())
	stopped := make(chan struct{})
	go func() { defer close(stopped); r.Run(ctx) }()
	dead := func() (n int) {
		_ = d.View(t.Context(), func(tx *db.Tx) error { return tx.Get([]any{&n}, `SELECT COUNT(*) FROM jobs WHERE dead = 1`) })
		return n
	}
	require.Eventually(t, func() bool { due(); return dead() == 1 }, 30*time.Second, 10*time.Millisecond)
	require.Equal(t, int64(2), tries.Load())
	cancel()
	<-stopped
}

func TestSweepRunsOnOneNode(t *testing.T) {
	d := dbtest.Open(t, dbtest.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var runs [2]atomic.Int64
	stopped := make(chan struct{}, 2)
	for node := range 2 {
		sweep := jobs.Sweep{Name: "x", Every: time.Millisecond, Run: func(context.Context) (bool, error) {
			runs[node].Add(1)
			return false, nil
		}}
		r := jobs.NewRunner(d, string(rune('a'+node)), nil, []jobs.Sweep{sweep}, clock.System{}, quiet())
		go func() { r.Run(ctx); stopped <- struct{}{} }()
	}
	require.Eventually(t, func() bool { return runs[0].Load()+runs[1].Load() > 20 }, 30*time.Second, time.Millisecond)
	cancel()
	<-stopped
	<-stopped
	require.True(t, runs[0].Load() == 0 || runs[1].Load() == 0, "%d and %d runs", runs[0].Load(), runs[1].Load())
}
