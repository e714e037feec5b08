package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/proof"
	"panshi/internal/clock"
)

// What was seen of destinations is shown at once, with its age; what is old is
// looked at again behind, also when a look failed or takes long.
func TestNobodyWaitsForDestinations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looks, heeded := 0, 0
		takes, failure := 20*time.Second, error(nil)
		w := newWatchedCopies(func(context.Context) ([]proof.Copy, error) {
			time.Sleep(takes) // of the bubble
			looks++
			return make([]proof.Copy, looks), failure
		}, func(context.Context) error { heeded++; return nil }, clock.System{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.run(ctx) })
		seen := func() (int, time.Duration) {
			began := time.Now()
			copies, at := w.last()
			require.Equal(t, began, time.Now(), "nobody waits")
			return len(copies), time.Since(at)
		}
		_, at := w.last()
		require.True(t, at.IsZero(), "nothing was seen yet")
		time.Sleep(30 * time.Second)
		n, age := seen()
		require.Equal(t, 1, n, "asked twice, looked at once more at most")
		require.Equal(t, 30*time.Second, age)

		time.Sleep(5 * time.Minute)
		n, age = seen()
		require.Equal(t, 2, n, "the first question came before anything was seen")
		require.Equal(t, 5*time.Minute+10*time.Second, age)
		time.Sleep(10 * time.Minute)
		n, _ = seen()
		require.Equal(t, 2, n, "the old one is shown")
		time.Sleep(time.Minute)
		n, age = seen()
		require.Equal(t, 3, n, "and was looked at again")
		require.Equal(t, time.Minute, age)

		failure = errors.New("no line")
		time.Sleep(2 * lookEvery)
		n, age = seen()
		require.Equal(t, 3, n, "a failed look changes nothing but the age")
		require.Greater(t, age, lookEvery)
		cancel()
		running.Wait()
		require.Greater(t, heeded, 50, "the standby is listened to every two minutes")
	})
}
