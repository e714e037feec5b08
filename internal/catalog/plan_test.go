package catalog_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
)

// planned is a db.Conn that asks for the plan of each query before it runs it
// in the transaction that it stands on.
type planned struct {
	tx    *db.Tx
	plans []string
}

// Exec implements db.Conn.
func (p *planned) Exec(_ context.Context, query string, args []any) (int64, error) {
	return p.tx.Exec(query, args...)
}

// Query implements db.Conn.
func (p *planned) Query(_ context.Context, query string, args []any) (db.Rows, error) {
	steps, err := db.Collect(p.tx, func(rows db.Rows) (step string, err error) {
		var node, parent, unused int64
		err = rows.Scan(&node, &parent, &unused, &step)
		return step, err
	}, `EXPLAIN QUERY PLAN `+query, args...)
	if err != nil {
		return nil, err
	}
	p.plans = append(p.plans, query+"\n"+strings.Join(steps, "\n"))
	return p.tx.Query(query, args...)
}

// TestNoPageTouchesACard holds the statements behind lists and pages to the
// kept counters: what they cost is the same for ten cards and for a million.
func TestNoPageTouchesACard(t *testing.T) {
	d := dbtest.SQLite(t)
	s, shop := fixtureOn(t, d)
	p, err := s.Put(t.Context(), product(shop, "p", 100, 50))
	require.NoError(t, err)
	spy := &planned{}
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
		spy.tx = tx
		watched := db.NewTx(t.Context(), spy, tx.Engine(), tx.Now())
		return readAll(watched, shop, p)
	}))
	require.Greater(t, len(spy.plans), 8)
	for _, plan := range spy.plans {
		require.NotContains(t, strings.ToLower(plan), "card", plan)
	}
	joined := strings.Join(spy.plans, "\n")
	require.Contains(t, joined, "SEARCH s USING PRIMARY KEY", "the counter of a SKU is found by its key")
	require.NotContains(t, joined, "SCAN s\n")
}

func readAll(tx *db.Tx, shop id.ID, p catalog.Product) error {
	for _, q := range []catalog.ListQuery{{Limit: 20}, {Limit: 20, Category: "games"}, {Limit: 20, Text: "p"}} {
		if _, err := catalog.ListTx(tx, shop, q); err != nil {
			return err
		}
	}
	if _, err := catalog.CategoriesTx(tx, shop); err != nil {
		return err
	}
	if _, err := catalog.ByIDTx(tx, shop, p.ID); err != nil {
		return err
	}
	_, err := catalog.BySlugTx(tx, shop, p.Slug)
	return err
}
