package paynotify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/cache"
	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/i18n"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/shopapi"
	"panshi/internal/stock"
	"panshi/internal/vault"
	"panshi/internal/web"
	"panshi/internal/wechatpay"
)

// offline is the real client of WeChat Pay, but for the calls that would need
// the platform to be there.
type offline struct{ *wechatpay.Account }

func (offline) Create(context.Context, payment.Request) (payment.Instruction, error) {
	return payment.Instruction{Kind: "qr", CodeURL: "weixin://wxpay/bizpayurl?pr=1"}, nil
}
func (offline) Close(context.Context, string) error { return nil }

// shop is a real shop in memory and on disk: database, vault, checkout, both
// edges; only the platform is played by the test.
type shop struct {
	t       *testing.T
	handler http.Handler
	log     *lockedBuffer
	account payment.Account
	sku     id.ID
	product id.ID
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const price = 1999

func newShop(t *testing.T, cards ...string) *shop {
	t.Helper()
	d, dir, ctx := dbtest.Open(t, dbtest.Options{}), t.TempDir(), context.Background()
	v, err := vault.Create(vault.Config{KeyFile: filepath.Join(dir, "shop.key"), Dir: filepath.Join(dir, "keys")})
	require.NoError(t, err)
	s := &shop{t: t, log: &lockedBuffer{}}
	logger := slog.New(slog.NewJSONHandler(s.log, nil))
	accounts := payment.NewAccounts(d, v, map[string]payment.Factory{
		"wechatpay": func([]byte) (payment.Provider, error) { return offline{wechat(t)}, nil },
	})
	merchants := merchant.NewService(d, clock.System{})
	m, err := merchants.Put(ctx, merchant.Merchant{Slug: "one", Name: "One", Currency: money.CNY, Open: true})
	require.NoError(t, err)
	s.account, err = accounts.Put(ctx, payment.Account{
		MerchantID: m.ID, Provider: "wechatpay", Method: "native", ExternalRef: mchID, AppRef: appID, Name: "微信支付", On: true,
	}, []byte(`{}`))
	require.NoError(t, err)
	s.stock(d, v, m.ID, cards)

	service := checkout.New(d, v, accounts, checkout.Defaults(), clock.System{}, logger)
	gate := openGate{}
	mux, err := web.NewMux(web.DefaultConfig(), gate, gate, web.Audience{Name: "test", Headers: web.APIHeaders()})
	require.NoError(t, err)
	_, err = shopapi.New(mux, "test", shopapi.Deps{
		Ready: cache.None[*web.Ready](),
		Shops: merchants, Products: catalog.NewService(d), Channels: accounts, Orders: service, Payments: service, Logger: logger,
	})
	require.NoError(t, err)
	require.NoError(t, Add(mux, accounts, service, logger))
	texts, err := i18n.Load()
	require.NoError(t, err)
	stack, err := web.NewStack(web.DefaultConfig(), texts, slog.New(slog.DiscardHandler), clock.System{})
	require.NoError(t, err)
	s.handler = stack.Wrap(mux)
	return s
}

// stock puts a product on the shelf, with card keys.
func (s *shop) stock(d db.DB, v *vault.Vault, m id.ID, cards []string) {
	s.t.Helper()
	require.NoError(s.t, d.Update(context.Background(), func(tx *db.Tx) error {
		shelf, err := catalog.PutCategoryTx(tx, catalog.Category{MerchantID: m, Slug: "games", Title: "游戏"})
		if err != nil {
			return err
		}
		p, err := catalog.PutTx(tx, catalog.Product{
			MerchantID: m, CategoryID: shelf.ID, Slug: "key", Kind: catalog.Card, Title: "点卡", TitleEN: "Card", On: true,
			SKUs: []catalog.SKU{{Code: "KEY", Price: money.Of(price, money.CNY), On: true}},
		})
		if err != nil {
			return err
		}
		s.product, s.sku = p.ID, p.SKUs[0].ID
		sealed := make([]stock.SealedCard, len(cards))
		for i, text := range cards {
			card := id.New()
			content, err := v.Seal(vault.Cards, stock.CardCell(card), []byte(text))
			if err != nil {
				return err
			}
			sealed[i] = stock.SealedCard{ID: card, Content: content, Index: v.Fingerprint(vault.Cards, m, "cards", []byte(text))}
		}
		_, err = stock.AddCardsTx(tx, m, s.sku, id.New(), sealed)
		return err
	}))
}

// call sends a buyer's request and reads the answer.
func (s *shop) call(method, path, body, key, token string) (status int, answer map[string]any) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", key)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		s.t.Errorf("%s %s: %s", method, path, w.Body)
	}
	return w.Code, answer
}

func (s *shop) orderBody(n int) string {
	return fmt.Sprintf(`{"lines":[{"sku_id":%q,"quantity":%d}],"contact":{"email":"buyer@example.com"}}`, s.sku, n)
}

// buy places an order and starts its payment.
func (s *shop) buy(key string, quantity int) (orderNo, token, paymentNo string) {
	s.t.Helper()
	status, placed := s.call("POST", "/api/v1/orders", s.orderBody(quantity), key, "")
	require.Equal(s.t, 201, status, placed)
	orderNo, token = placed["order_no"].(string), placed["access_token"].(string)
	status, p := s.call("POST", "/api/v1/orders/"+orderNo+"/payments", `{"channel":"wechatpay_native"}`, key, token)
	require.Equal(s.t, 201, status, p)
	require.Equal(s.t, map[string]any{"kind": "qr", "code_url": "weixin://wxpay/bizpayurl?pr=1"}, p["instruction"])
	return orderNo, token, p["payment_no"].(string)
}

func (s *shop) notify(body string) int {
	header := signed(s.t, keys().platform, now, body)
	return send(s.handler, "/notify/wechatpay/"+s.account.ID.String(), body, header).Code
}

func (s *shop) status(orderNo, token string) any {
	s.t.Helper()
	code, o := s.call("GET", "/api/v1/orders/"+orderNo, "", "", token)
	require.Equal(s.t, 200, code, o)
	return o["status"]
}

// TestFromProductToKey is the main job through both edges: each callback comes
// three times at once, and the buyer has one key.
func TestFromProductToKey(t *testing.T) {
	t.Parallel()
	s := newShop(t, "KEY-AAAA-0001", "KEY-AAAA-0002", "KEY-AAAA-0003")
	code, list := s.call("GET", "/api/v1/products?limit=1", "", "", "")
	require.Equal(t, 200, code)
	require.InDelta(t, 3, list["items"].([]any)[0].(map[string]any)["available"], 0)

	orderNo, token, paymentNo := s.buy("first", 2)
	require.Equal(t, "pending", s.status(orderNo, token))
	code, refused := s.call("POST", "/api/v1/orders/"+orderNo+"/deliveries/reveal", "", "", token)
	require.Equal(t, []any{409, "not_delivered"}, []any{code, refused["code"]})

	body := paidBodyOf(t, paymentNo, "T1", mchID, 2*price)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if code := s.notify(body); code != http.StatusOK {
				t.Errorf("callback: %d", code)
			}
		})
	}
	group.Wait()
	require.Equal(t, "delivered", s.status(orderNo, token))
	code, shown := s.call("POST", "/api/v1/orders/"+orderNo+"/deliveries/reveal", "", "", token)
	require.Equal(t, 200, code)
	items := shown["deliveries"].([]any)
	require.Len(t, items, 2)
	require.NotEqual(t, items[0].(map[string]any)["content"], items[1].(map[string]any)["content"])

	code, o := s.call("GET", "/api/v1/orders/"+orderNo, "", "", token)
	require.Equal(t, 200, code)
	require.InDelta(t, 2, o["lines"].([]any)[0].(map[string]any)["delivered"], 0)
	require.Len(t, o["payments"], 1)
	require.NotContains(t, fmt.Sprint(o), "KEY-AAAA")
	require.NotContains(t, fmt.Sprint(o), "example.com")
	for _, secret := range []string{"KEY-AAAA", "buyer@example.com", token} {
		require.NotContains(t, s.log.String(), secret)
	}
}

// TestSameKeySameOrder: a repeat is the same order and token, another meaning
// under the same key is refused, and sold out is a clear answer.
func TestSameKeySameOrder(t *testing.T) {
	t.Parallel()
	s := newShop(t, "KEY-BBBB-0001")
	status, first := s.call("POST", "/api/v1/orders", s.orderBody(1), "k", "")
	require.Equal(t, 201, status)
	status, again := s.call("POST", "/api/v1/orders", " "+s.orderBody(1), "k", "")
	require.Equal(t, 201, status)
	require.Equal(t, first, again)
	status, other := s.call("POST", "/api/v1/orders", s.orderBody(2), "k", "")
	require.Equal(t, []any{409, "idempotency_conflict"}, []any{status, other["code"]})
	for range 2 { // the second is answered by a reader
		status, none := s.call("POST", "/api/v1/orders", s.orderBody(1), "k2", "")
		require.Equal(t, []any{409, "sold_out"}, []any{status, none["code"]})
	}
	no, token := first["order_no"].(string), first["access_token"].(string)
	status, wrong := s.call("GET", "/api/v1/orders/"+no, "", "", token+"x")
	require.Equal(t, []any{404, "order_not_found"}, []any{status, wrong["code"]})
	status, cancelled := s.call("POST", "/api/v1/orders/"+no+"/cancel", "", "", token)
	require.Equal(t, []any{200, "closed"}, []any{status, cancelled["status"]})
	status, late := s.call("POST", "/api/v1/orders/"+no+"/payments", `{"channel":"wechatpay_native"}`, "p", token)
	require.Equal(t, []any{409, "order_not_payable"}, []any{status, late["code"]})
}

// TestSignedButWrong: what the platform truly signed but does not fit is held;
// nothing is delivered.
func TestSignedButWrong(t *testing.T) {
	t.Parallel()
	s := newShop(t, "KEY-CCCC-0001", "KEY-CCCC-0002", "KEY-CCCC-0003", "KEY-CCCC-0004")
	for name, body := range map[string]func(paymentNo string) string{
		"less":     func(no string) string { return paidBodyOf(t, no, "T-less", mchID, price-1) },
		"more":     func(no string) string { return paidBodyOf(t, no, "T-more", mchID, price+1) },
		"merchant": func(no string) string { return paidBodyOf(t, no, "T-merchant", "1900000110", price) },
	} {
		orderNo, token, paymentNo := s.buy(name, 1)
		require.Equal(t, http.StatusOK, s.notify(body(paymentNo)), name)
		require.Equal(t, "held", s.status(orderNo, token), name)
		code, _ := s.call("POST", "/api/v1/orders/"+orderNo+"/deliveries/reveal", "", "", token)
		require.Equal(t, http.StatusConflict, code, name)
	}
	require.Equal(t, http.StatusOK, s.notify(paidBodyOf(t, "P0", "T-stray", mchID, price)), "money for nothing we know is held too")
	require.NotContains(t, s.log.String(), "KEY-CCCC")
}

// TestCatalogRefusesForeignCursors: the edge leaves cursors to the catalogue.
func TestCatalogRefusesForeignCursors(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for _, cursor := range []string{"zz", "MTA6", "OjA", "%21", "MTpub3QtYW4taWQ"} {
		status, p := s.call("GET", "/api/v1/products?cursor="+cursor, "", "", "")
		require.Equal(t, []any{422, "invalid_cursor"}, []any{status, p["code"]}, cursor)
		require.Equal(t, "cursor", p["errors"].([]any)[0].(map[string]any)["field"])
	}
	status, p := s.call("GET", "/api/v1/products/"+s.product.String(), "", "", "")
	require.Equal(t, []any{200, "card"}, []any{status, p["kind"]})
}
