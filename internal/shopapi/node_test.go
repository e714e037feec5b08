package shopapi_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/cache"
	"panshi/internal/catalog"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/guard"
	"panshi/internal/i18n"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/shopapi"
	"panshi/internal/stock"
	"panshi/internal/storefront"
	"panshi/internal/web"
)

// counted counts the Views of a database, and can make them fail or wait.
type counted struct {
	cache.Database
	views atomic.Int64
	block atomic.Pointer[func() error]
}

func (c *counted) View(ctx context.Context, fn func(tx *db.Tx) error) error {
	c.views.Add(1)
	if block := c.block.Load(); block != nil {
		if err := (*block)(); err != nil {
			return err
		}
	}
	return c.Database.View(ctx, fn)
}

// node is the public side of one process: services, pages and API on a
// database, in the real stack.
type node struct {
	t        testing.TB
	db       *counted
	handler  http.Handler
	versions *cache.Versions
	ready    *cache.Cache[*web.Ready]
	guard    *guard.Guard
	catalog  *catalog.Service
	shops    *merchant.Service
}

// newNode builds one; it follows the versions if it is to keep anything.
func newNode(t testing.TB, d cache.Database, cfg cache.Config, log io.Writer) *node {
	t.Helper()
	n := &node{t: t, db: &counted{Database: d}}
	logger := slog.New(slog.NewJSONHandler(log, nil))
	n.shops, n.catalog = merchant.NewService(n.db, clock.System{}), catalog.NewService(n.db)
	n.versions = cache.NewVersions(n.db, clock.System{}, logger)
	var err error
	n.ready, err = cache.New[*web.Ready](cfg, n.versions, clock.System{}, logger)
	require.NoError(t, err)
	n.build(logger)
	if n.ready.Off() {
		return n
	}
	require.NoError(t, n.versions.Look(t.Context()))
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { n.versions.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	return n
}

func (n *node) build(logger *slog.Logger) {
	n.t.Helper()
	texts, err := i18n.Load()
	require.NoError(n.t, err)
	rates := guard.DefaultConfig()
	rates.Rates = map[web.LimitClass]guard.Rate{web.LimitRead: {PerSecond: 1e6, Burst: 1e6}}
	rates.MaxInFlight = 4096
	limits, err := guard.New(rates, clock.System{})
	require.NoError(n.t, err)
	channels := payment.NewAccounts(n.db, nil, nil)
	n.guard = limits
	pages, err := storefront.New(storefront.Deps{
		Merchants: n.shops, Catalog: n.catalog, Channels: channels, Ready: n.ready, Texts: texts, Clock: clock.System{},
		Zone: time.UTC, Logger: logger, PublicURL: "http://127.0.0.1",
	})
	require.NoError(n.t, err)
	cfg := web.DefaultConfig()
	mux, err := web.NewMux(cfg, limits, limits, pages.Audience())
	require.NoError(n.t, err)
	require.NoError(n.t, mux.Add(pages.Audience(), pages.Routes()...))
	_, err = shopapi.New(mux, "test", shopapi.Deps{
		Shops: n.shops, Products: n.catalog, Channels: channels, Ready: n.ready, Logger: logger,
	})
	require.NoError(n.t, err)
	stack, err := web.NewStack(cfg, texts, logger, clock.System{})
	require.NoError(n.t, err)
	n.handler = stack.Wrap(mux)
}

// answer is what was answered, without what differs between requests.
type answer struct {
	status int
	kind   string
	body   string
}

func (n *node) ask(host, target, lang string) answer {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Host = host
	r.Header.Set("Accept-Language", lang)
	w := httptest.NewRecorder()
	n.handler.ServeHTTP(w, r)
	return answer{w.Code, w.Header().Get("Content-Type"), w.Body.String()}
}

// shelf is a filled shop: products of each kind in two categories.
type shelf struct {
	merchant   merchant.Merchant
	categories []catalog.Category
	products   []catalog.Product
}

func fill(t testing.TB, d db.DB, slug string, products int) *shelf {
	t.Helper()
	s := &shelf{}
	var err error
	s.merchant, err = merchant.NewService(d, clock.System{}).Put(t.Context(), merchant.Merchant{
		Slug: slug, Name: "店 " + slug, NameEN: "Shop " + slug, Currency: money.CNY, Open: true,
	})
	require.NoError(t, err)
	c := catalog.NewService(d)
	for i := range 2 {
		put, err := c.PutCategory(t.Context(), catalog.Category{
			MerchantID: s.merchant.ID, Slug: fmt.Sprint("shelf-", i), Title: fmt.Sprint("架 ", i), TitleEN: fmt.Sprint("Shelf ", i), Position: i,
		})
		require.NoError(t, err)
		s.categories = append(s.categories, put)
	}
	for i := range products {
		p, err := c.Put(t.Context(), s.draft(i))
		require.NoError(t, err)
		s.products = append(s.products, p)
		if i%2 == 1 {
			setCount(t, d, s.merchant.ID, p.SKUs[0].ID, 3)
		}
	}
	return s
}

// draft is the i-th product: card keys, and counted work with two SKUs.
func (s *shelf) draft(i int) catalog.Product {
	p := catalog.Product{
		MerchantID: s.merchant.ID, CategoryID: s.categories[i%2].ID, Slug: fmt.Sprint("good-", i), Kind: catalog.Card,
		Title: fmt.Sprint("商品 ", i, " <b>"), TitleEN: fmt.Sprint("Good ", i), Summary: "自动发货，二十四小时可买", Description: "第一段。\n\n第二段。",
		On: true, Position: i, SKUs: []catalog.SKU{{Code: fmt.Sprint(s.merchant.Slug, "-", i), Price: money.Of(int64(100+i), money.CNY), On: true}},
	}
	if i%2 == 1 {
		p.Kind = catalog.Manual
		p.SKUs[0].Mode = stock.Counted
		p.SKUs = append(p.SKUs, catalog.SKU{Code: fmt.Sprint(s.merchant.Slug, "-", i, "b"), Title: "大", Price: money.Of(900, money.CNY), On: true, Position: 1, Mode: stock.Counted})
	}
	return p
}

func setCount(t testing.TB, d db.DB, shop, sku id.ID, n int64) {
	t.Helper()
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		return stock.SetCountTx(tx, shop, sku, stock.Counted, n)
	}))
}

// addresses are all that is kept ready of a shop, and some that are not.
func (s *shelf) addresses() []string {
	all := []string{
		"/", "/api/v1/products", "/api/v1/products?limit=3", "/api/v1/products?category=shelf-1&limit=50", "/api/v1/products?category=none",
		"/api/v1/categories", "/c/shelf-0", "/c/shelf-1", "/c/none", "/api/v1/products?q=1", "/p/none", "/search?q=1",
		"/api/v1/products/0198f3a0-0000-7000-8000-00000000ffff", "/api/v1/products?limit=0", "/api/v1/products?limit=7&limit=8",
	}
	for _, p := range s.products {
		all = append(all, "/p/"+p.Slug, "/api/v1/products/"+p.ID.String())
	}
	return all
}
