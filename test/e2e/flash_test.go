package e2e

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// TestFlashSale: 1,000 buyers at 64 connections for 200 keys, and a platform
// that tells of each payment three times at once. 200 buyers get a key of their
// own, 800 read "sold out", and the books agree.
func TestFlashSale(t *testing.T) {
	const buyers, stock = 1000, 200
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	stocked := kit.Keys("FLASH", stock)
	sku := shop.ImportCards("flash-sale", "9.90", stocked)
	platform.Faults(t, `{"callbacks":{"repeat":3,"parallel":true}}`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	client, book := shop.Client(), &kit.Book{}
	var delivered, soldOut atomic.Int64
	others := make(chan error, buyers)
	began := time.Now()
	kit.Each(make([]struct{}, buyers), 64, func(i int, _ struct{}) {
		_, err := kit.Buy(ctx, client, platform, book, buyer(i), one(sku))
		switch {
		case err == nil:
			delivered.Add(1)
		case kit.CodeOf(err) == "sold_out" && kit.StatusOf(err) == 409:
			soldOut.Add(1)
		default:
			others <- fmt.Errorf("buyer %d: %w", i, err)
		}
	})
	t.Logf("%d buyers in %v", buyers, time.Since(began).Round(time.Millisecond))
	close(others)
	for err := range others {
		t.Error(err)
	}
	require.EqualValues(t, stock, delivered.Load(), "orders delivered")
	require.EqualValues(t, buyers-stock, soldOut.Load(), "answers sold_out")
	require.Len(t, book.Entries(), stock)
	require.ElementsMatch(t, stocked, book.RequireDistinct(t, client), "each key went to one buyer")
	shop.RequireClean()
}
