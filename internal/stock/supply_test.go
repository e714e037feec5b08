package stock_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/stock"
)

// TestSoldOutAndRestockRaiseTheVersionThemselves runs nothing that follows
// versions: what a transaction raises, it raises itself.
func TestSoldOutAndRestockRaiseTheVersionThemselves(t *testing.T) {
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		d := open(dbtest.Options{})
		m, err := merchant.NewService(d, clock.System{}).Put(t.Context(), merchant.Merchant{Slug: "a", Name: "a", Currency: money.CNY, Open: true})
		require.NoError(t, err)
		p, err := catalog.NewService(d).Put(t.Context(), catalog.Product{
			MerchantID: m.ID, Slug: "p", Kind: catalog.Manual, Title: "p", On: true,
			SKUs: []catalog.SKU{{Code: "p", Price: money.Of(1, money.CNY), On: true, Mode: stock.Counted}},
		})
		require.NoError(t, err)
		claim := func(n int) []stock.Claim {
			return []stock.Claim{{SKUID: p.SKUs[0].ID, Mode: stock.Counted, Quantity: n}}
		}
		order, card := id.New(), stock.SealedCard{ID: id.New(), Content: []byte("c"), Index: []byte("i")}
		undone := errors.New("undone")
		for _, step := range []struct {
			name   string
			raises bool
			do     func(tx *db.Tx) error
		}{
			{"staff's count", true, func(tx *db.Tx) error { return stock.SetCountTx(tx, m.ID, p.SKUs[0].ID, stock.Counted, 3) }},
			{"one less", false, func(tx *db.Tx) error { return stock.HoldTx(tx, m.ID, order, claim(1)) }},
			{"undone", false, func(tx *db.Tx) error { return errors.Join(stock.HoldTx(tx, m.ID, order, claim(2)), undone) }},
			{"the last", true, func(tx *db.Tx) error { return stock.HoldTx(tx, m.ID, order, claim(2)) }},
			{"too many", false, func(tx *db.Tx) error { return stock.HoldTx(tx, m.ID, order, claim(1)) }},
			{"back from none", true, func(tx *db.Tx) error { return stock.ReleaseTx(tx, m.ID, order, claim(2)) }},
			{"one more", false, func(tx *db.Tx) error { return stock.ReleaseTx(tx, m.ID, order, claim(1)) }},
			{"no cards there", false, func(tx *db.Tx) error {
				_, err := stock.AddCardsTx(tx, m.ID, p.SKUs[0].ID, id.New(), []stock.SealedCard{card})
				return err
			}},
		} {
			before := version(t, d, m.ID)
			err := d.Update(t.Context(), step.do)
			require.Equal(t, step.name == "undone", errors.Is(err, undone), "%s: %v", step.name, err)
			require.Equal(t, step.raises, version(t, d, m.ID) > before, step.name)
		}
	})
}

func version(t *testing.T, d db.DB, shop id.ID) (n int64) {
	t.Helper()
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
		return tx.Get([]any{&n}, `SELECT CAST(SUM(version) AS BIGINT) FROM catalog_versions WHERE merchant_id = $1`, shop)
	}))
	return n
}
