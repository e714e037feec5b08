package bulk_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
	"panshi/internal/bulk"
	"panshi/internal/check"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/delivery"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

func newVault(t *testing.T) *vault.Vault {
	t.Helper()
	v, err := vault.Create(vault.DefaultConfig(filepath.Join(t.TempDir(), "data")))
	require.NoError(t, err)
	return v
}

// TestFilledShopIsSound fills two merchants on each engine. Every invariant
// holds, and every state and every table that orders write is there.
func TestFilledShopIsSound(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		d, v := open(dbtest.Options{}), newVault(t)
		shop, err := bulk.Fill(t.Context(), d, v, bulk.Size{Orders: 1500, CardsPerSKU: 30})
		require.NoError(t, err)
		_, err = bulk.Fill(t.Context(), d, v, bulk.Size{Orders: 10, SKUs: 1, CardsPerSKU: 700, Slug: "second"})
		require.NoError(t, err)
		_, err = bulk.Fill(t.Context(), d, v, bulk.Size{Slug: "second"})
		require.ErrorIs(t, err, db.ErrUnique)

		report, err := check.Run(t.Context(), d, app.Invariants(), func(string, int, int) {})
		require.NoError(t, err)
		for _, r := range report.Results {
			require.Empty(t, r.Violations, r.Name)
		}
		require.Equal(t, []int64{8, 1500, 600, 1500}, counts(t, d, shop.MerchantID))
		require.Greater(t, shop.Rows, int64(15*1500*3/4))
	})
}

func counts(t *testing.T, d db.DB, merchant id.ID) []int64 {
	t.Helper()
	all := make([]int64, 4)
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
		return tx.Get([]any{&all[0], &all[1], &all[2], &all[3]}, `SELECT COUNT(DISTINCT status), COUNT(*),
			(SELECT COUNT(*) FROM cards WHERE status = 'available' AND merchant_id = $1),
			(SELECT COUNT(*) FROM order_numbers WHERE merchant_id = $2) FROM orders WHERE merchant_id = $3`,
			merchant, merchant, merchant)
	}))
	return all
}

// TestFilledShopIsReadable opens what was sealed, as the shop would.
func TestFilledShopIsReadable(t *testing.T) {
	d, v := dbtest.SQLite(t), newVault(t)
	_, err := bulk.Fill(t.Context(), d, v, bulk.Size{Orders: 200, CardsPerSKU: 3})
	require.NoError(t, err)
	opened := map[string]int{}
	unseal := func(what string, class vault.Class, query string, cell func(row id.ID, line, item int) vault.Cell) {
		require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
			rows, err := tx.Query(query)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var row id.ID
				var line, item int
				var sealed []byte
				require.NoError(t, rows.Scan(&row, &line, &item, &sealed))
				_, err := v.Unseal(class, cell(row, line, item), sealed)
				require.NoError(t, err)
				opened[what]++
			}
			return rows.Err()
		}))
	}
	unseal("cards", vault.Cards, `SELECT id, 0, 0, content_sealed FROM cards`,
		func(row id.ID, _, _ int) vault.Cell { return stock.CardCell(row) })
	unseal("contacts", vault.PII, `SELECT id, 0, 0, contact_sealed FROM orders`,
		func(row id.ID, _, _ int) vault.Cell { return order.ContactCell(row) })
	unseal("work", vault.Cards, `SELECT order_id, line_no, item_no, content_sealed FROM deliveries WHERE content_sealed IS NOT NULL`,
		delivery.ManualCell)
	unseal("texts", vault.Cards, `SELECT id, 0, 0, content_sealed FROM shared_contents`,
		func(row id.ID, _, _ int) vault.Cell { return stock.SharedCell(row) })
	require.Len(t, opened, 4)
	require.Equal(t, 200, opened["contacts"])
}

// BenchmarkFill writes 10,000 orders a round.
func BenchmarkFill(b *testing.B) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		b.Run(string(engine), func(b *testing.B) {
			v, err := vault.Create(vault.DefaultConfig(filepath.Join(b.TempDir(), "data")))
			require.NoError(b, err)
			for b.Loop() {
				var d db.DB = dbtest.SQLite(b)
				if engine == db.Postgres {
					d = dbtest.Postgres(b)
				}
				shop, err := bulk.Fill(b.Context(), d, v, bulk.Size{Orders: 10_000, CardsPerSKU: 100})
				require.NoError(b, err)
				b.ReportMetric(float64(shop.Rows), "rows/op")
			}
		})
	}
}
