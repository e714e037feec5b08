package kit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Follow has s, which has no data yet, follow a destination, and waits until it
// answers. args are further flags of panshi serve, such as --sheet.
func (s *Shop) Follow(t testing.TB, from string, args ...string) {
	t.Helper()
	require.NoError(t, s.LaunchWith(append([]string{"--follow", from}, args...), s.env...))
	require.NoError(t, s.await(s.URL()+"/healthz", 30*time.Second))
}
