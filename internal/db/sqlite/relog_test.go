package sqlite

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRewriteLogChangesNothing: what it is for, test/powerloss shows.
func TestRewriteLogChangesNothing(t *testing.T) {
	database := filepath.Join(t.TempDir(), "a.db")
	require.NoError(t, rewriteLog(database), "there is no log")
	for _, size := range []int{0, 1, 1 << 20, 3<<20 + 17} {
		content := bytes.Repeat([]byte("panshi"), size/6+1)[:size]
		require.NoError(t, os.WriteFile(database+"-wal", content, 0o600))
		require.NoError(t, rewriteLog(database))
		got, err := os.ReadFile(database + "-wal")
		require.NoError(t, err)
		require.True(t, bytes.Equal(content, got), "%d bytes", size)
	}
	require.NoError(t, os.Remove(database+"-wal"))
	require.NoError(t, os.Mkdir(database+"-wal", 0o700))
	require.Error(t, rewriteLog(database))
}
