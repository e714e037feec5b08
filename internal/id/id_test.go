package id_test

import (
	"bytes"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/id"
)

func TestIDsRiseAndNeverRepeat(t *testing.T) {
	var mu sync.Mutex
	seen := map[id.ID]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			var last id.ID
			for range 5000 {
				v := id.New()
				if bytes.Compare(last[:], v[:]) >= 0 {
					t.Errorf("%s after %s", v, last)
					return
				}
				last = v
				mu.Lock()
				if seen[v] {
					t.Errorf("%s twice", v)
				}
				seen[v] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Len(t, seen, 40000)
}

func TestIDIsUUIDv7OfNow(t *testing.T) {
	before := time.Now().UnixMilli()
	v := id.New()
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, v.String())
	ms := int64(v[0])<<40 | int64(v[1])<<32 | int64(v[2])<<24 | int64(v[3])<<16 | int64(v[4])<<8 | int64(v[5])
	require.InDelta(t, before, ms, 5000)
}

func TestRoundTrips(t *testing.T) {
	v := id.New()
	parsed, err := id.Parse(v.String())
	require.NoError(t, err)
	require.Equal(t, v, parsed)
	stored, err := v.Value()
	require.NoError(t, err)
	var read id.ID
	require.NoError(t, read.Scan(stored))
	require.Equal(t, v, read)
	none, err := id.ID{}.Value()
	require.NoError(t, err)
	require.Nil(t, none)
	require.NoError(t, read.Scan(nil))
	require.True(t, read.IsZero())
	require.Error(t, read.Scan([]byte("short")))
	require.Error(t, read.Scan("text"))
}

func TestNumbers(t *testing.T) {
	day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	shape := regexp.MustCompile(`^P20260301G000[0-9A-HJKMNP-TV-Z]{12}$`)
	seen := map[string]bool{}
	for range 2000 {
		n := id.Number("P", day)
		require.Regexp(t, shape, n)
		require.LessOrEqual(t, len(n), 32)
		require.False(t, seen[n])
		seen[n] = true
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0192f0c1-2345-7abc-8def-0123456789ab")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := id.Parse(s)
		if err == nil && !v.IsZero() {
			again, err := id.Parse(v.String())
			require.NoError(t, err)
			require.Equal(t, v, again)
		}
	})
}
