package mirror_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// damage flips a bit in the middle of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	content[len(content)/2] ^= 1
	require.NoError(t, os.WriteFile(path, content, 0o600))
}
