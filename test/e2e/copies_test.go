package e2e

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// nas has a shop with a recovery sheet copy itself to a directory; it starts.
func nas(t *testing.T, platform *kit.Platform) (shop *kit.Shop, dir, sheet string) {
	t.Helper()
	c := kit.NewCopied(t, platform)
	return c.Shop, c.Nas, c.Sheet
}

// The machine is lost under load with its spool and all keys. The sheet and the
// copy bring the shop back, at most two seconds older; its cards stay shut until
// their own bundle comes. The copy gave nothing away.
func TestALostMachineComesBack(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop, dir, sheet := nas(t, platform)
	keys := kit.Keys("MACHINE", 3000)
	sku := shop.ImportCards("machine", "1.00", keys)
	book := &kit.Book{}
	bought, err := kit.Buy(t.Context(), shop.Client(), platform, book, buyer(1), one(sku))
	require.NoError(t, err)
	cards := filepath.Join(t.TempDir(), "cards.bundle")
	r := shop.Run("key", "cards", cards)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	shop.AwaitCopied()

	end, orders := loseMachine(t, shop, sku)
	r = shop.RunEnv(nil, "restore", "--from", dir, "--to", shop.Data, "--sheet", sheet)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Out, "0 violations")
	require.Contains(t, r.Out, "SHUT")

	shop.Start()
	n, window := orders.lost(t, shop.Client(), end)
	t.Logf("%d of %d orders lost, the oldest %v before the end", n, len(orders.order), window.Round(time.Millisecond))
	require.LessOrEqual(t, window, 2*time.Second)
	status, _, answer, err := shop.Client().Raw(t.Context(), http.MethodPost, "/api/v1/orders/"+bought.Placed.No+"/deliveries/reveal",
		map[string]string{"Authorization": "Bearer " + bought.Placed.Token}, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status, "%s", answer)
	require.Contains(t, string(answer), "vault_cards_shut")
	require.Zero(t, shop.Stop(20*time.Second))
	r = shop.Run("key", "cards", "--place", cards, "--sheet", sheet)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	shop.Start()
	book.RequireKept(t, shop.Client(), 0)
	_, err = kit.Buy(t.Context(), shop.Client(), platform, book, buyer(2), one(sku))
	require.NoError(t, err)
	shop.RequireClean()

	hits, read := kit.NewScanner(append(keys[:50:50], "SQLite format 3", "13800000001")...).Dir(t, dir)
	require.Empty(t, hits)
	require.Positive(t, read)
}

// loseMachine takes everything of a machine away while buyers order.
func loseMachine(t *testing.T, shop *kit.Shop, sku string) (end time.Time, orders *timed) {
	t.Helper()
	ctx, goHome := context.WithCancel(t.Context())
	defer goHome()
	orders = &timed{}
	var load sync.WaitGroup
	load.Go(func() { orders.crowd(ctx, shop.Client(), sku) })
	time.Sleep(3 * time.Second) // load
	end = time.Now()
	shop.Kill()
	goHome()
	load.Wait()
	for _, path := range []string{shop.Data, shop.Data + ".spool", shop.Data + ".key"} {
		require.NoError(t, os.RemoveAll(path))
	}
	return end, orders
}

// An object that is missing at a destination, or has one other byte, is named
// before anything is written.
func TestAnAlteredCopyIsRefused(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	shop, dir, sheet := nas(t, kit.NewPlatform(t))
	shop.AwaitCopied()
	require.Zero(t, shop.Stop(20*time.Second))
	r := withNas(shop, dir, "backup", "verify", "--json")
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.Regexp(t, `"unlisted": ?0\b`, r.Out, "a clean stop leaves nothing that no manifest has")
	var full string
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "seg"), func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && (full == "" || path < full) {
			full = path
		}
		return err
	}))
	content, err := os.ReadFile(full)
	require.NoError(t, err)
	to := filepath.Join(t.TempDir(), "to")
	refused := func(why string) {
		t.Helper()
		r := shop.RunEnv(nil, "restore", "--from", dir, "--to", to, "--sheet", sheet)
		require.Equal(t, 4, r.Code, "%s: %s%s", why, r.Out, r.Err)
		require.NoDirExists(t, to)
		require.NoFileExists(t, to+".key")
	}
	flipped := []byte(strings.Clone(string(content)))
	flipped[len(flipped)/2] ^= 1
	require.NoError(t, os.Chmod(full, 0o600))
	require.NoError(t, os.WriteFile(full, flipped, 0o600))
	refused("a byte is another one")
	require.NoError(t, os.Remove(full))
	refused("an object is missing")
	require.NoError(t, os.WriteFile(full, content, 0o600))
	r = shop.RunEnv(nil, "restore", "--from", dir, "--to", to, "--sheet", sheet)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
}

// A destination that takes connections and never answers delays neither the
// start nor a sale, and a clean stop only by seconds. The other one has all.
func TestAHangingDestinationDelaysNoStop(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	hung, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = hung.Close() })
	platform := kit.NewPlatform(t)
	dir := filepath.Join(t.TempDir(), "disk")
	shop := kit.Stopped(t, platform, "backup.destinations=[{label: disk, kind: directory, same_device: true, dir: "+dir+"},"+
		"{label: cloud, kind: minio, endpoint: 'http://"+hung.Addr().String()+"', s3_region: r, bucket: b}]")
	shop.NewSheet()
	require.ErrorContains(t, shop.TryStart(), "exit", "the store has no credential")
	credential := filepath.Join(t.TempDir(), "minio.json")
	require.NoError(t, os.WriteFile(credential, []byte(`{"access_key":"a","secret_key":"for nobody"}`), 0o600))
	r := shop.Run("key", "destination", "put", "cloud", credential)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	shop.Start()
	sku := shop.ImportCards("hung", "1.00", kit.Keys("HUNG", 10))
	_, err = shop.Client().Place(t.Context(), buyer(1), one(sku))
	require.NoError(t, err)
	begin := time.Now()
	require.Zero(t, shop.Stop(20*time.Second))
	t.Logf("stopped within %v", time.Since(begin).Round(time.Millisecond))
	var s kit.Copies
	shop.Start()
	require.Eventually(t, func() bool {
		s = shop.Copies()
		return s.Lag == 0 && s.Destinations[0].Restorable && s.Destinations[0].Pending == 0 && s.Destinations[1].Pending > 0
	}, 30*time.Second, 200*time.Millisecond, "%+v", &s)
}

// Two of three people bring the shop back on a bare machine. One alone does not, and nothing is written then.
func TestTwoOfThreeSharesBringAShopBack(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "nas")
	shop := kit.Stopped(t, kit.NewPlatform(t), "backup.destinations=[{label: nas, kind: directory, region: basement, same_device: true, dir: "+dir+"}]")
	r := shop.Run("key", "shares", "new")
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	shares := []string{}
	for i, text := range strings.Split(r.Out, "\f") {
		path := filepath.Join(t.TempDir(), string(rune('a'+i)))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		shares = append(shares, path)
	}
	require.Len(t, shares, 3)
	shop.Start()
	shop.AwaitCopied()
	require.Zero(t, shop.Stop(20*time.Second))
	to := filepath.Join(t.TempDir(), "to")
	r = shop.RunEnv(nil, "restore", "--from", dir, "--to", to, "--share", shares[1])
	require.NotZero(t, r.Code)
	require.NoDirExists(t, to)
	r = shop.RunEnv(nil, "restore", "--from", dir, "--to", to, "--share", shares[2], "--share", shares[0])
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Out, "0 violations")
}
