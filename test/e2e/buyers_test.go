package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// TestGuest: who has an order's number and token sees it again at any time, as
// often as they like; who has less sees nothing.
func TestGuest(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	client, book := shop.Client(), &kit.Book{}
	sku := client.DemoCard(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	mine, err := kit.Buy(ctx, client, platform, book, kit.Contact{Phone: "13800138000"}, kit.Line{SKU: sku, Quantity: 3})
	require.NoError(t, err)
	theirs, err := kit.Buy(ctx, client, platform, book, buyer(1), one(sku))
	require.NoError(t, err)

	first, err := client.Reveal(ctx, mine.Placed)
	require.NoError(t, err)
	require.Len(t, first, 3)
	again, err := client.Reveal(ctx, mine.Placed)
	require.NoError(t, err)
	require.Equal(t, first, again)
	book.RequireDistinct(t, client)

	wrong := mine.Placed
	for _, token := range []string{theirs.Token, strings.ToUpper(mine.Token) + "x", "x"} {
		wrong.Token = token
		requireHidden(t, client, wrong)
	}
	requireHidden(t, client, kit.Placed{No: theirs.No + "0", Token: theirs.Token})
	wrong.Token = ""
	_, err = client.Order(ctx, wrong)
	require.Contains(t, []int{401, 404}, kit.StatusOf(err))
	status, _, body, err := client.Raw(ctx, "GET", "/api/v1/orders/"+mine.No+"/deliveries/reveal", map[string]string{"Authorization": "Bearer " + mine.Token}, nil)
	require.NoError(t, err)
	require.Equal(t, 405, status, "keys are shown by POST only")
	require.NotContains(t, string(body), first[0])
}

// requireHidden: an order is as if it did not exist.
func requireHidden(t *testing.T, c *kit.Client, p kit.Placed) {
	t.Helper()
	_, err := c.Order(t.Context(), p)
	require.Equal(t, "order_not_found", kit.CodeOf(err))
	_, err = c.Reveal(t.Context(), p)
	require.Equal(t, "order_not_found", kit.CodeOf(err))
	require.Equal(t, "order_not_found", kit.CodeOf(c.Cancel(t.Context(), p)))
	_, err = c.StartPayment(t.Context(), p)
	require.Equal(t, "order_not_found", kit.CodeOf(err))
}

// TestSameKeySameOrder: a program that lost the answer asks again with the same
// key and gets the same order and token; another request under the key is a
// conflict.
func TestSameKeySameOrder(t *testing.T) {
	t.Parallel()
	shop := kit.NewShop(t, kit.NewPlatform(t))
	client, key := shop.Client(), kit.NewKey()
	sku := client.DemoCard(t)
	first, err := client.PlaceAs(t.Context(), key, buyer(1), one(sku))
	require.NoError(t, err)
	answers := make([]kit.Placed, 8)
	kit.Each(answers, len(answers), func(i int, _ kit.Placed) {
		answers[i], _ = client.PlaceAs(t.Context(), key, buyer(1), one(sku))
	})
	for _, again := range answers {
		require.Equal(t, first, again)
	}
	_, err = client.PlaceAs(t.Context(), key, buyer(1), kit.Line{SKU: sku, Quantity: 2})
	require.Equal(t, "idempotency_conflict", kit.CodeOf(err))
	require.Equal(t, 409, kit.StatusOf(err))
	shop.Kill()
	shop.Start()
	again, err := client.PlaceAs(t.Context(), key, buyer(1), one(sku))
	require.NoError(t, err)
	require.Equal(t, first, again, "after a crash too")
	shop.RequireClean()
}

// TestTwoMerchants: one process, two shops; neither sees anything of the
// other's, whatever ids and tokens a visitor brings.
func TestTwoMerchants(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	mine, theirs := shop.Client(), shop.Client()
	theirs.Host = "qingfeng.localhost"
	ids := map[string]bool{}
	for _, p := range mine.Products(t) {
		ids[p.ID] = true
	}
	others := theirs.Products(t)
	require.NotEmpty(t, others)
	for _, p := range others {
		require.False(t, ids[p.ID], "%s is on both shelves", p.Title)
		_, _, body, err := mine.Raw(t.Context(), "GET", "/api/v1/products/"+p.ID, nil, nil)
		require.NoError(t, err)
		require.Contains(t, string(body), "product_not_found")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	e, err := kit.Buy(ctx, mine, platform, &kit.Book{}, buyer(1), one(mine.DemoCard(t)))
	require.NoError(t, err)
	requireHidden(t, theirs, e.Placed)

	sku := theirs.Product(t, others[0].ID).SKUs[0].ID
	_, err = mine.Place(ctx, buyer(2), one(sku))
	require.Equal(t, "sku_not_found", kit.CodeOf(err))
	for _, p := range others {
		if p.Kind == "card" && p.Available > 0 {
			book := &kit.Book{}
			_, err := kit.Buy(ctx, theirs, platform, book, buyer(3), one(theirs.Product(t, p.ID).SKUs[0].ID))
			require.NoError(t, err)
			book.RequireDistinct(t, theirs)
			break
		}
	}
	shop.RequireClean()
}
