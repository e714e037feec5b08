package archive_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/archive"
	"panshi/internal/clock"
	"panshi/internal/errs"
)

func TestConfig(t *testing.T) {
	const day = 24 * time.Hour
	for _, after := range []time.Duration{0, 30 * day, 400 * day, archive.Defaults().After} {
		require.NoError(t, archive.Config{After: after}.Validate(), after)
	}
	for _, after := range []time.Duration{-day, time.Second, 30*day - 1} {
		require.Equal(t, "out_of_range", errs.CodeOf(archive.Config{After: after}.Validate()), after)
	}
	require.Empty(t, archive.New(nil, archive.Config{}, clock.System{}).Sweeps(), "0 is never")
	require.Len(t, archive.New(nil, archive.Defaults(), clock.System{}).Sweeps(), 1)
}
