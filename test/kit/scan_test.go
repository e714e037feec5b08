package kit

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestScannerFindsWhatIsPlanted: a scanner that finds nothing must be able to.
func TestScannerFindsWhatIsPlanted(t *testing.T) {
	const secret = "CANARY-73Q9-0001"
	s := NewScanner(secret)
	for form, text := range Forms(secret) {
		require.NotEmpty(t, find(t, s, append([]byte("before "), text...)), form)
	}
	for _, before := range []string{"", "a", "ab", "abc"} {
		for _, after := range []string{"", "x", "xy"} {
			encoded := base64.StdEncoding.EncodeToString([]byte(before + secret + after))
			require.NotEmpty(t, find(t, s, []byte(encoded)), "%s…%s", before, after)
		}
	}
	require.Empty(t, find(t, s, []byte("CANARY-73Q9-0002")))
}

func find(t *testing.T, s *Scanner, content []byte) []string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "deep"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "deep", "file"), content, 0o600))
	hits, read := s.Dir(t, dir)
	require.Equal(t, int64(len(content)), read)
	return hits
}
