package notify

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
)

// failing is a database that a test breaks and mends.
type failing struct {
	db.DB
	broken atomic.Bool
}

func (f *failing) Update(ctx context.Context, fn func(tx *db.Tx) error) error {
	if f.broken.Load() {
		return db.ErrBroken
	}
	return f.DB.Update(ctx, fn)
}

// TestADatabaseThatIsDownIsTold: after half a minute, by the channel that is
// there, once; and when it is over. A short trouble is none.
func TestADatabaseThatIsDownIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, second := &sink{start: time.Now(), fails: true}, &sink{start: time.Now()}
		d := &failing{DB: dbtest.SQLite(t)}
		s := New(d, Defaults(), Ways{}, testTexts(t), noNames, clock.System{}, quiet())
		s.channels = []namedChannel{{"one", "en", first}, {"two", "en", second}}
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			s.WatchDatabase(ctx)
		}()
		for _, broken := range []time.Duration{25 * time.Second, 30 * time.Hour} {
			d.broken.Store(true)
			time.Sleep(broken)
			d.broken.Store(false)
			time.Sleep(time.Hour)
		}
		cancel()
		<-stopped
		told := second.told()
		require.Len(t, told, 3, "%v", told)
		require.Contains(t, told[0], "1h1m2s opened")
		require.Contains(t, told[1], "25h1m", "reminded after a day")
		require.Contains(t, told[2], "resolved")
		require.Empty(t, first.told())
	})
}

// TestAnAlertThatTheDatabaseDoesNotTake is told directly; one that is wrong is
// not.
func TestAnAlertThatTheDatabaseDoesNotTake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		only := &sink{start: time.Now()}
		d := &failing{DB: dbtest.SQLite(t)}
		s := New(d, Defaults(), Ways{}, testTexts(t), noNames, clock.System{}, quiet())
		s.channels = []namedChannel{{"one", "zh-CN", only}}
		require.NoError(t, s.Alert(t.Context(), leak))
		require.Empty(t, only.told(), "there is a row")
		d.broken.Store(true)
		require.NoError(t, s.Alert(t.Context(), leak))
		require.Equal(t, []string{"0s opened 1"}, only.told())
		only.set(true)
		require.Error(t, s.Alert(t.Context(), leak), "nobody could be told: the caller hears of it")
		d.broken.Store(false)
		require.ErrorIs(t, s.Alert(t.Context(), Alert{Code: "X"}), errAlert)
	})
}
