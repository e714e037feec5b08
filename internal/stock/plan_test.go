package stock

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
)

// TestClaimsFollowTheShelf has the server explain how it finds cards of a SKU
// that sold many: along the index of what is available. By id alone it would
// walk past every sold card.
func TestClaimsFollowTheShelf(t *testing.T) {
	d := dbtest.Postgres(t)
	merchant, product := id.New(), id.New()
	skus := []id.ID{id.New(), id.New()}
	require.NoError(t, d.Update(db.WithLong(t.Context()), func(tx *db.Tx) error { return fill(tx, merchant, product, skus) }))
	for name, plan := range map[string]func(tx *db.Tx) (string, error){
		"one order": func(tx *db.Tx) (string, error) {
			return explain(tx, claimCards(db.Postgres, 1), id.New(), skus[0], merchant, 1)
		},
		"a batch": func(tx *db.Tx) (string, error) {
			return explain(tx, pickCards, skus, []id.ID{merchant, merchant}, []int64{20, 20})
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
				text, err := plan(tx)
				require.NoError(t, err)
				_, below, found := strings.Cut(text, "LockRows")
				require.True(t, found, text)
				require.Contains(t, strings.Split(below, "\n")[1], "Index Scan using cards_available", text)
				return nil
			}))
		})
	}
}

// TestClaimsAreOrderedAsTheirIndexIs holds the texts to the order of the index
// of what is available. By id alone they ask for the same cards, and leave it to
// the planner's estimates whether it walks the primary key past every sold card:
// here it does not, on larger tables it did, at 28-65 claims a second (DESIGN.md,
// "Data").
func TestClaimsAreOrderedAsTheirIndexIs(t *testing.T) {
	for _, text := range []string{claimCardsPostgres, claimCardsSQLite, claimCardSQLite, pickCards} {
		require.Contains(t, text, "ORDER BY sku_id, id LIMIT")
	}
}

// fill gives each SKU 3,000 sold cards and 100 on the shelf.
func fill(tx *db.Tx, merchant, product id.ID, skus []id.ID) error {
	if _, err := tx.Exec(`INSERT INTO merchants (id, slug, name, currency, status, created_at, updated_at)
		VALUES ($1, 'm', 'm', 'CNY', 'open', 1, 1)`, merchant); err != nil {
		return err
	}
	if _, err := tx.Exec(`INSERT INTO products (id, merchant_id, slug, kind, title, status, created_at, updated_at)
		VALUES ($1, $2, 'p', 'card', 'p', 'on', 1, 1)`, product, merchant); err != nil {
		return err
	}
	for _, sku := range skus {
		if _, err := tx.Exec(`INSERT INTO skus (id, merchant_id, product_id, code, price, currency, status, created_at, updated_at)
			VALUES ($1, $2, $3, $4, 1, 'CNY', 'on', 1, 1)`, sku, merchant, product, sku.String()); err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO cards (id, merchant_id, sku_id, batch_id, status, order_id, content_sealed, content_index, created_at)
			SELECT decode(md5(n::TEXT || $1), 'hex'), $2, $3, $4, CASE WHEN n <= 3000 THEN 'sold' ELSE 'available' END,
				CASE WHEN n <= 3000 THEN $5::BYTEA END, '', decode(md5($6 || n::TEXT), 'hex'), 1
			FROM generate_series(1, 3100) AS n`, sku.String(), merchant, sku, sku, sku, sku.String()); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`ANALYZE cards`)
	return err
}

func explain(tx *db.Tx, query string, args ...any) (string, error) {
	lines, err := db.Collect(tx, func(rows db.Rows) (line string, err error) {
		err = rows.Scan(&line)
		return line, err
	}, `EXPLAIN `+query, args...)
	return strings.Join(lines, "\n"), err
}
