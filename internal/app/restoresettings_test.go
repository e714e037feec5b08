package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The second restore to a place puts its settings beside those of the first.
func TestSettingsOfAnEarlierRestoreStay(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "shop")
	for _, want := range []string{".settings", ".settings-2", ".settings-3"} {
		require.Equal(t, data+want, settingsPlace(data+"/"))
		require.NoError(t, os.Mkdir(data+want, 0o700))
	}
}
