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

// ofArchive tells whether a point is passed by moving old rows to the archive,
// which only time brings about.
func ofArchive(point string) bool { return strings.HasSuffix(point, ".archive.copied") }

// crashArchive crashes the move of orders that were bought long ago: each is in
// one place afterwards, and found and shown as before.
func crashArchive(t *testing.T, point string) {
	w := &world{platform: kit.NewPlatform(t), book: &kit.Book{}}
	w.shop = kit.NewShop(t, w.platform)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w.client = w.shop.Client()
	w.sku = w.client.DemoCard(t)
	require.NoError(t, buy().run(ctx, w))
	w.book.RequireServed(t, w.client, time.Minute)
	require.Zero(t, w.shop.Stop(30*time.Second))
	bought := len(w.book.Entries())
	require.Equal(t, bought, age(t, w.shop, 300*24*time.Hour))

	require.NoError(t, w.shop.Launch("PANSHI_FAULT="+point))
	select {
	case <-w.shop.Done():
	case <-ctx.Done():
		t.Fatalf("the archive's sweep never passed %s", point)
	}
	require.True(t, w.shop.Killed())
	require.Contains(t, w.shop.Log(), "fault: killed at "+point)
	w.shop.Start()
	requirePromises(ctx, t, w)
	if dbtest.Engine() == db.Postgres { // the dead process has the sweep's lease for some seconds
		require.Eventually(t, func() bool {
			_, archived := counts(t, w.shop)
			return archived == bought
		}, 30*time.Second, 100*time.Millisecond)
	}
	require.Zero(t, w.shop.Stop(30*time.Second))
	live, archived := counts(t, w.shop)
	require.Equal(t, bought, archived, "the walk went on after the crash")
	require.Equal(t, len(w.book.Entries())-bought, live)
}

// age makes all that a stopped shop has older, and its delivered orders
// complete. It tells how many those are.
func age(t *testing.T, shop *kit.Shop, by time.Duration) (orders int) {
	t.Helper()
	ms := strconv.FormatInt(by.Milliseconds(), 10)
	shop.Change(func(tx *db.Tx) error {
		for _, statement := range []string{
			`UPDATE payments SET next_query_at = NULL`,
			`UPDATE ledger_entries SET created_at = created_at - ` + ms,
			`UPDATE audit_records SET at = at - ` + ms,
			`UPDATE orders SET status = 'completed', due_at = NULL, created_at = created_at - ` + ms + `, paid_at = paid_at - ` +
				ms + `, delivered_at = delivered_at - ` + ms + ` WHERE status = 'delivered'`,
		} {
			n, err := tx.Exec(statement)
			if err != nil {
				return err
			}
			orders = int(n)
		}
		return nil
	})
	return orders
}

// counts tells how many orders of a stopped shop are live and archived.
func counts(t *testing.T, shop *kit.Shop) (live, archived int) {
	t.Helper()
	shop.Change(func(tx *db.Tx) error {
		return tx.Get([]any{&live, &archived}, `SELECT (SELECT COUNT(*) FROM orders), (SELECT COUNT(*) FROM archived_orders)`)
	})
	return live, archived
}
