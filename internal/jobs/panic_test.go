package jobs_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"panshi/internal/clock"

	"github.com/stretchr/testify/require"

	"panshi/internal/db/dbtest"
	"panshi/internal/id"
	"panshi/internal/jobs"
)

func TestPanicsAreFailures(t *testing.T) {
	d := dbtest.Open(t, dbtest.Options{})
	require.NoError(t, enqueue(t, d, id.New(), nil))
	ctx, cancel := context.WithCancel(t.Context())
	var runs atomic.Int64
	sweep := jobs.Sweep{Name: "x", Every: time.Millisecond, Run: func(context.Context) (bool, error) {
		runs.Add(1)
		panic("in a sweep")
	}}
	handler := func(context.Context, jobs.Job) error { runs.Add(1000); panic("in a handler") }
	r := jobs.NewRunner(d, "test", map[string]jobs.Handler{"mail": handler}, []jobs.Sweep{sweep}, clock.System{}, quiet())
	stopped := make(chan struct{})
	go func() { defer close(stopped); r.Run(ctx) }()
	require.Eventually(t, func() bool { return runs.Load() > 1001 }, 30*time.Second, time.Millisecond)
	cancel()
	<-stopped
	require.Equal(t, 1, left(t, d), "the job waits for its next attempt")
}

// TestASweepEndsWithItsLease has a run that never ends by itself: it is ended
// before another node may take the lease.
func TestASweepEndsWithItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dbtest.Open(t, dbtest.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		ended := make(chan time.Duration, 100)
		sweep := jobs.Sweep{Name: "x", Every: time.Second, Run: func(ctx context.Context) (bool, error) {
			<-ctx.Done()
			ended <- time.Since(start)
			return false, ctx.Err()
		}}
		r := jobs.NewRunner(d, "a", nil, []jobs.Sweep{sweep}, clock.System{}, quiet())
		stopped := make(chan struct{})
		go func() { defer close(stopped); r.Run(ctx) }()
		time.Sleep(time.Minute)
		cancel()
		<-stopped
		require.LessOrEqual(t, <-ended, 30*time.Second)
	})
}
