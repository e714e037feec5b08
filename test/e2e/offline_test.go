package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// otherDevice makes a directory on another device than the data's, and tells
// whether there is one.
func otherDevice(t *testing.T, data string) (dir string, apart bool) {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "panshi-offline-") //nolint:usetesting // on another device
	if err != nil {
		return t.TempDir(), false
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	var a, b syscall.Stat_t
	require.NoError(t, syscall.Stat(dir, &a))
	require.NoError(t, syscall.Stat(data, &b))
	return dir, a.Dev != b.Dev
}

// A disk is plugged in beside the running shop and once it stands still. Then the
// machine is lost: the disk and the sheet bring the shop back. The disk gave
// nothing away, and no other shop writes to it.
func TestADiskInADrawerBringsTheShopBack(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop, nasDir, sheet := nas(t, platform)
	keys := kit.Keys("DRAWER", 500)
	sku := shop.ImportCards("drawer", "1.00", keys)
	book := &kit.Book{}
	_, err := kit.Buy(t.Context(), shop.Client(), platform, book, buyer(1), one(sku))
	require.NoError(t, err)
	shop.AwaitCopied()
	disk, apart := otherDevice(t, shop.Data)
	run := func(code int, args ...string) string {
		t.Helper()
		args = append([]string{"backup", "offline"}, args...)
		r := shop.Run(append(args, "--to", disk)...)
		require.Equal(t, code, r.Code, "%v: %s%s", args, r.Out, r.Err)
		return r.Out + r.Err
	}
	require.Contains(t, run(1), "--init LABEL")
	if !apart {
		t.Skip("no second device here")
	}
	require.Contains(t, run(0, "--init", "blue"), "remove me")
	require.Equal(t, "green", checklist(t, shop, nasDir)["offline"])
	require.Contains(t, run(0, "list"), "blue")
	require.Contains(t, run(0, "verify"), "blue is sound")
	theConsoleTells(t, shop, "offline")

	second, err := kit.Buy(t.Context(), shop.Client(), platform, book, buyer(2), one(sku))
	require.NoError(t, err)
	require.NotEmpty(t, second.Placed.No)
	shop.AwaitCopied()
	require.Zero(t, shop.Stop(20*time.Second))
	cards := filepath.Join(t.TempDir(), "cards.bundle")
	r := shop.Run("key", "cards", cards)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, run(0), "remove me", "the shop stands still")
	require.Equal(t, "green", checklist(t, shop, nasDir)["card_keys"])
	spool := shop.Data + ".spool"
	require.NoError(t, os.Rename(spool, spool+".away"))
	require.NotContains(t, run(1), "remove me", "there is nothing to copy from")
	require.Contains(t, run(0, "--from", "nas", "--set", kit.Nas(nasDir)), "remove me", "the spool is gone")
	require.NoError(t, os.RemoveAll(spool))
	require.NoError(t, os.Rename(spool+".away", spool))
	theRefusals(t, shop, platform, disk)

	for _, path := range []string{shop.Data, shop.Data + ".spool", shop.Data + ".key", nasDir} {
		require.NoError(t, os.RemoveAll(path))
	}
	hits, read := kit.NewScanner(append(keys[:50:50], "SQLite format 3", "13800000001", "@shop.example")...).Dir(t, disk)
	require.Empty(t, hits)
	require.Positive(t, read)
	r = shop.RunEnv(nil, "restore", "--from", disk, "--to", shop.Data, "--sheet", sheet, "--cards", cards)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	shop.Start()
	book.RequireKept(t, shop.Client(), 0)
	shop.RequireClean()
}

// The same for a shop on a PostgreSQL server: its disk has the server.
func TestADiskHasADatabaseServer(t *testing.T) {
	kit.OnlyOn(t, db.Postgres, "on SQLite there is no server")
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop, node, nasDir, sheet := onServer(t, platform, "")
	sku := shop.ImportCards("drawer", "1.00", kit.Keys("DRAWER", 50))
	_, err := kit.Buy(t.Context(), shop.Client(), platform, &kit.Book{}, buyer(1), one(sku))
	require.NoError(t, err)
	shop.AwaitCopied()
	disk := t.TempDir()
	for _, args := range [][]string{{"--init", "blue", "--same-device"}, {"--same-device"}, {"verify"}, {"list"}} {
		r := withNas(shop, nasDir, append(append([]string{"backup", "offline"}, args...), "--to", disk)...)
		require.Zero(t, r.Code, "%v: %s%s", args, r.Out, r.Err)
	}
	require.Zero(t, shop.Stop(20*time.Second))
	node.Stop()
	for _, more := range [][]string{nil, {"--at", time.Now().Format(time.RFC3339)}} {
		to := filepath.Join(enterable(t), "to")
		r := shop.RunEnv(nil, append([]string{"restore", "--from", disk, "--to", to, "--sheet", sheet}, more...)...)
		require.Zero(t, r.Code, "%v: %s%s", more, r.Out, r.Err)
		require.Contains(t, r.Out, "0 violations")
	}
}

// theConsoleTells that an item is green, without a secret and without waiting for
// destinations.
func theConsoleTells(t *testing.T, shop *kit.Shop, item string) {
	t.Helper()
	owner := shop.Owner("drawer-owner")
	var list struct {
		Items []struct {
			Name, State string
			Age         int64 `json:"age_seconds"`
		}
	}
	require.Eventually(t, func() bool {
		err := owner.Try(t.Context(), "GET", "backup/checklist", nil, &list)
		return err == nil && len(list.Items) == 6
	}, 20*time.Second, 100*time.Millisecond)
	for _, i := range list.Items {
		require.Equal(t, i.Name == item, i.State == "green", "%+v", i)
	}
	var status, proofs json.RawMessage
	owner.Do("GET", "backup/status", nil, &status)
	owner.Do("GET", "backup/proofs", nil, &proofs)
	require.Contains(t, string(status), `"label":"nas"`)
	require.Contains(t, string(proofs), `"label":"blue"`)
	require.NotContains(t, string(status)+string(proofs), shop.Data, "no paths")
}

// theRefusals: the device of the data, another shop's disk, and somebody's files
// are left alone; a bundle of card keys that somebody put on the disk is told.
func theRefusals(t *testing.T, shop *kit.Shop, platform *kit.Platform, disk string) {
	t.Helper()
	near := t.TempDir()
	r := shop.Run("backup", "offline", "--to", near, "--init", "near")
	require.Contains(t, r.Err, "one dead disk would take both")
	entries, err := os.ReadDir(near)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing was written")

	other := kit.Stopped(t, platform)
	other.NewSheet()
	other.Start()
	r = other.Run("backup", "offline", "--to", disk)
	require.Equal(t, 1, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Err, "another shop")
	require.Zero(t, other.Stop(20*time.Second))

	bundle := filepath.Join(disk, "cards.bundle")
	r = shop.Run("key", "cards", bundle)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	r = shop.Run("backup", "offline", "--to", disk)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Out, "WARNING: cards.bundle")
	require.NoError(t, os.Remove(bundle))

	name, heal := flip(t, disk)
	r = shop.Run("backup", "offline", "verify", "--to", disk)
	require.Equal(t, 4, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Out, name)
	heal()
}
