//go:build faultpoints

package torture

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// ofStandby tells the points of following and of taking over.
func ofStandby(point string) bool {
	return strings.HasPrefix(point, "standby.") || strings.HasPrefix(point, "promote.")
}

// crashStandby kills a standby at a point, while it follows or while it takes
// over, and has it take over all the same: what the shop acknowledged and brought
// to the destination is there, and the old machine stays out.
func crashStandby(t *testing.T, point string) {
	t.Helper()
	kit.OnlyOn(t, db.SQLite, "a database server has standbys of its own")
	platform := kit.NewPlatform(t)
	dir := filepath.Join(t.TempDir(), "nas")
	shop := kit.Stopped(t, platform, kit.Nas(dir))
	sheet := shop.NewSheet()
	shop.Start()
	sku := shop.Client().DemoCard(t)
	book := &kit.Book{}
	buyOne := func(n int) {
		_, err := kit.Buy(t.Context(), shop.Client(), platform, book, buyer(n), kit.Line{SKU: sku, Quantity: 1})
		require.NoError(t, err)
	}
	buyOne(1)
	shop.AwaitCopied()
	standby := kit.Empty(t, t.TempDir(), platform, kit.Nas(dir))
	require.NoError(t, standby.LaunchWith([]string{"--follow", "nas", "--sheet", sheet}, "PANSHI_FAULT="+point))
	if strings.HasPrefix(point, "standby.") {
		for n := 2; n < 60 && !ended(standby); n++ {
			buyOne(n)
		}
		shop.AwaitCopied()
	} else {
		standby.AwaitFollowed()
		shop.AwaitCopied()
		shop.Kill()
		r := standby.Run("promote", "--set", kit.Nas(dir))
		require.NotZero(t, r.Code, "%s%s", r.Out, r.Err)
	}
	select {
	case <-standby.Done():
	case <-time.After(patience):
		t.Fatalf("%s is never passed", point)
	}
	require.Contains(t, standby.Log(), "fault: killed at "+point)
	shop.Kill()
	standby.Follow("nas", "--sheet", sheet)
	// Who was named before the crash goes on as the shop by itself, and has no
	// socket for a moment on the way.
	var r kit.Result
	require.Eventually(t, func() bool {
		r = standby.Run("promote", "--set", kit.Nas(dir))
		return r.Code == 0 || strings.Contains(r.Err, "does not know this operation")
	}, patience, 500*time.Millisecond, "%+v", &r)
	book.RequireKept(t, standby.Client(), 0)
	standby.RequireClean()
	require.ErrorContains(t, shop.TryStart(), "exit status 3")
}

func ended(s *kit.Shop) bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}
