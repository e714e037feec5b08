package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// backupTold is what `panshi backup status --json` tells of a destination and of what
// happens by itself.
type backupTold struct {
	Destinations []struct {
		Complete    time.Time `json:"complete"`
		Full        time.Time `json:"full"`
		Proved      time.Time `json:"proved"`
		ProvedFull  time.Time `json:"proved_full"`
		ProofFailed string    `json:"proof_failed"`
	} `json:"destinations"`
	Schedule []struct {
		What     string    `json:"what"`
		Label    string    `json:"destination"`
		LastGood time.Time `json:"last_good"`
		Next     time.Time `json:"next"`
		Note     string    `json:"note"`
	} `json:"schedule"`
}

func statusTold(t *testing.T, shop *kit.Shop) (s backupTold) {
	t.Helper()
	r := shop.Run("backup", "status", "--json")
	require.NoError(t, json.Unmarshal([]byte(r.Out), &s), "%s%s", r.Out, r.Err)
	return s
}

// A shop proves its copies by itself, before it calls them good: a copy that was
// damaged is told as that without anybody asking. What a proof that was killed
// left, keys among it, is taken away first.
func TestCopiesAreProvedByThemselves(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	shop := kit.StoppedCopied(t, kit.NewPlatform(t))
	left := filepath.Join(filepath.Dir(shop.Data), ".proving-killed")
	require.NoError(t, os.MkdirAll(filepath.Join(left, "from", "keys"), 0o700))
	shop.Start()
	require.Contains(t, shop.Run("backup", "status").Out, "unproved")
	var s backupTold
	require.Eventually(t, func() bool {
		s = statusTold(t, shop.Shop)
		return len(s.Destinations) == 1 && !s.Destinations[0].Proved.IsZero()
	}, 60*time.Second, 500*time.Millisecond, "%+v", &s)
	require.Empty(t, s.Destinations[0].ProofFailed)
	require.Equal(t, s.Destinations[0].Full, s.Destinations[0].ProvedFull)
	require.NoDirExists(t, left)
	require.Contains(t, shop.Run("backup", "status").Out, "good")

	next := map[string]time.Time{}
	for _, p := range s.Schedule {
		t.Logf("%+v", p)
		next[p.What] = p.Next
	}
	require.Contains(t, []int{3, 4}, next["full"].Local().Hour())
	require.WithinDuration(t, time.Now(), next["full"], 24*time.Hour)
	require.Equal(t, next["full"], next["proof"])
	require.Less(t, time.Since(s.Destinations[0].Complete), time.Minute)
	shop.RequireClean()
}
