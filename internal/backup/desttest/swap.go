package desttest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
)

func swapping(t *testing.T, d backup.Destination) {
	s, ok := d.(backup.Swapper)
	require.True(t, ok)
	content, version, err := s.Load(t.Context(), "lease")
	require.NoError(t, err)
	require.Nil(t, content)
	require.Empty(t, version)

	first, err := s.Swap(t.Context(), "lease", "", []byte("one"))
	require.NoError(t, err)
	_, err = s.Swap(t.Context(), "lease", "", []byte("two"))
	requireCode(t, err, "backup_swap_lost")
	second, err := s.Swap(t.Context(), "lease", first, []byte("two"))
	require.NoError(t, err)
	_, err = s.Swap(t.Context(), "lease", first, []byte("three"))
	requireCode(t, err, "backup_swap_lost")
	content, version, err = s.Load(t.Context(), "lease")
	require.NoError(t, err)
	require.Equal(t, []string{"two", second}, []string{string(content), version})
	swapRace(t, s, second)
}

// swapRace lets many swap from the same version: one may win.
func swapRace(t *testing.T, s backup.Swapper, from string) {
	t.Helper()
	results := make([]error, 6)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { _, results[i] = s.Swap(t.Context(), "lease", from, []byte(fmt.Sprint("racer ", i))) })
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
			continue
		}
		requireCode(t, err, "backup_swap_lost")
	}
	require.Equal(t, 1, won)
}
