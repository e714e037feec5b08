package ship_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/spool"
	"panshi/internal/clock"
)

// A whole copy is written when the moment of the day has come, also of a shop
// in which nothing happened, and at no other time.
func TestAWholeCopyIsWrittenOnceADay(t *testing.T) {
	s := newShop(t)
	now := clock.NewManual(time.Now())
	s.clock = now
	s.open()
	s.write("before", 3)
	s.shipped()
	fulls := func() int {
		source, err := spool.Open(s.cfg.Spool, s.cipher)
		require.NoError(t, err)
		return len(source.Level(s.shipped().Generation, spool.SnapshotLevel, 1))
	}
	last, next := s.ship.Fulls()
	require.WithinDuration(t, time.Now(), last, time.Minute)
	require.Contains(t, []int{3, 4}, next.UTC().Hour())
	require.LessOrEqual(t, next.Sub(last), 24*time.Hour)

	now.Advance(next.Sub(now.Now()) - time.Minute)
	require.NoError(t, s.ship.Maintain(t.Context(), 1))
	require.Zero(t, fulls(), "a minute too early")
	now.Advance(time.Minute)
	require.NoError(t, s.ship.Maintain(t.Context(), 1))
	require.Equal(t, 1, fulls())
	s.close()
}
