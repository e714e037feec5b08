package catalog_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/money"
)

func fixture(t *testing.T) (*catalog.Service, id.ID) {
	t.Helper()
	return fixtureOn(t, dbtest.Open(t, dbtest.Options{}))
}

func fixtureOn(t *testing.T, d db.DB) (*catalog.Service, id.ID) {
	t.Helper()
	m, err := merchant.NewService(d, clock.System{}).Put(t.Context(), merchant.Merchant{Slug: "a", Name: "a", Currency: money.CNY, Open: true})
	require.NoError(t, err)
	return catalog.NewService(d), m.ID
}

func product(merchantID id.ID, slug string, prices ...int64) catalog.Product {
	p := catalog.Product{MerchantID: merchantID, Slug: slug, Kind: catalog.Card, Title: "商品 " + slug, TitleEN: "Good " + slug, On: true}
	for i, price := range prices {
		p.SKUs = append(p.SKUs, catalog.SKU{Code: fmt.Sprintf("%s-%d", slug, i), Price: money.Of(price, money.CNY), On: true, Position: i})
	}
	return p
}

func TestListPagesThroughEverythingOnce(t *testing.T) {
	s, shop := fixture(t)
	category, err := s.PutCategory(t.Context(), catalog.Category{MerchantID: shop, Slug: "games", Title: "游戏"})
	require.NoError(t, err)
	for i := range 25 {
		p := product(shop, fmt.Sprintf("p%02d", i), 100, 50)
		p.Position = i / 10
		if i%2 == 0 {
			p.CategoryID = category.ID
		}
		_, err := s.Put(t.Context(), p)
		require.NoError(t, err)
	}
	for name, c := range map[string]struct {
		query catalog.ListQuery
		want  int
	}{
		"all":      {catalog.ListQuery{Limit: 4}, 25},
		"category": {catalog.ListQuery{Limit: 4, Category: "games"}, 13},
		"search":   {catalog.ListQuery{Limit: 4, Text: "GOOD P1"}, 10},
		"chinese":  {catalog.ListQuery{Limit: 4, Text: "商品 p2"}, 5},
		"wildcard": {catalog.ListQuery{Limit: 4, Text: "%"}, 0},
		"nothing":  {catalog.ListQuery{Limit: 4, Category: "none"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[id.ID]bool{}
			q := c.query
			for {
				page, err := s.List(t.Context(), shop, q)
				require.NoError(t, err)
				for _, p := range page.Items {
					require.False(t, seen[p.ID])
					seen[p.ID] = true
					require.Len(t, p.SKUs, 2)
					require.Equal(t, int64(50), p.PriceFrom().Minor)
				}
				if page.Next == "" {
					break
				}
				q.Cursor = page.Next
			}
			require.Len(t, seen, c.want)
		})
	}
	_, err = s.List(t.Context(), shop, catalog.ListQuery{Limit: 4, Cursor: "bogus"})
	require.Equal(t, "invalid_cursor", errs.CodeOf(err))
	_, err = s.List(t.Context(), shop, catalog.ListQuery{Limit: 101})
	require.Equal(t, "out_of_range", errs.CodeOf(err))
}

func TestPutRefusals(t *testing.T) {
	s, shop := fixture(t)
	_, stranger := fixture(t)
	theirs, err := s.PutCategory(t.Context(), catalog.Category{MerchantID: shop, Slug: "theirs", Title: "x"})
	require.NoError(t, err)
	theirs.ID = stranger // an id that is not one of ours
	_, err = s.Put(t.Context(), product(shop, "first", 100))
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change      func(*catalog.Product)
		code, field string
	}{
		"kind changes":     {func(p *catalog.Product) { p.Kind = catalog.Text }, "kind_fixed", "kind"},
		"free":             {func(p *catalog.Product) { p.SKUs[0].Price.Minor = 0 }, "out_of_range", "skus[0].price"},
		"bad slug":         {func(p *catalog.Product) { p.Slug = "a b" }, "invalid_slug", "slug"},
		"no title":         {func(p *catalog.Product) { p.Title = " " }, "required", "title"},
		"NUL":              {func(p *catalog.Product) { p.Summary = "a\x00b" }, "invalid_utf8", "summary"},
		"foreign code":     {func(p *catalog.Product) { p.Slug = "second" }, "sku_code_taken", "skus[0].code"},
		"foreign currency": {func(p *catalog.Product) { p.SKUs[0].Price.Currency = "USD" }, "sku_currency", "skus[0].price"},
		"foreign category": {func(p *catalog.Product) { p.CategoryID = theirs.ID }, "category_not_found", "category_id"},
		"too many SKUs":    {func(p *catalog.Product) { p.SKUs = make([]catalog.SKU, 201) }, "too_many_skus", "skus"},
		"foreign picture":  {func(p *catalog.Product) { p.Image = "https://elsewhere.example/x.png" }, "invalid_image", "image"},
		"other host":       {func(p *catalog.Product) { p.Image = "//elsewhere.example/x.png" }, "invalid_image", "image"},
		"negative limit":   {func(p *catalog.Product) { p.PerOrderLimit = -1 }, "out_of_range", "per_order_limit"},
	} {
		t.Run(name, func(t *testing.T) {
			p := product(shop, "first", 100)
			c.change(&p)
			_, err := s.Put(t.Context(), p)
			var e *errs.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.code, e.Code)
			require.Equal(t, c.field, e.Field)
		})
	}
}

func TestMerchantsDoNotSeeEachOther(t *testing.T) {
	s, shop := fixture(t)
	p, err := s.Put(t.Context(), product(shop, "mine", 100))
	require.NoError(t, err)
	_, err = s.Product(t.Context(), id.New(), p.ID)
	require.ErrorIs(t, err, catalog.ErrProductNotFound)
	page, err := s.List(t.Context(), id.New(), catalog.ListQuery{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Items)
}
