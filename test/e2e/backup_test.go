package e2e

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// shipping is what `panshi backup status --json` tells.
type shipping struct {
	Shipping    bool          `json:"shipping"`
	Generation  string        `json:"generation"`
	Transaction uint64        `json:"transaction"`
	Lag         time.Duration `json:"lag_ns"`
	ShippedAt   time.Time     `json:"shipped_at"`
	Generations []struct {
		Name  string `json:"name"`
		Files int    `json:"files"`
		Bytes int64  `json:"bytes"`
	} `json:"generations"`
}

func shippingOf(t *testing.T, shop *kit.Shop) (s shipping) {
	t.Helper()
	r := shop.Run("backup", "status", "--json")
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.NoError(t, json.Unmarshal([]byte(r.Out), &s))
	return s
}

// shipped waits until the spool has everything.
func shipped(t *testing.T, shop *kit.Shop) (s shipping) {
	t.Helper()
	require.Eventually(t, func() bool {
		s = shippingOf(t, shop)
		return s.Lag == 0 && !s.ShippedAt.IsZero()
	}, 20*time.Second, 100*time.Millisecond)
	return s
}

// timed are orders with the moment at which the shop acknowledged each.
type timed struct {
	mu    sync.Mutex
	order []kit.Placed // guarded by mu
	at    []time.Time  // guarded by mu
}

// crowd orders until ctx ends.
func (o *timed) crowd(ctx context.Context, c *kit.Client, sku string) {
	var buyers sync.WaitGroup
	for n := range 6 {
		buyers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				placed, err := c.Place(ctx, buyer(n*1000+i), one(sku))
				if err != nil {
					continue // the shop is being killed
				}
				o.mu.Lock()
				o.order, o.at = append(o.order, placed), append(o.at, time.Now())
				o.mu.Unlock()
				time.Sleep(5 * time.Millisecond) // a buyer, not a benchmark
			}
		})
	}
	buyers.Wait()
}

// lost tells how many orders a shop does not know, and how long before an end
// the oldest of them was acknowledged.
func (o *timed) lost(t *testing.T, c *kit.Client, end time.Time) (n int, window time.Duration) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, placed := range o.order {
		_, err := c.Order(t.Context(), placed)
		if err == nil {
			continue
		}
		require.Equal(t, 404, kit.StatusOf(err), "%v", err)
		n, window = n+1, max(window, end.Sub(o.at[i]))
	}
	return n, window
}

// The whole data directory is lost while buyers order. What comes back lacks two
// seconds at most, is consistent, sells, and ships into a history of its own
// beside the old one.
func TestALostDataDirectoryComesBack(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	sku := shop.ImportCards("lost", "1.00", kit.Keys("LOST", 5000))
	book := &kit.Book{}
	_, err := kit.Buy(t.Context(), shop.Client(), platform, book, buyer(1), one(sku))
	require.NoError(t, err)
	before := shipped(t, shop)

	ctx, goHome := context.WithCancel(t.Context())
	defer goHome()
	var orders timed
	var load sync.WaitGroup
	load.Go(func() { orders.crowd(ctx, shop.Client(), sku) })
	phase := time.Duration(rand.IntN(1000)) * time.Millisecond
	t.Logf("killed after %v", 2*time.Second+phase)
	time.Sleep(2*time.Second + phase) // load; shipments come every second, this at any moment between two
	end := time.Now()
	shop.Kill()
	require.NoError(t, os.RemoveAll(shop.Data))
	goHome()
	load.Wait()

	r := shop.RunEnv(nil, "restore", "--from", shop.Data+".spool", "--to", shop.Data)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Out, "0 violations")
	r = shop.RunEnv(nil, "restore", "--from", shop.Data+".spool", "--to", shop.Data)
	require.Equal(t, 1, r.Code)
	require.Contains(t, r.Err, "nothing is ever restored over it")

	shop.Start()
	n, window := orders.lost(t, shop.Client(), end)
	t.Logf("%d of %d orders lost, the oldest %v before the end", n, len(orders.order), window.Round(time.Millisecond))
	require.LessOrEqual(t, window, 2*time.Second)
	book.RequireKept(t, shop.Client(), 0)
	_, err = kit.Buy(t.Context(), shop.Client(), platform, book, buyer(2), one(sku))
	require.NoError(t, err)
	book.RequireDistinct(t, shop.Client())
	shop.RequireClean()

	after := shipped(t, shop)
	require.Greater(t, after.Generation, before.Generation)
	require.Len(t, after.Generations, 2)
	require.Equal(t, before.Generation, after.Generations[0].Name)
	require.GreaterOrEqual(t, after.Generations[0].Files, before.Generations[0].Files, "the old history is whole")
}

// A shop that is killed goes on shipping after its next start, and nothing that
// it acknowledged is missing from what is shipped. An idle shop ships its last
// order too.
func TestAKilledShopGoesOnShipping(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	sku := shop.ImportCards("killed", "1.00", kit.Keys("KILLED", 5000))
	var orders timed
	for range 3 {
		ctx, goHome := context.WithCancel(t.Context())
		var load sync.WaitGroup
		load.Go(func() { orders.crowd(ctx, shop.Client(), sku) })
		time.Sleep(700 * time.Millisecond) // load
		shop.Kill()
		goHome()
		load.Wait()
		shop.Start()
	}
	last, err := shop.Client().Place(t.Context(), buyer(1), one(sku))
	require.NoError(t, err)
	orders.order, orders.at = append(orders.order, last), append(orders.at, time.Now())
	status := shipped(t, shop)
	t.Logf("%d generations after 3 kills", len(status.Generations))
	shop.Kill()

	copied := kit.Empty(t, t.TempDir(), platform)
	r := copied.RunEnv(nil, "restore", "--from", shop.Data+".spool", "--to", copied.Data, "--key-file", shop.Data+".key")
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	copied.Start()
	n, _ := orders.lost(t, copied.Client(), time.Now())
	require.Zero(t, n, "of %d orders", len(orders.order))
}

// A spool without its key file gives nothing away, and says what is missing.
func TestASpoolNeedsItsKey(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	shop := kit.NewShop(t, kit.NewPlatform(t))
	keys := kit.Keys("SEALED", 20)
	shop.ImportCards("sealed", "1.00", keys)
	shipped(t, shop)
	hits, read := kit.NewScanner(append(keys, "INSERT INTO", "SQLite format 3", "sealed")...).Dir(t, shop.Data+".spool")
	require.Empty(t, hits)
	require.Positive(t, read)
	other := t.TempDir() + "/other"
	r := shop.RunEnv(nil, "restore", "--from", shop.Data+".spool", "--to", other)
	require.NotZero(t, r.Code)
	require.Contains(t, r.Err, "key file")
	require.NoDirExists(t, other)
}
