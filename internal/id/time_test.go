package id_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/id"
)

func TestTimeBoundsIDs(t *testing.T) {
	before := time.Now().Truncate(time.Millisecond)
	v := id.New()
	require.WithinDuration(t, before, v.Time(), time.Minute)
	require.Equal(t, time.UTC, v.Time().Location())
	low, next := id.Lowest(v.Time()), id.Lowest(v.Time().Add(time.Millisecond))
	require.Equal(t, -1, bytes.Compare(low[:], v[:]))
	require.Equal(t, -1, bytes.Compare(v[:], next[:]))
	require.Equal(t, v.Time(), low.Time())
}
