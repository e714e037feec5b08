package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
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
	receiver, where := kit.NewReceiver(t), t.TempDir()
	channel := receiver.Channel(t, where, "hook")
	channel["lang"] = "en"
	shop.Config = kit.AlertConfig(t, where, channel)
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

	name, _ := flip(t, shop.Nas)
	r := shop.Run("backup", "now")
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(receiver.Notices(), func(n kit.Notice) bool {
			return n.Code == "backup_failed" && strings.Contains(n.Text, "backup_proof_failed") && strings.Contains(n.Text, name)
		})
	}, 60*time.Second, 500*time.Millisecond, "nobody is told that %s is altered", name)
	status := shop.Run("backup", "status").Out
	require.Contains(t, status, "unproved")
	require.Contains(t, status, "FAILED")
	shop.RequireClean()
}

// A destination that takes nothing more is told by the webhook, with its name
// and the reason, and so is that it works again; monitoring and the exit code of
// status agree. Nobody's purchase is held up.
func TestADestinationThatFailsIsTold(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.StoppedCopied(t, platform, "backup.prove=off")
	receiver, where := kit.NewReceiver(t), t.TempDir()
	channel := receiver.Channel(t, where, "hook")
	channel["lang"] = "en"
	shop.Config = kit.AlertConfig(t, where, channel)
	shop.Start()
	shop.AwaitCopied()
	require.True(t, metric(t, shop.Shop, `panshi_backup_destination_failing{destination="nas"} 0`))
	require.True(t, metric(t, shop.Shop, `panshi_backup_destination_alarms{destination="nas"} 0`))

	mend := readOnly(t, shop.Nas)
	heard := func(event string) func() bool {
		return func() bool {
			return slices.ContainsFunc(receiver.Notices(), func(n kit.Notice) bool {
				return n.Event == event && n.Code == "backup_failed" && strings.Contains(n.Text, "nas")
			})
		}
	}
	require.Eventually(t, heard("opened"), 90*time.Second, 500*time.Millisecond)
	require.Equal(t, 1, shop.Run("backup", "status").Code)
	require.True(t, metric(t, shop.Shop, `panshi_backup_destination_failing{destination="nas"} 1`))
	_, err := kit.Buy(t.Context(), shop.Client(), platform, &kit.Book{}, buyer(1), one(shop.Client().DemoCard(t)))
	require.NoError(t, err)
	require.Regexp(t, `recovery +nas brings back .* on this machine only: 1 order placed, 1 order paid \(CNY \d+\.\d\d\)`, shop.Run("doctor").Out)
	mend()
	require.Eventually(t, heard("resolved"), 120*time.Second, 500*time.Millisecond)
	shop.AwaitCopied()
	require.Zero(t, shop.Run("backup", "status").Code)
	require.Eventually(t, func() bool { return strings.Contains(shop.Run("doctor").Out, "on this machine only: no order") },
		30*time.Second, time.Second)
	shop.RequireClean()
}

// readOnly puts a directory under a file system that takes nothing, as a share
// whose server has trouble; mend takes that away.
func readOnly(t *testing.T, dir string) (mend func()) {
	t.Helper()
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("mounting needs root: %v", err)
	}
	undo := sync.OnceFunc(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	t.Cleanup(undo)
	require.NoError(t, syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	return undo
}
