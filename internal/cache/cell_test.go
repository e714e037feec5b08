package cache

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
)

// TestALoadThatLandsMeanwhileIsEnough: who saw no fresh value, and comes to
// load only after another's load has landed, does not load once more.
func TestALoadThatLandsMeanwhileIsEnough(t *testing.T) {
	var c cell[string]
	loads := 0
	load := func(context.Context) (string, error) { loads++; return "new", nil }
	terms := terms[string]{
		clock: clock.System{}, logger: slog.New(slog.DiscardHandler),
		stale:   func(*filled[string], time.Time) (time.Time, bool) { return time.Time{}, false },
		version: func() int64 { return 0 }, landed: func(*filled[string], bool) {}, loaded: func(time.Duration, bool) {},
	}
	for _, spare := range []bool{false, true} {
		old := c.filled.Load()
		require.NoError(t, another(&c, terms, load, old))
		v, err := c.join(t.Context(), terms, load, old, spare).wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, "new", v)
	}
	require.Equal(t, 2, loads, "one a round")
}

// another is another's load from beginning to end.
func another(c *cell[string], t terms[string], load Load[string], old *filled[string]) error {
	_, err := c.join(context.Background(), t, load, old, false).wait(context.Background())
	return err
}
