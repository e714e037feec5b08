package recovery

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

const noSpool = "a server's database is backed up by other means"

// copied is a shop that copies itself and sells cards, and one order of it.
func copied(t *testing.T, cards int) (c *kit.Copied, sku string, first kit.Placed) {
	t.Helper()
	kit.OnlyOn(t, db.SQLite, noSpool)
	t.Parallel()
	c = kit.NewCopied(t, kit.NewPlatform(t))
	sku = c.ImportCards("recovery", "1.00", kit.Keys("RECOVERY", cards))
	first, err := c.Client().Place(t.Context(), buyer(1), one(sku))
	require.NoError(t, err)
	return c, sku, first
}

// loseMachine kills the shop and takes all of its machine away.
func loseMachine(t *testing.T, c *kit.Copied) {
	t.Helper()
	c.Kill()
	for _, path := range []string{c.Data, c.Data + ".spool", c.Data + ".key"} {
		require.NoError(t, os.RemoveAll(path))
	}
}

// tree tells the digest of every file below a directory, by its path.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		sum := sha256.Sum256(content)
		out[strings.TrimPrefix(path, dir+"/")] = hex.EncodeToString(sum[:])
		return err
	}))
	return out
}

// Failure 5: a shop that was brought back copies itself again, into a history of
// its own, so that it can be brought back once more with what was sold since.
// What was there before stays as it was.
func TestARestoredShopIsCopiedAgain(t *testing.T) {
	c, sku, first := copied(t, 20)
	c.AwaitCopied()
	orders := []kit.Placed{first}
	for n := range 2 {
		loseMachine(t, c)
		before := tree(t, c.Nas)
		r := c.RestoreFrom(c.Nas, c.Data)
		require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
		c.Start()
		next, err := c.Client().Place(t.Context(), buyer(2+n), one(sku))
		require.NoError(t, err)
		orders = append(orders, next)
		c.AwaitCopied()
		require.Empty(t, c.Copies().Destinations[0].Failure)
		after := tree(t, c.Nas)
		for name, digest := range before {
			if strings.HasPrefix(name, "seg/") {
				require.Equal(t, digest, after[name], "%s is not what it was", name)
			}
		}
	}
	loseMachine(t, c)
	r := c.RestoreFrom(c.Nas, c.Data)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	c.Start()
	for _, o := range orders {
		_, err := c.Client().Order(t.Context(), o)
		require.NoError(t, err)
	}
}

// Failure 19: objects without the keys that open them, or without the manifests
// that vouch for them, are no backup, and neither is what lacks all objects. Verification says so while the shop still
// stands, and a restore says so before it writes.
func TestCopiesWithoutKeysOrManifestsAreNoBackup(t *testing.T) {
	c, _, _ := copied(t, 5)
	c.AwaitCopied()
	time.Sleep(11 * time.Second) // by then everything stands in a manifest
	for _, part := range []string{"box/keys", "manifest", "seg"} {
		away := filepath.Join(t.TempDir(), "away")
		require.NoError(t, os.Rename(filepath.Join(c.Nas, part), away))
		r := c.Run("backup", "verify", "nas", "--set", kit.Nas(c.Nas))
		require.Equal(t, 4, r.Code, "%s: %s%s", part, r.Out, r.Err)
		to := filepath.Join(t.TempDir(), "to")
		r = c.RestoreFrom(c.Nas, to)
		require.Equal(t, 4, r.Code, "%s: %s%s", part, r.Out, r.Err)
		require.NoDirExists(t, to)
		require.NoError(t, os.RemoveAll(filepath.Join(c.Nas, part))) // the shop may have made it anew meanwhile
		require.NoError(t, os.Rename(away, filepath.Join(c.Nas, part)))
	}
}

// Failures 20 and 22: a restore to where something is, or with what opens nothing,
// ends before anything has changed: data, keys and the destination are as they
// were. So a command on the wrong machine does no harm.
func TestARestoreTouchesNothingThatIsThere(t *testing.T) {
	c, _, _ := copied(t, 5)
	c.AwaitCopied()
	require.Zero(t, c.Stop(20*time.Second))
	other := kit.NewCopied(t, nil)
	require.Zero(t, other.Stop(20*time.Second))
	nas, data, key := tree(t, c.Nas), tree(t, c.Data), tree(t, filepath.Dir(c.Data+".key"))
	fresh := filepath.Join(t.TempDir(), "fresh")
	refused := func(code int, says, to, sheet string, more ...string) {
		t.Helper()
		r := c.RunEnv(nil, append([]string{"restore", "--from", c.Nas, "--to", to, "--sheet", sheet}, more...)...)
		require.Equal(t, code, r.Code, "%s%s", r.Out, r.Err)
		require.Contains(t, r.Err, says)
	}
	refused(1, "nothing is ever restored over it", c.Data, c.Sheet)
	refused(4, "", fresh, other.Sheet)
	refused(4, "", fresh, c.Sheet, "--cards", c.Sheet)
	require.NoDirExists(t, fresh)

	beside := filepath.Join(filepath.Dir(other.Data), "beside")
	content, err := os.ReadFile(other.Data + ".key")
	require.NoError(t, err)
	content[len(content)/2] ^= 1
	require.NoError(t, os.WriteFile(beside+".key", content, 0o600))
	refused(1, "", beside, c.Sheet)
	require.NoDirExists(t, beside, "a shop beside a key that does not open it")
	now, err := os.ReadFile(beside + ".key")
	require.NoError(t, err)
	require.Equal(t, content, now)

	require.Equal(t, nas, tree(t, c.Nas))
	require.Equal(t, data, tree(t, c.Data))
	require.Equal(t, key, tree(t, filepath.Dir(c.Data+".key")))
	c.Start()
}

// Failure 21: what is empty, or stops short, is not restored as if it were a
// shop.
func TestNothingIsNoRestore(t *testing.T) {
	c, _, _ := copied(t, 5)
	c.AwaitCopied()
	require.Zero(t, c.Stop(20*time.Second))
	refused := func(from string, code int, more ...string) {
		t.Helper()
		to := filepath.Join(t.TempDir(), "to")
		r := c.RestoreFrom(from, to, more...)
		require.Equal(t, code, r.Code, "%s%s", r.Out, r.Err)
		require.NotContains(t, r.Out, "restored")
		require.NoDirExists(t, to)
		require.NoFileExists(t, to+".key")
	}
	refused(t.TempDir(), 1)
	refused(c.Nas, 1, "--at", "2001-01-01T00:00:00Z")
	r := c.RunEnv(nil, "restore", "--from", t.TempDir(), "--to", filepath.Join(t.TempDir(), "to"), "--key-file", c.Data+".key")
	require.NotZero(t, r.Code, "an empty spool: %s%s", r.Out, r.Err)
}

// Failure 22: another shop is told by mistake to copy itself to the place of
// this one. It does not start; where no lease tells it whose the place is, it
// writes and deletes nothing there, and somebody is told. This shop comes back.
func TestAStrangersPlaceIsNotTaken(t *testing.T) {
	c, _, first := copied(t, 5)
	c.AwaitCopied()
	require.Zero(t, c.Stop(20*time.Second))
	before := tree(t, c.Nas)
	stranger := kit.Stopped(t, nil, kit.Nas(c.Nas))
	stranger.NewSheet()
	require.ErrorContains(t, stranger.TryStart(), "two shops must not share one destination")
	stranger.Start("PANSHI_BACKUP__LEASE__AT=off") // as where a destination keeps no lease
	var told kit.Copies
	require.Eventually(t, func() bool {
		told = stranger.Copies()
		return len(told.Destinations) == 1 && len(told.Destinations[0].Alarms) > 0
	}, 30*time.Second, 200*time.Millisecond)
	require.Equal(t, "backup_place_foreign", told.Destinations[0].Failure)
	require.False(t, told.Destinations[0].Restorable)
	require.Zero(t, stranger.Stop(20*time.Second))
	require.Equal(t, before, tree(t, c.Nas))
	loseMachine(t, c)
	r := c.RestoreFrom(c.Nas, c.Data)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	c.Start()
	_, err := c.Client().Order(t.Context(), first)
	require.NoError(t, err)
}
