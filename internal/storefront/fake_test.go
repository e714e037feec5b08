package storefront_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/account"
	"panshi/internal/cache"
	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/i18n"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/perm"
	"panshi/internal/stock"
	"panshi/internal/storefront"
	"panshi/internal/web"
)

const (
	orderNo = "202611220123456789ABCDEF"
	token   = "tok-en_0123456789012345678901234567890123456"
	secret  = "KEY-7F3A-99QX-ZZ01"
)

// world is a shop with fake services; each field may be replaced by a test.
type world struct {
	merchant    merchant.Merchant
	products    []catalog.Product
	categories  []catalog.Category
	view        checkout.View
	channels    []payment.Account
	byHost      func() error
	list        func(q catalog.ListQuery) (catalog.Page, error)
	place       func(r checkout.PlaceRequest) (checkout.Placed, error)
	start       func(r checkout.PayRequest) (payment.Payment, error)
	cancelOrder func() error
	revealGoods func() ([]checkout.Revealed, error)
	looked      func() // called at every look at the order
	nudges      int
	placed      []checkout.PlaceRequest
	started     []checkout.PayRequest
	lists       []catalog.ListQuery
	now         *clock.Manual
	logs        bytes.Buffer
	shop        *storefront.Shop
	handler     http.Handler
}

func (w *world) ByHost(context.Context, string) (merchant.Merchant, error) {
	if w.byHost != nil {
		return merchant.Merchant{}, w.byHost()
	}
	return w.merchant, nil
}

func (w *world) List(_ context.Context, _ id.ID, q catalog.ListQuery) (catalog.Page, error) {
	w.lists = append(w.lists, q)
	if w.list != nil {
		return w.list(q)
	}
	return catalog.Page{Items: w.products}, nil
}

func (w *world) BySlug(_ context.Context, _ id.ID, slug string) (catalog.Product, error) {
	for _, p := range w.products {
		if p.Slug == slug {
			return p, nil
		}
	}
	return catalog.Product{}, catalog.ErrProductNotFound
}

func (w *world) Categories(context.Context, id.ID) ([]catalog.Category, error) {
	return w.categories, nil
}

func (w *world) Place(_ context.Context, r checkout.PlaceRequest) (checkout.Placed, error) {
	w.placed = append(w.placed, r)
	if w.place != nil {
		return w.place(r)
	}
	return checkout.Placed{Order: w.view.Order, AccessToken: token}, nil
}

func (w *world) Order(_ context.Context, _ id.ID, no, tok string) (checkout.View, error) {
	if w.looked != nil {
		w.looked()
	}
	if no != orderNo || tok != token {
		return checkout.View{}, order.ErrNotFound
	}
	return w.view, nil
}

func (w *world) Cancel(context.Context, id.ID, string, string) (checkout.View, error) {
	if w.cancelOrder != nil {
		return checkout.View{}, w.cancelOrder()
	}
	return w.view, nil
}

func (w *world) Reveal(context.Context, id.ID, string, string) ([]checkout.Revealed, error) {
	if w.revealGoods != nil {
		return w.revealGoods()
	}
	return []checkout.Revealed{
		{LineNo: 1, Title: "月卡 · 30 天", Kind: "card", Content: secret},
		{LineNo: 1, Title: "月卡 · 30 天", Kind: "card", Content: secret + "-2"},
		{LineNo: 2, Title: "使用说明", Kind: "text", Content: "第一步\n第二步 <b>&"},
	}, nil
}

func (w *world) StartPayment(_ context.Context, r checkout.PayRequest) (payment.Payment, error) {
	w.started = append(w.started, r)
	if w.start != nil {
		return w.start(r)
	}
	return payment.Payment{
		Status: payment.Open, Amount: w.view.Order.Total, CodeURL: "weixin://wxpay/bizpayurl?pr=Ab3dE5gH7k",
	}, nil
}

func (w *world) Nudge(context.Context, id.ID, id.ID) error {
	w.nudges++
	return nil
}

func (w *world) Channels(context.Context, id.ID) ([]payment.Account, error) { return w.channels, nil }

// Credit knows one account.
func (w *world) Credit(_ context.Context, _ id.ID, p checkout.CreditProof, _ id.ID, _ int) (checkout.CreditView, error) {
	if p != (checkout.CreditProof{Number: "C7K2M9QX4RT", Code: token}) {
		return checkout.CreditView{}, account.ErrUnknown
	}
	return checkout.CreditView{
		Credit: account.Credit{Number: p.Number, Balance: money.Of(1234, money.CNY), State: account.Frozen},
		Movements: []account.Movement{
			{Kind: account.Returned, Amount: money.Of(1998, money.CNY), OrderNo: orderNo, At: startOfDay()},
			{Kind: account.Spent, Amount: money.Of(-1998, money.CNY), OrderNo: orderNo, At: startOfDay()},
			{Kind: account.TakenBack, Amount: money.Of(-100, money.CNY), At: startOfDay()},
			{Kind: account.Granted, Amount: money.Of(1334, money.CNY), At: startOfDay()},
		},
	}, nil
}

// free lets everything pass.
type free struct{}

func (free) Allow(web.LimitClass, string) (bool, time.Duration) { return true, 0 }
func (free) Enter(perm.Priority) (func(), bool)                 { return func() {}, true }

func startOfDay() time.Time { return time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC) }

func newWorld(t testing.TB, change ...func(*storefront.Deps)) *world {
	t.Helper()
	w := &world{now: clock.NewManual(startOfDay())}
	w.merchant = merchant.Merchant{
		ID: id.New(), Slug: "demo", Name: "岩下数码", NameEN: "Underrock Digital", Tagline: "付款即发，随时可查", Open: true,
		TaglineEN: "Delivered the moment you pay", Notice: "本店为演示。", NoticeEN: "This is a demo shop.", Currency: money.CNY,
	}
	w.categories, w.products = shelves()
	w.view = pendingView(w.products[0])
	w.channels = []payment.Account{{ID: id.New(), Provider: "wechatpay", Method: "native", Name: "微信支付", NameEN: "WeChat Pay", On: true}}
	texts, err := i18n.Load()
	require.NoError(t, err)
	logger := slog.New(slog.NewJSONHandler(&w.logs, nil))
	d := storefront.Deps{
		Merchants: w, Catalog: w, Ordering: w, Orders: w, Payments: w, Channels: w, Credits: w, Ready: cache.None[*web.Ready](), Texts: texts, Clock: w.now,
		Zone: time.FixedZone("UTC+8", 8*3600), Logger: logger, PublicURL: "http://127.0.0.1:8080",
	}
	for _, c := range change {
		c(&d)
	}
	shop, err := storefront.New(d)
	require.NoError(t, err)
	w.shop = shop
	mux, err := web.NewMux(web.DefaultConfig(), free{}, free{}, shop.Audience())
	require.NoError(t, err)
	require.NoError(t, mux.Add(shop.Audience(), shop.Routes()...))
	stack, err := web.NewStack(web.DefaultConfig(), texts, logger, w.now)
	require.NoError(t, err)
	w.handler = stack.Wrap(mux)
	return w
}

func shelves() ([]catalog.Category, []catalog.Product) {
	games := catalog.Category{ID: id.New(), Slug: "games", Title: "游戏点卡", TitleEN: "Game cards", Products: 3}
	tools := catalog.Category{ID: id.New(), Slug: "tools", Title: "软件授权", TitleEN: "Software", Products: 2}
	product := func(slug, title, titleEN string, kind catalog.Kind, c catalog.Category, available int64, prices ...int64) catalog.Product {
		p := catalog.Product{
			ID: id.New(), CategoryID: c.ID, Slug: slug, Kind: kind, Title: title, TitleEN: titleEN, On: true,
			Summary: "自动发货，二十四小时可买", SummaryEN: "Delivered by itself, day and night",
			Description: "第一段说明。\n\n第二段说明。", DescriptionEN: "The first paragraph.\n\nThe second.",
		}
		for i, price := range prices {
			sku := catalog.SKU{ID: id.New(), Price: money.Of(price, money.CNY), On: true, Mode: stock.Cards, Available: available}
			if len(prices) > 1 {
				sku.Title, sku.TitleEN = []string{"30 天", "90 天", "365 天"}[i], []string{"30 days", "90 days", "365 days"}[i]
			}
			p.SKUs = append(p.SKUs, sku)
		}
		return p
	}
	return []catalog.Category{games, tools}, []catalog.Product{
		product("monthly", "星野漫游 会员月卡", "Starfield Roam monthly pass", catalog.Card, games, 200, 1999, 4999, 16800),
		product("coins", "云海点券 1000", "Cloudsea coins 1000", catalog.Card, games, 6, 990),
		product("gone", "限定皮肤兑换码", "Limited skin code", catalog.Card, games, 0, 6600),
		product("editor", "墨痕编辑器 永久授权", "Inkmark editor licence", catalog.Card, tools, 50, 12800),
		product("service", "远程安装服务", "Remote set-up", catalog.Manual, tools, 30, 5000),
	}
}

func pendingView(p catalog.Product) checkout.View {
	at := startOfDay()
	return checkout.View{
		Order: order.Order{
			ID: id.New(), No: orderNo, Status: order.Pending, Total: money.Of(3998, money.CNY),
			CreatedAt: at, ExpiresAt: at.Add(15 * time.Minute),
		},
		Lines: []checkout.LineView{{Line: order.Line{
			No: 1, ProductID: p.ID, SKUID: p.SKUs[0].ID, Kind: "card", Title: "月卡 · 30 天", Quantity: 2,
			UnitPrice: money.Of(1999, money.CNY), Amount: money.Of(3998, money.CNY),
		}}},
	}
}

// deliver makes the world's order a delivered one.
func (w *world) deliver() {
	w.view.Order.Status = order.Delivered
	w.view.Order.PaidAt = startOfDay().Add(time.Minute)
	w.view.Order.DeliveredAt = startOfDay().Add(time.Minute)
	w.view.Lines[0].Delivered = 2
}

// visitor asks with the order's cookie, in a language.
type visitor struct {
	lang   string
	cookie bool
}

func (w *world) do(v visitor, method, target string, form url.Values) *httptest.ResponseRecorder {
	var r *http.Request
	if form != nil {
		r = httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r = httptest.NewRequest(method, target, nil)
	}
	return w.ask(v, r)
}

func (w *world) ask(v visitor, r *http.Request) *httptest.ResponseRecorder {
	if v.lang != "" {
		r.Header.Set("Accept-Language", v.lang)
	}
	if v.cookie {
		r.AddCookie(&http.Cookie{Name: "order_" + orderNo, Value: token})
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

func (w *world) get(target string) *httptest.ResponseRecorder {
	return w.do(visitor{cookie: true}, http.MethodGet, target, nil)
}

func (w *world) post(target string, form url.Values) *httptest.ResponseRecorder {
	if form == nil {
		form = url.Values{}
	}
	return w.do(visitor{cookie: true}, http.MethodPost, target, form)
}
