package shopapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
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
	"panshi/internal/web"
)

func mustID(text string) id.ID {
	v, err := id.Parse(text)
	if err != nil {
		panic(err)
	}
	return v
}

var (
	shopID     = mustID("0198f3a0-0000-7000-8000-0000000000a1")
	otherShop  = mustID("0198f3a0-0000-7000-8000-0000000000a2")
	productID  = mustID("0198f3a0-0000-7000-8000-000000000001")
	hiddenID   = mustID("0198f3a0-0000-7000-8000-000000000009")
	skuID      = mustID("0198f3a0-0000-7000-8000-000000000002")
	categoryID = mustID("0198f3a0-0000-7000-8000-000000000003")
	accountID  = mustID("0198f3a0-0000-7000-8000-000000000004")
	placedAt   = time.Date(2026, 5, 4, 3, 2, 1, 123_456_789, time.UTC)
)

const (
	orderNo   = "20260504M7KQ2Z8R4T6V0XWY"
	goodToken = "a-good-token"
	secretKey = "CARD-KEY-7788"
)

// fakes stands for everything below the API. The function fields are what a
// test wants to go differently.
type fakes struct {
	place func(checkout.PlaceRequest) (checkout.Placed, error)
	pay   func(checkout.PayRequest) (payment.Payment, error)
	list  func(catalog.ListQuery) (catalog.Page, error)
	nudge error
	view  checkout.View

	mu     sync.Mutex
	nudged []id.ID // guarded by mu
}

func (f *fakes) ByHost(_ context.Context, host string) (merchant.Merchant, error) {
	switch {
	case strings.HasPrefix(host, "other."):
		return merchant.Merchant{ID: otherShop}, nil
	case strings.HasPrefix(host, "nobody."):
		return merchant.Merchant{}, merchant.ErrNotFound
	}
	return merchant.Merchant{ID: shopID}, nil
}

func aProduct() catalog.Product {
	return catalog.Product{
		ID: productID, MerchantID: shopID, CategoryID: categoryID, Slug: "game-50", Kind: catalog.Card, On: true,
		Title: "游戏点卡", TitleEN: "Game card", Summary: "自动发货", Description: "说明", Image: "/media/game.svg",
		SKUs: []catalog.SKU{
			{ID: skuID, ProductID: productID, Code: "G50", Title: "五十", TitleEN: "Fifty", Price: money.Of(4900, money.CNY), On: true, Mode: stock.Cards, Available: 7},
			{ID: id.New(), ProductID: productID, Code: "OLD", Title: "旧", Price: money.Of(100, money.CNY), Available: 3},
		},
	}
}

func (f *fakes) List(_ context.Context, m id.ID, q catalog.ListQuery) (catalog.Page, error) {
	if f.list != nil {
		return f.list(q)
	}
	if m != shopID {
		return catalog.Page{}, nil
	}
	return catalog.Page{Items: []catalog.Product{aProduct()}, Next: "bmV4dA"}, nil
}

func (f *fakes) Product(_ context.Context, m, p id.ID) (catalog.Product, error) {
	found := aProduct()
	switch {
	case m != shopID:
		return catalog.Product{}, catalog.ErrProductNotFound
	case p == productID:
		return found, nil
	case p == hiddenID:
		found.On = false
		return found, nil
	}
	return catalog.Product{}, catalog.ErrProductNotFound
}

func (f *fakes) Categories(context.Context, id.ID) ([]catalog.Category, error) {
	return []catalog.Category{{ID: categoryID, Slug: "games", Title: "游戏", TitleEN: "Games", Products: 8}}, nil
}

func (f *fakes) Channels(context.Context, id.ID) ([]payment.Account, error) {
	return []payment.Account{{ID: accountID, Provider: "wechatpay", Method: "native", Name: "微信支付", NameEN: "WeChat Pay", On: true}}, nil
}

func (f *fakes) Place(_ context.Context, r checkout.PlaceRequest) (checkout.Placed, error) {
	if f.place != nil {
		return f.place(r)
	}
	return checkout.Placed{Order: anOrder(), AccessToken: goodToken}, nil
}

func anOrder() order.Order {
	return order.Order{
		ID: mustID("0198f3a0-0000-7000-8000-0000000000b1"), MerchantID: shopID, No: orderNo, Status: order.Pending,
		Total: money.Of(4900, money.CNY), ContactKind: order.Email, ContactSealed: []byte("sealed-contact"),
		ContactIndex: []byte("contact-index"), HoldReason: "internal-reason",
		CreatedAt: placedAt, ExpiresAt: placedAt.Add(15 * time.Minute),
	}
}

func (f *fakes) find(m id.ID, no, token string) (checkout.View, error) {
	if m != shopID || no != orderNo || token != goodToken {
		return checkout.View{}, order.ErrNotFound
	}
	return f.view, nil
}

func (f *fakes) Order(_ context.Context, m id.ID, no, token string) (checkout.View, error) {
	return f.find(m, no, token)
}

func (f *fakes) Cancel(_ context.Context, m id.ID, no, token string) (checkout.View, error) {
	v, err := f.find(m, no, token)
	if err == nil && v.Order.Status != order.Pending {
		return checkout.View{}, order.ErrMove
	}
	v.Order.Status = order.Closed
	v.Order.ClosedAt = placedAt.Add(time.Minute)
	return v, err
}

func (f *fakes) Reveal(_ context.Context, m id.ID, no, token string) ([]checkout.Revealed, error) {
	if _, err := f.find(m, no, token); err != nil {
		return nil, err
	}
	return []checkout.Revealed{
		{LineNo: 1, SKUID: skuID, Title: "Game card", Kind: "card", Content: secretKey},
		{LineNo: 2, SKUID: skuID, Title: "By hand", Kind: "manual", Content: "done"},
	}, nil
}

func (f *fakes) StartPayment(_ context.Context, r checkout.PayRequest) (payment.Payment, error) {
	if f.pay != nil {
		return f.pay(r)
	}
	if _, err := f.find(r.MerchantID, r.OrderNo, r.Token); err != nil {
		return payment.Payment{}, err
	}
	if r.Channel != accountID && !r.Channel.IsZero() { // as in checkout, zero is "the first"
		return payment.Payment{}, payment.ErrNoAccount
	}
	return aPayment(), nil
}

func (f *fakes) Credit(_ context.Context, m id.ID, p checkout.CreditProof, before id.ID, limit int) (checkout.CreditView, error) {
	if m != shopID || p != (checkout.CreditProof{Number: "CABCDEFGH12", Code: goodToken}) {
		return checkout.CreditView{}, account.ErrUnknown
	}
	v := checkout.CreditView{Credit: account.Credit{
		ID: accountID, Number: p.Number, Balance: money.Of(100, money.CNY), State: account.Open, ContactSealed: []byte("sealed-contact"),
	}}
	for i, kind := range []account.Kind{account.Spent, account.Granted} {
		moved := account.Movement{ID: mustID("0198f3a0-0000-7000-8000-0000000000c" + strconv.Itoa(2-i)), Kind: kind, Amount: money.Of(int64(i)*5000-4900, money.CNY), At: placedAt}
		if before.IsZero() || bytes.Compare(moved.ID[:], before[:]) < 0 {
			v.Movements = append(v.Movements, moved)
		}
	}
	v.Movements = v.Movements[:min(limit, len(v.Movements))]
	return v, nil
}

func aPayment() payment.Payment {
	return payment.Payment{
		AccountID: accountID, No: "P" + orderNo, Status: payment.Open, Amount: money.Of(4900, money.CNY),
		CodeURL: "weixin://wxpay/x", TransactionID: "tx-secret",
	}
}

func (f *fakes) Nudge(_ context.Context, _, orderID id.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nudged = append(f.nudged, orderID)
	return f.nudge
}

// openGate admits everything.
type openGate struct{}

func (openGate) Allow(web.LimitClass, string) (bool, time.Duration) { return true, 0 }
func (openGate) Enter(perm.Priority) (func(), bool)                 { return func() {}, true }

func newMux(t testing.TB, deps Deps) (*web.Mux, *web.API) {
	t.Helper()
	mux, err := web.NewMux(web.DefaultConfig(), openGate{}, openGate{}, web.Audience{Name: "test", Headers: web.APIHeaders()})
	require.NoError(t, err)
	described, err := New(mux, "test", deps)
	require.NoError(t, err)
	return mux, described
}

func (f *fakes) deps(log io.Writer) Deps {
	return Deps{Shops: f, Products: f, Channels: f, Orders: f, Payments: f, Credits: f, Ready: cache.None[*web.Ready](), Logger: slog.New(slog.NewJSONHandler(log, nil))}
}

// server is the whole stack over f; its logs go to log.
func server(t testing.TB, f *fakes, log io.Writer) http.Handler {
	t.Helper()
	if f.view.Order.No == "" {
		f.view = checkout.View{Order: anOrder()}
	}
	mux, _ := newMux(t, f.deps(log))
	return wrap(t, mux, log)
}

func wrap(t testing.TB, h http.Handler, log io.Writer) http.Handler {
	t.Helper()
	texts, err := i18n.Load()
	require.NoError(t, err)
	stack, err := web.NewStack(web.DefaultConfig(), texts, slog.New(slog.NewJSONHandler(log, nil)), clock.System{})
	require.NoError(t, err)
	return stack.Wrap(h)
}

// ask is one request; header values of "" remove a header.
type ask struct {
	method, target, body string
	header               map[string]string
}

func (q ask) do(h http.Handler) *httptest.ResponseRecorder {
	var body io.Reader
	if q.body != "" {
		body = strings.NewReader(q.body)
	}
	r := httptest.NewRequest(q.method, q.target, body)
	if q.method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "key-1")
	}
	r.Header.Set("Authorization", "Bearer "+goodToken)
	for name, value := range q.header {
		if value == "" {
			r.Header.Del(name)
		} else {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func decode[T any](t testing.TB, w *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v), w.Body.String())
	return v
}
