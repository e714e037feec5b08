package merchant_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/db/dbtest"
	"panshi/internal/merchant"
	"panshi/internal/money"
)

// TestFirstMerchantsAtOnce: two nodes make the first merchants of a database
// at once, the same one and others; each is there once, and one is the default.
func TestFirstMerchantsAtOnce(t *testing.T) {
	for _, slugs := range [][2]string{{"one", "two"}, {"same", "same"}} {
		d := dbtest.Open(t, dbtest.Options{})
		nodes := dbtest.Overlapping(d, 2)
		failures := make([]error, 2)
		var wg sync.WaitGroup
		for i, slug := range slugs {
			wg.Go(func() {
				_, failures[i] = merchant.NewService(nodes, clock.System{}).Put(t.Context(),
					merchant.Merchant{Slug: slug, Name: slug, Currency: money.CNY, Open: true})
			})
		}
		wg.Wait()
		require.NoError(t, failures[0])
		require.NoError(t, failures[1])
		all, err := merchant.NewService(d, clock.System{}).All(t.Context())
		require.NoError(t, err)
		require.True(t, all[0].IsDefault)
		if slugs[0] == slugs[1] {
			require.Len(t, all, 1)
			continue
		}
		require.Len(t, all, 2)
		require.False(t, all[1].IsDefault)
	}
}
