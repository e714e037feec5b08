//go:build faultpoints

package torture

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/test/kit"
)

// patience is how long one scenario may take, its crash and the minute in which
// everything must be served included.
const patience = 90 * time.Second

// atOnce is how many shops are tortured side by side: they mostly wait.
const atOnce = 5

// TestCrashAtEveryPoint crashes the shop at each named point, in something that
// passes it, starts it again and looks at the promises. A point that nothing
// passes fails.
func TestCrashAtEveryPoint(t *testing.T) {
	kit.Prepare(t) // or the first scenarios would lose their patience to it
	all := points(t)
	require.Greater(t, len(all), 20)
	type crash struct {
		point string
		pass  int // crash when it is passed for the n-th time
	}
	var crashes []crash
	for _, p := range all {
		crashes = append(crashes, crash{p, 1})
		if long() && !ofArchive(p) && !ofStandby(p) && !onceARun(p) { // which pass once, or move a few orders at once
			crashes = append(crashes, crash{p, 2})
		}
	}
	kit.Each(crashes, atOnce, func(_ int, c crash) {
		t.Run(c.point+":"+strconv.Itoa(c.pass), func(t *testing.T) {
			if strings.HasPrefix(c.point, "vault.") {
				crashFirstStart(t, c.point, c.pass)
				return
			}
			if strings.HasPrefix(c.point, "transfer.") {
				crashMove(t, c.point, c.pass)
				return
			}
			if strings.HasPrefix(c.point, "notify.") {
				crashAlert(t, c.point, c.pass)
				return
			}
			if strings.HasPrefix(c.point, "spool.") {
				crashShipping(t, c.point, c.pass)
				return
			}
			if ofStandby(c.point) {
				crashStandby(t, c.point)
				return
			}
			if strings.HasPrefix(c.point, "offline.") {
				crashOffline(t, c.point, c.pass)
				return
			}
			if ofArchive(c.point) {
				crashArchive(t, c.point)
				return
			}
			s, ok := scenarioOf(c.point)
			require.True(t, ok, "no scenario passes %s: write one, or name one for it in scenarioOf", c.point)
			crashAt(t, s, c.point, c.pass)
		})
	})
}

// TestCrashBetweenParts crashes the shop at every point of the second of three
// refunds of an order: each of them is made exactly once.
func TestCrashBetweenParts(t *testing.T) {
	kit.Prepare(t)
	var all []string
	for _, p := range points(t) {
		if strings.HasPrefix(p, "checkout.refund.") {
			all = append(all, p)
		}
	}
	require.Greater(t, len(all), 3)
	kit.Each(all, atOnce, func(_ int, point string) {
		t.Run(point, func(t *testing.T) { crashAt(t, parts(), point, 2) })
	})
}

// world is what a scenario acts in.
type world struct {
	platform  *kit.Platform
	shop      *kit.Shop
	client    *kit.Client
	book      *kit.Book
	sku       string
	credit    kit.Credit
	dir       string        // for files
	restarted chan struct{} // closed when the shop is back
}

func crashAt(t *testing.T, s scenario, point string, pass int) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w := &world{platform: kit.NewPlatform(t), book: &kit.Book{}, dir: t.TempDir(), restarted: make(chan struct{})}
	if s.faults != "" {
		w.platform.Faults(t, s.faults)
	}
	w.shop = kit.Stopped(t, w.platform, s.settings...)
	w.client = w.shop.Client()
	if s.prepare != nil {
		w.shop.Start()
		s.prepare(t, w)
		require.Zero(t, w.shop.Stop(time.Minute))
	}
	w.shop.Start("PANSHI_FAULT=" + point + ":" + strconv.Itoa(pass))
	w.sku = w.client.DemoCard(t)
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx, w) }()
	select {
	case <-w.shop.Done():
	case err := <-ended:
		t.Fatalf("%s never passed %s (%v)", s.name, point, err)
	case <-ctx.Done():
		t.Fatalf("%s does not end and never passed %s", s.name, point)
	}
	require.True(t, w.shop.Killed())
	require.Contains(t, w.shop.Log(), "fault: killed at "+point)
	w.shop.Start()
	close(w.restarted)
	require.NoError(t, <-ended, "%s after the crash", s.name)
	requirePromises(ctx, t, w)
}

// requirePromises looks at everything that was acknowledged, and that the shop
// still sells.
func requirePromises(ctx context.Context, t *testing.T, w *world) {
	t.Helper()
	w.platform.Faults(t, "{}")
	w.book.RequireKept(t, w.client, 0)
	w.book.RequireServed(t, w.client, time.Minute)
	_, err := kit.Buy(ctx, w.client, w.platform, w.book, buyer(99), kit.Line{SKU: w.sku, Quantity: 1})
	require.NoError(t, err)
	w.book.RequireDistinct(t, w.client)
	w.shop.RequireClean()
}

// crashShipping crashes a shipment, which may be the first, before anybody can
// buy: the next start goes on, and what it ships is what was sold.
func crashShipping(t *testing.T, point string, pass int) {
	if dbtest.Engine() != db.SQLite {
		t.Skip("a server's database is not shipped")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w := &world{platform: kit.NewPlatform(t), book: &kit.Book{}}
	w.shop = kit.Stopped(t, w.platform)
	w.client = w.shop.Client()
	require.NoError(t, w.shop.Launch("PANSHI_FAULT="+point+":"+strconv.Itoa(pass)))
	<-w.shop.Done() // its leases alone give it something to ship
	require.Contains(t, w.shop.Log(), "fault: killed at "+point)
	w.shop.Start()
	w.sku = w.client.DemoCard(t)
	requirePromises(ctx, t, w)
	require.Zero(t, w.shop.Stop(time.Minute))
	copied := kit.Empty(t, t.TempDir(), w.platform)
	r := copied.RunEnv(nil, "restore", "--from", w.shop.Data+".spool", "--to", copied.Data, "--key-file", w.shop.Data+".key")
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	copied.Start()
	w.book.RequireKept(t, copied.Client(), 0)
}

// crashFirstStart crashes the making of a shop's keys: the next try makes them,
// and no key file is half-written.
func crashFirstStart(t *testing.T, point string, pass int) {
	platform := kit.NewPlatform(t)
	shop := kit.Empty(t, t.TempDir(), platform)
	env := []string{"PANSHI_FAULT=" + point + ":" + strconv.Itoa(pass)}
	r := shop.RunEnv(env, append([]string{"demo"}, shop.Flags()...)...)
	require.Equal(t, -1, r.Code, "never passed: %s", r.Err)
	require.Contains(t, r.Err, "fault: killed at "+point)
	r = shop.Run("demo")
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	shop.Start()
	w := &world{platform: platform, shop: shop, client: shop.Client(), book: &kit.Book{}}
	w.sku = w.client.DemoCard(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	requirePromises(ctx, t, w)
}
