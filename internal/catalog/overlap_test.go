package catalog_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/merchant"
	"panshi/internal/money"
)

// atOnce runs calls side by side and fails the test if one fails.
func atOnce(t *testing.T, calls ...func() error) {
	t.Helper()
	failures := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(func() { failures[i] = call() })
	}
	wg.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
}

// TestChangesAtOnceLoseNothing: one person changes the title, another the
// price, on two nodes; and two make the same product.
func TestChangesAtOnceLoseNothing(t *testing.T) {
	d := dbtest.Open(t, dbtest.Options{})
	m, err := merchant.NewService(d, clock.System{}).Put(t.Context(), merchant.Merchant{Slug: "a", Name: "a", Currency: money.CNY, Open: true})
	require.NoError(t, err)
	put := func(nodes db.DB) func() error {
		return func() error {
			_, err := catalog.NewService(nodes).Put(t.Context(), product(m.ID, "new", 100))
			return err
		}
	}
	nodes := dbtest.Overlapping(d, 2)
	atOnce(t, put(nodes), put(nodes))

	change := func(nodes db.DB, edit func(*catalog.Product)) func() error {
		return func() error {
			_, err := catalog.NewService(nodes).Change(t.Context(), m.ID, "new", func(p *catalog.Product) error {
				edit(p)
				return nil
			})
			return err
		}
	}
	nodes = dbtest.Overlapping(d, 2)
	atOnce(t,
		change(nodes, func(p *catalog.Product) { p.Title = "改了" }),
		change(nodes, func(p *catalog.Product) { p.SKUs[0].Price.Minor = 777 }))
	p, err := catalog.NewService(d).BySlug(t.Context(), m.ID, "new")
	require.NoError(t, err)
	require.Equal(t, "改了", p.Title)
	require.EqualValues(t, 777, p.SKUs[0].Price.Minor)
}
