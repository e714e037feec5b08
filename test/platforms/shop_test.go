package platforms_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/alipay"
	"panshi/internal/catalog"
	"panshi/internal/check"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/ledger"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/payment/routing"
	"panshi/internal/vault"
	"panshi/internal/wechatpay"
)

// front stands between a client and the sandbox and breaks what comes back.
type front struct {
	fault atomic.Value // string, one of faultNames; "" for none
	url   string
}

// faultNames: "late" lets the platform do its work and loses the answer.
func faultNames() []string { return []string{"late", "reset", "5xx", "garbage", "half"} }

func newFront(t *testing.T, to string) *front {
	f := &front{}
	f.fault.Store("")
	target, err := url.Parse(to)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch f.fault.Load() {
		case "reset":
			f.cut(w, "")
		case "half":
			f.cut(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"code_url\":\"weixin")
		case "5xx":
			http.Error(w, "<html>502 Bad Gateway</html>", http.StatusBadGateway)
		case "garbage":
			_, _ = io.WriteString(w, "\x00\x01 not what was promised")
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// cut sends bytes as they are and resets the connection.
func (*front) cut(w http.ResponseWriter, raw string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, raw)
	if tcp, ok := conn.(*net.TCPConn); ok && raw == "" {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// RoundTrip makes an answer that comes too late without the wait.
func (f *front) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if f.fault.Load() == "late" && err == nil {
		_ = resp.Body.Close()
		return nil, context.DeadlineExceeded
	}
	return resp, err
}

// way is a way to pay.
type way struct{ provider, method string }

func ways() []way {
	return []way{
		{"wechatpay", wechatpay.Native}, {"wechatpay", wechatpay.H5}, {"wechatpay", wechatpay.JSAPI},
		{"alipay", alipay.Precreate}, {"alipay", alipay.Wap}, {"alipay", alipay.Page},
	}
}

func (w way) String() string { return w.provider + " " + w.method }

// asks tells whether a platform hears of a payment before its buyer comes.
func (w way) asks() bool { return w.method != alipay.Wap && w.method != alipay.Page }

// till is a shop on a real database with two accounts of one channel at the
// sandbox; the first one's answers pass something that breaks them.
type till struct {
	*rig
	way
	fault  *atomic.Value // string, what the first account's answers suffer from
	broken *http.Client  // by which the first account's platform is asked
	db     db.DB
	vault  *vault.Vault
	accts  *payment.Accounts
	shop   merchant.Merchant
	sku    catalog.SKU
	router *routing.Router
	svc    *checkout.Service
	made   int
	first  payment.Account
	next   payment.Account
}

// newTill is a shop at a sandbox that others use too.
func newTill(t *testing.T, r *rig, w way) *till {
	f := newFront(t, r.url)
	own := *r
	own.t = t
	return openTill(&own, w, f.url, &http.Client{Transport: f}, &f.fault)
}

// openTill is a shop whose first account's platform is asked at an address of
// its own by a client of its own.
func openTill(r *rig, w way, frontURL string, broken *http.Client, fault *atomic.Value) *till {
	t := r.t
	s := &till{rig: r, way: w, broken: broken, fault: fault, db: dbtest.SQLite(t)}
	var err error
	s.vault, err = vault.Create(vault.DefaultConfig(filepath.Join(t.TempDir(), "shop")))
	require.NoError(t, err)
	s.shop, err = merchant.NewService(s.db, clock.System{}).Put(t.Context(), merchant.Merchant{Slug: "s", Name: "s", Currency: money.CNY, Open: true})
	require.NoError(t, err)
	s.accts = payment.NewAccounts(s.db, s.vault, map[string]payment.Factory{"wechatpay": s.wechat, "alipay": s.alipay})
	s.first, s.next = s.enroll("first", frontURL, 0), s.enroll("next", s.url, 1)
	catalogue := catalog.NewService(s.db)
	p, err := catalogue.Put(t.Context(), catalog.Product{
		MerchantID: s.shop.ID, Slug: "p", Kind: catalog.Manual, Title: "p", On: true,
		SKUs: []catalog.SKU{{Code: "p", Price: yuan(100), On: true}},
	})
	require.NoError(t, err)
	s.sku = p.SKUs[0]
	_, err = catalogue.SetCount(t.Context(), s.shop.ID, "p", true, 100)
	require.NoError(t, err)
	s.restart()
	return s
}

// clientOf gives the client for a platform's address.
func (s *till) clientOf(base string) *http.Client {
	if strings.HasPrefix(base, s.url) {
		return &http.Client{Transport: s.client.Transport}
	}
	return s.broken
}

func (s *till) wechat(config []byte) (payment.Provider, error) {
	var cfg wechatpay.Config
	if err := json.Unmarshal(config, &cfg); err != nil {
		return nil, err
	}
	return wechatpay.New(cfg, s.clientOf(cfg.BaseURL), clock.System{})
}

func (s *till) alipay(config []byte) (payment.Provider, error) {
	var cfg alipay.Config
	if err := json.Unmarshal(config, &cfg); err != nil {
		return nil, err
	}
	return alipay.New(cfg, s.clientOf(cfg.BaseURL), clock.System{})
}

// enroll makes a merchant at the sandbox and an account of it in the shop.
func (s *till) enroll(name, base string, position int) payment.Account {
	var c identity
	s.post("/simulate/merchants", `{"name":"first"}`)
	require.NoError(s.t, json.Unmarshal(s.post("/simulate/merchants", `{"name":"`+name+`","app_of":"first"}`), &c)) // of one openid
	a := c.Alipay
	acc := payment.Account{
		MerchantID: s.shop.ID, Provider: s.provider, Method: s.method, ExternalRef: c.MchID, AppRef: c.AppID, Name: name,
		On: true, Position: position,
	}
	var cfg any = wechatpay.Config{
		BaseURL: base, MchID: c.MchID, AppID: c.AppID, MerchantSerial: c.Serial, MerchantKeyPEM: c.Key, APIv3Key: c.APIKey,
		PlatformKeys: map[string]string{c.KeyID: c.Public},
	}
	if s.provider == "alipay" {
		acc.ExternalRef, acc.AppRef = a.SellerID, a.AppID
		cfg = alipay.Config{
			BaseURL: base + strings.TrimPrefix(a.Gateway, s.url), AppID: a.AppID, SellerID: a.SellerID, AppKeyPEM: a.AppKey, PublicKey: a.Public,
		}
	}
	config, err := json.Marshal(cfg)
	require.NoError(s.t, err)
	acc, err = s.accts.Put(s.t.Context(), acc, config)
	require.NoError(s.t, err)
	return acc
}

// restart is a process that remembers nothing of the accounts' health.
func (s *till) restart() {
	log := slog.New(slog.DiscardHandler)
	cfg := checkout.Defaults()
	cfg.PublicURL, cfg.UnpaidLimit = s.notify, 0
	s.router = routing.New(s.accts, clock.System{}, log)
	s.svc = checkout.New(s.db, s.vault, s.router, cfg, clock.System{}, log)
}

func (s *till) order() checkout.Placed {
	s.made++
	contact, err := order.ParseContact("b@example.com", "")
	require.NoError(s.t, err)
	key := string(rune('a' + s.made))
	placed, err := s.svc.Place(s.t.Context(), checkout.PlaceRequest{
		MerchantID: s.shop.ID, Key: key, BodyDigest: []byte(key), Contact: contact, Lang: "zh-CN",
		Lines: []checkout.PlaceLine{{SKUID: s.sku.ID, Quantity: 1}},
	})
	require.NoError(s.t, err)
	return placed
}

func (s *till) start(o checkout.Placed) (payment.Payment, error) {
	return s.svc.StartPayment(s.t.Context(), checkout.PayRequest{
		MerchantID: s.shop.ID, OrderNo: o.Order.No, Token: o.AccessToken, Key: "k", ClientIP: "127.0.0.1", PayerID: "o-buyer",
	})
}

// approach does what the buyer of a payment does before paying, pay all of it.
func (s *till) approach(p payment.Payment) {
	s.t.Helper()
	in, there := p.Instruction()
	require.True(s.t, there)
	s.follow(in, "¥1.00")
}

func (s *till) pay(p payment.Payment) {
	s.t.Helper()
	s.approach(p)
	s.post("/simulate/pay", `{"out_trade_no":"`+p.No+`"}`)
}

func (s *till) want(o checkout.Placed, status order.Status) {
	s.t.Helper()
	v, err := s.svc.Order(s.t.Context(), s.shop.ID, o.Order.No, o.AccessToken)
	require.NoError(s.t, err)
	require.Equal(s.t, status, v.Order.Status)
}

// sweep runs a sweep for all that waits, however long it would wait.
func (s *till) sweep(name, due string) {
	s.t.Helper()
	require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(due)
		return err
	}))
	for _, sw := range s.svc.Sweeps() {
		if sw.Name == name {
			_, _ = sw.Run(s.t.Context()) // it fails with the platform; the orders tell what came of it
		}
	}
}

func (s *till) ask() {
	s.sweep("payments.query", `UPDATE payments SET next_query_at = 1 WHERE next_query_at IS NOT NULL`)
}

func (s *till) giveBack() {
	s.sweep("refunds.push", `UPDATE refunds SET next_try_at = 1 WHERE next_try_at IS NOT NULL`)
}

// reads is what a buyer reads of an error.
func (s *till) reads(err error) string {
	s.t.Helper()
	texts, loadErr := i18n.Load()
	require.NoError(s.t, loadErr)
	var told *errs.Error
	require.ErrorAs(s.t, err, &told)
	return texts.Text(i18n.English, "error."+told.Code, told.Params)
}

func (s *till) sound() {
	s.t.Helper()
	all := append(checkout.Invariants(), payment.Invariants()...)
	all = append(append(all, order.Invariants()...), ledger.Invariants()...)
	report, err := check.Run(s.t.Context(), s.db, all, func(string, int, int) {})
	require.NoError(s.t, err)
	for _, r := range report.Results {
		require.Empty(s.t, r.Violations, r.Name)
	}
}
