package kit

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"
)

// Follow has s, which has no data or follows already, follow a destination, and
// waits until it answers. args are further flags of panshi serve, such as --sheet.
func (s *Shop) Follow(from string, args ...string) {
	s.t.Helper()
	require.NoError(s.t, s.LaunchWith(append([]string{"--follow", from}, args...)))
	require.NoError(s.t, s.await(s.URL()+"/healthz", 30*time.Second))
}

// Behind is what a standby tells of itself.
type Behind struct {
	Node        string  `json:"node"`
	Generation  string  `json:"generation"`
	Transaction uint64  `json:"transaction"`
	Behind      uint64  `json:"behind"`
	Seconds     float64 `json:"behind_seconds"`
	Failure     string  `json:"failure"`
	Epoch       uint64  `json:"epoch"`
}

// Behind asks the standby.
func (s *Shop) Behind() (b Behind) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.Console+"/standby", nil)
	require.NoError(s.t, err)
	answer, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
	require.NoError(s.t, err)
	defer answer.Body.Close()
	require.NoError(s.t, json.NewDecoder(answer.Body).Decode(&b))
	return b
}

// AwaitFollowed waits until the standby has everything that it knows of.
func (s *Shop) AwaitFollowed() {
	s.t.Helper()
	require.NoError(s.t, s.await(s.URL()+"/healthz", 30*time.Second))
	var b Behind
	require.Eventually(s.t, func() bool {
		b = s.Behind()
		return b.Transaction > 0 && b.Behind == 0 && b.Seconds < 3 && b.Failure == ""
	}, time.Minute, 200*time.Millisecond, "%+v", &b)
}
