package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// TestReadyAndHealth: who watches the process gets plain answers, and metrics
// stay on the staff's listener.
func TestReadyAndHealth(t *testing.T) {
	t.Parallel()
	shop := kit.NewShop(t, kit.NewPlatform(t))
	public, console := shop.Client(), shop.Client()
	console.Base = "http://" + shop.Console
	for path, wants := range map[string][2]int{
		"/healthz": {200, 200}, "/readyz": {200, 200}, "/metrics": {404, 200}, "/openapi.json": {200, 0},
	} {
		for i, c := range []*kit.Client{public, console} {
			if wants[i] == 0 {
				continue
			}
			status, _, body, err := c.Raw(t.Context(), "GET", path, nil, nil)
			require.NoError(t, err)
			require.Equal(t, wants[i], status, "%s %s", path, c.Base)
			require.NotEmpty(t, body)
		}
	}
	status, header, _, err := public.Raw(t.Context(), "GET", "/", nil, nil)
	require.NoError(t, err)
	require.Equal(t, 200, status)
	require.Contains(t, header.Get("Content-Security-Policy"), "script-src 'self'")
}

// TestStopIsClean: a shop that is asked to stop while it sells ends with 0, has
// lost nothing, leaves a clean database, and starts again at once.
func TestStopIsClean(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	client, book := shop.Client(), &kit.Book{}
	sku := client.DemoCard(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var sellers sync.WaitGroup
	for seller := range 8 {
		sellers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				_, _ = kit.Buy(ctx, client, platform, book, buyer(seller), one(sku)) // cut off by the stop
			}
		})
	}
	time.Sleep(700 * time.Millisecond)
	began := time.Now()
	require.Zero(t, shop.Stop(time.Minute), "exit code\n%s", shop.Log())
	require.Less(t, time.Since(began), 30*time.Second)
	cancel()
	sellers.Wait()
	shop.RequireClean() // alone: the command opens the directory itself
	shop.Start()
	require.NotEmpty(t, book.Paid())
	book.RequireKept(t, client, 0)
	book.RequireServed(t, client, time.Minute)
	book.RequireDistinct(t, client)
	shop.RequireClean()
}

// TestSecondServeRefused: a data directory has one server; the second is told
// so in one line, and the first sells on.
func TestSecondServeRefused(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	r := shop.Run("serve", "--http", "127.0.0.1:0", "--console", "127.0.0.1:0", "--set", "sandbox.url="+platform.URL)
	require.Equal(t, 1, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Out+r.Err, fmt.Sprint(shop.PID()), "it names the process that has it")
	require.NotContains(t, r.Out+r.Err, "panic")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client := shop.Client()
	_, err := kit.Buy(ctx, client, platform, &kit.Book{}, buyer(1), one(client.DemoCard(t)))
	require.NoError(t, err)
}

// TestCheckFindsPlantedDamage: `panshi check` must be able to fail. Each damage
// is of a kind that a defect has really done to a shop.
func TestCheckFindsPlantedDamage(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	client, book := shop.Client(), &kit.Book{}
	sku := client.DemoCard(t)
	for i := range 3 {
		paid(t, client, platform, book, buyer(i), one(sku))
	}
	book.RequireServed(t, client, 20*time.Second)
	shop.RequireClean()
	require.Zero(t, shop.Stop(time.Minute))
	for name, damage := range map[string]struct{ plant, undo, finds string }{
		"a sold card is free again": {
			`UPDATE cards SET status = 'available', order_id = NULL WHERE id = (SELECT id FROM cards WHERE status = 'sold' ORDER BY id LIMIT 1)`,
			`UPDATE cards SET status = 'sold', order_id = (SELECT d.order_id FROM deliveries d WHERE d.card_id = cards.id)
				WHERE status = 'available' AND id IN (SELECT card_id FROM deliveries)`,
			"stock.counters_equal_cards",
		},
		"a counter drifted": {
			`UPDATE stock SET sold = sold + 1 WHERE sku_id = (SELECT sku_id FROM stock WHERE sold > 0 ORDER BY sku_id LIMIT 1)`,
			`UPDATE stock SET sold = sold - 1 WHERE sku_id = (SELECT sku_id FROM stock WHERE sold > 0 ORDER BY sku_id LIMIT 1)`,
			"checkout.sold_equals_deliveries",
		},
		"a posting lost a fen": {
			`UPDATE ledger_postings SET amount = amount - 1 WHERE (entry_id, leg) = (SELECT entry_id, leg FROM ledger_postings ORDER BY entry_id, leg LIMIT 1)`,
			`UPDATE ledger_postings SET amount = amount + 1 WHERE (entry_id, leg) = (SELECT entry_id, leg FROM ledger_postings ORDER BY entry_id, leg LIMIT 1)`,
			"ledger.entries_sum_to_zero",
		},
		"a paid order was forgotten": {
			`UPDATE orders SET status = 'pending' WHERE id = (SELECT id FROM orders ORDER BY id LIMIT 1)`,
			`UPDATE orders SET status = 'delivered' WHERE id = (SELECT id FROM orders ORDER BY id LIMIT 1)`,
			"checkout.paid_is_served",
		},
	} {
		t.Run(name, func(t *testing.T) {
			execute(shop, damage.plant)
			r := shop.Run("check")
			require.Equal(t, 1, r.Code, "%s%s", r.Out, r.Err)
			require.Contains(t, r.Out+r.Err, damage.finds)
			execute(shop, damage.undo)
			r = shop.Run("check")
			require.Zero(t, r.Code, "undone: %s%s", r.Out, r.Err)
		})
	}
}

// execute changes one row of a stopped shop's database behind its back.
func execute(shop *kit.Shop, statement string) {
	shop.Change(func(tx *db.Tx) error {
		n, err := tx.Exec(statement)
		if err == nil && n != 1 {
			err = fmt.Errorf("%d rows by %s", n, strings.Fields(statement)[1])
		}
		return err
	})
}
