package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/pgserver"
	"panshi/test/kit"
)

// enterable is a directory of a test that the server's account can enter.
func enterable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		require.NoError(t, os.Chmod(d, 0o711))
	}
	return dir
}

// onServer has a demo shop on a PostgreSQL server of its own copy itself to a
// directory, and to more destinations; it runs. The settings are in a file, which
// all commands read.
func onServer(t *testing.T, platform *kit.Platform, more string) (shop *kit.Shop, node *dbtest.Node, dir, sheet string) {
	t.Helper()
	node = dbtest.NewNode(t)
	require.NoError(t, node.Exec("postgres", "CREATE DATABASE shop TEMPLATE template0"))
	dir = filepath.Join(t.TempDir(), "nas")
	shop = kit.Empty(t, enterable(t), platform)
	shop.Config = filepath.Join(t.TempDir(), "panshi.yaml")
	require.NoError(t, os.WriteFile(shop.Config, []byte("backup:\n  prove: \"off\"\n  destinations:\n"+
		"    - {label: nas, kind: directory, region: basement, same_device: true, dir: "+dir+"}\n"+more), 0o600))
	shop.UseServer(node.URL("shop"))
	r := shop.Run("demo")
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	sheet = shop.NewSheet()
	shop.Start()
	return shop, node, dir, sheet
}

// Shop, database server, spool and keys are lost under load. The sheet and the
// copy bring all of it back, at most two seconds older, and the shop sells again;
// the copy was proved while the shop ran, and gave nothing away.
func TestALostDatabaseServerComesBack(t *testing.T) {
	kit.OnlyOn(t, db.Postgres, "on SQLite there is no server to lose")
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop, node, dir, sheet := onServer(t, platform, "")
	keys := kit.Keys("SERVER", 3000)
	sku := shop.ImportCards("server", "1.00", keys)
	book := &kit.Book{}
	_, err := kit.Buy(t.Context(), shop.Client(), platform, book, buyer(1), one(sku))
	require.NoError(t, err)
	cards := filepath.Join(t.TempDir(), "cards.bundle")
	r := withNas(shop, dir, "key", "cards", cards)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	shop.AwaitCopied()
	for _, command := range [][]string{{"backup", "verify", "nas"}, {"backup", "prove", "nas"}} {
		r = withNas(shop, dir, command...)
		require.Zero(t, r.Code, "%v: %s%s", command, r.Out, r.Err)
	}
	items := checklist(t, shop, dir)
	require.Equal(t, "green", items["restored"], "a restore was tried")
	require.Equal(t, "green", items["card_keys"], "their bundle was written")

	end, orders := loseMachine(t, shop, sku)
	node.Stop()
	begin := time.Now()
	r = shop.RunEnv(nil, "restore", "--from", dir, "--to", shop.Data, "--sheet", sheet, "--cards", cards)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Out, "0 violations")
	require.Contains(t, r.Out, "pg_ctl")
	t.Logf("restored within %v\n%s", time.Since(begin).Round(time.Millisecond), r.Out)

	restored := filepath.Join(shop.Data, "postgres")
	major, err := pgserver.MajorOf(restored)
	require.NoError(t, err)
	server, err := pgserver.Run(major, restored, "max_wal_senders=10", "wal_level=replica", "hot_standby=on")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	require.NoError(t, server.Await(t.Context(), "panshi", "shop"))
	shop.UseServer(server.URL("panshi", "shop"))
	shop.Start()
	n, window := orders.lost(t, shop.Client(), end)
	t.Logf("%d of %d orders lost, the oldest %v before the end", n, len(orders.order), window.Round(time.Millisecond))
	require.LessOrEqual(t, window, 2*time.Second)
	book.RequireKept(t, shop.Client(), 0)
	_, err = kit.Buy(t.Context(), shop.Client(), platform, book, buyer(2), one(sku))
	require.NoError(t, err)
	shop.AwaitCopied() // with a history of its own, beside the old one
	shop.RequireClean()
	require.Zero(t, shop.Stop(20*time.Second))

	hits, read := kit.NewScanner(append(keys[:50:50], "13800000001")...).Dir(t, dir)
	require.Empty(t, hits)
	require.Positive(t, read)
}

// Disasters are rehearsed on scratch servers, beside one that sells.
func TestDisastersAreRehearsedOnServers(t *testing.T) {
	kit.OnlyOn(t, db.Postgres, "SQLite has its own")
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop, _, _, _ := onServer(t, platform, "    - {label: far, kind: directory, region: attic, dir: "+otherDisk(t)+"}\n")
	sku := shop.ImportCards("drilled", "1.00", kit.Keys("DRILL", 50))
	for n := range 3 {
		_, err := kit.Buy(t.Context(), shop.Client(), platform, &kit.Book{}, buyer(n), one(sku))
		require.NoError(t, err)
	}
	shop.AwaitCopied()
	failures := map[string]string{}
	for name, d := range drills(t, shop, 1, "all") {
		failures[name] = d.Failure
	}
	require.Equal(t, map[string]string{
		"disk-lost": "", "machine-lost": "", "table-dropped": "", "rows-deleted": "", "region-gone": "", "corrupt-object": "", "key-lost": "",
		"wrong-clock": "", "runbook": "",
		"ransomware": "drill_unprotected", "standby-failover": "drill_no_standby",
	}, failures)
	left, err := filepath.Glob(filepath.Join(shop.Dir, ".drilling-*"))
	require.NoError(t, err)
	require.Empty(t, left)
	shop.RequireClean()
}
