package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/proof"
)

func TestTimeLeftIsGuessedByWhatIsDone(t *testing.T) {
	t.Parallel()
	require.Equal(t, ", about 30s left", timeLeft(10*time.Second, 25, 100))
	for _, done := range []int64{-1, 0, 100, 101} {
		require.Empty(t, timeLeft(10*time.Second, done, 100))
	}
	require.Empty(t, timeLeft(time.Second, 25, 100), "too early to say")
}

// "remove me" is said of a disk that gave everything back, and of no other.
func TestOnlyASoundDiskMayBeRemoved(t *testing.T) {
	t.Parallel()
	told := func(d app.OfflineDone) string {
		var out strings.Builder
		tellOffline(&out, d, "/mnt/usb")
		return out.String()
	}
	good := app.OfflineDone{Offline: proof.Offline{Label: "blue", Sets: 1}}
	require.Contains(t, told(good), "umount /mnt/usb, then remove me")
	good.Unmounted = true
	require.Contains(t, told(good), "unmounted; remove me")
	good.Unmounted, good.StillMounted = false, "device or resource busy"
	require.Contains(t, told(good), "not unmounted (device or resource busy)")
	bad := app.OfflineDone{Damaged: []manifest.Finding{{Kind: manifest.Altered, Name: "seg/x"}}}
	require.NotContains(t, told(bad), "remove me")
	require.Contains(t, told(bad), "DO NOT TRUST THIS DISK")
	require.Contains(t, told(bad), "seg/x")
}
