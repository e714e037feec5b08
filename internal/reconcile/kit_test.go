package reconcile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/alipay"
	"panshi/internal/catalog"
	"panshi/internal/check"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
	"panshi/internal/invariant"
	"panshi/internal/ledger"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/payment/routing"
	"panshi/internal/vault"
	"panshi/internal/wechatpay"
	"panshi/sandbox"
)

// shop sells through the real simulator; one clock drives both.
type shop struct {
	t        *testing.T
	provider string
	db       db.DB
	recorder *dbtest.Recorder // stands before the database for reconciling only
	clock    *clock.Manual
	url      string
	client   *http.Client
	checkout *checkout.Service
	svc      *Service
	accounts *payment.Accounts
	merchant merchant.Merchant
	account  payment.Account
	sku      catalog.SKU
	bend     func(*draft)                            // spoils the next bills
	instead  func(payment.Provider) payment.Provider // whose bills come for whom
	sold     int
	method   string // of accounts to come; "" is what the platform's first is
}

// draft is a bill with its lines, which a test may spoil.
type draft struct {
	payment.Bill
	lines []payment.BillLine
}

// bent is the real account, whose bills the test may spoil.
type bent struct {
	payment.Provider
	s *shop
}

func (b bent) Bill(ctx context.Context, date time.Time) (payment.Bill, error) {
	from := b.Provider
	if b.s.instead != nil {
		from = b.s.instead(from)
	}
	bill, err := from.(payment.Biller).Bill(ctx, date)
	if err != nil || b.s.bend == nil {
		return bill, err
	}
	d := draft{Bill: bill}
	for l, err := range linesOf(bill) {
		if err != nil {
			return bill, err
		}
		d.lines = append(d.lines, l)
	}
	b.s.bend(&d)
	d.Count = int64(len(d.lines))
	d.Digest = fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, d.lines)))
	d.Lines = func(yield func(payment.BillLine, error) bool) {
		for _, l := range d.lines {
			if !yield(l, nil) {
				return
			}
		}
	}
	return d.Bill, nil
}

// platforms are what each test of a bill runs against.
func platforms() []string { return []string{"wechatpay", "alipay"} }

// onBoth runs a test against each platform.
func onBoth(t *testing.T, test func(t *testing.T, s *shop)) {
	t.Helper()
	t.Parallel()
	for _, provider := range platforms() {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			test(t, newShop(t, provider))
		})
	}
}

func newShop(t *testing.T, provider string) *shop {
	t.Helper()
	// Noon of the platform's day: ids are of the machine's clock, at most half
	// a day away.
	now := time.Now().In(Zone())
	s := &shop{t: t, provider: provider, clock: clock.NewManual(time.Date(now.Year(), now.Month(), now.Day(), 12, 0, 0, 0, Zone()))}
	s.db = dbtest.Open(t, dbtest.Options{Clock: s.clock})
	box, err := sandbox.New(sandbox.Config{StateFile: filepath.Join(t.TempDir(), "state"), Now: s.clock.Now})
	require.NoError(t, err)
	server := httptest.NewServer(box.Handler())
	t.Cleanup(func() { server.Close(); require.NoError(t, box.Close()) })
	s.url, s.client = server.URL, server.Client()
	v, err := vault.Create(vault.DefaultConfig(filepath.Join(t.TempDir(), "shop")))
	require.NoError(t, err)
	s.accounts = payment.NewAccounts(s.db, v, s.factories())
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	cfg := checkout.Defaults()
	cfg.UnpaidLimit, cfg.PublicURL = 0, "http://127.0.0.1"
	router := routing.New(s.accounts, s.clock, log)
	s.recorder = dbtest.Record(s.db)
	s.checkout = checkout.New(s.db, v, router, cfg, s.clock, log)
	s.svc = New(s.recorder, v, router, Door{
		Settle: func(ctx context.Context, a payment.Account, r payment.Report) error {
			_, err := s.checkout.Settle(ctx, a, r, "query")
			return err
		}, SettleRefund: s.checkout.SettleRefund, UnderLimit: checkout.UnderLimitTx,
	}, s.clock, log)
	s.merchant, s.sku = s.open("test")
	s.account = s.enlist(s.merchant.ID, "test")
	return s
}

// factories make the real clients of both platforms.
func (s *shop) factories() map[string]payment.Factory {
	return map[string]payment.Factory{
		"wechatpay": func(raw []byte) (payment.Provider, error) {
			var cfg wechatpay.Config
			if err := json.Unmarshal(raw, &cfg); err != nil {
				return nil, err
			}
			a, err := wechatpay.New(cfg, s.client, s.clock)
			return bent{a, s}, err
		},
		"alipay": func(raw []byte) (payment.Provider, error) {
			var cfg alipay.Config
			if err := json.Unmarshal(raw, &cfg); err != nil {
				return nil, err
			}
			a, err := alipay.New(cfg, s.client, s.clock)
			return bent{a, s}, err
		},
	}
}

// open makes a merchant with a product.
func (s *shop) open(slug string) (merchant.Merchant, catalog.SKU) {
	s.t.Helper()
	m, err := merchant.NewService(s.db, s.clock).Put(s.t.Context(), merchant.Merchant{Slug: slug, Name: "测试", Currency: money.CNY, Open: true})
	require.NoError(s.t, err)
	p, err := catalog.NewService(s.db).Put(s.t.Context(), catalog.Product{
		MerchantID: m.ID, Slug: "work", Kind: catalog.Manual, Title: "work", On: true,
		SKUs: []catalog.SKU{{Code: "work", Price: money.Of(1000, money.CNY), On: true}},
	})
	require.NoError(s.t, err)
	return m, p.SKUs[0]
}

// enlist gives a merchant of the shop an account at the simulator, where it has
// a name.
func (s *shop) enlist(merchantID id.ID, name string) payment.Account {
	s.t.Helper()
	var c struct {
		MchID  string `json:"mchid"`
		AppID  string `json:"app_id"`
		Serial string `json:"merchant_serial"`
		Key    string `json:"merchant_private_key"`
		APIv3  string `json:"api_v3_key"`
		KeyID  string `json:"public_key_id"`
		Public string `json:"public_key"`
		Alipay struct {
			AppID    string `json:"app_id"`
			SellerID string `json:"seller_id"`
			Key      string `json:"app_private_key"`
			Public   string `json:"alipay_public_key"`
			Gateway  string `json:"gateway"`
		} `json:"alipay"`
	}
	s.simulate(http.MethodPost, "merchants", map[string]any{"name": name}, &c)
	a := payment.Account{MerchantID: merchantID, Provider: s.provider, Name: "账户", On: true, Sandbox: true}
	var cfg any
	switch s.provider {
	case "alipay":
		a.Method, a.ExternalRef, a.AppRef = alipay.Precreate, c.Alipay.SellerID, c.Alipay.AppID
		cfg = alipay.Config{
			BaseURL: c.Alipay.Gateway, AppID: c.Alipay.AppID, SellerID: c.Alipay.SellerID, AppKeyPEM: c.Alipay.Key, PublicKey: c.Alipay.Public,
		}
	default:
		a.Method, a.ExternalRef, a.AppRef = "native", c.MchID, c.AppID
		cfg = wechatpay.Config{
			BaseURL: s.url, MchID: c.MchID, AppID: c.AppID, MerchantSerial: c.Serial, MerchantKeyPEM: c.Key, APIv3Key: c.APIv3,
			PlatformKeys: map[string]string{c.KeyID: c.Public},
		}
	}
	if s.method != "" {
		a.Method = s.method
	}
	config, err := json.Marshal(cfg)
	require.NoError(s.t, err)
	a, err = s.accounts.Put(s.t.Context(), a, config)
	require.NoError(s.t, err)
	return a
}

func (s *shop) simulate(method, what string, body, answer any) {
	s.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(s.t, err)
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+"/simulate/"+what, bytes.NewReader(raw))
	require.NoError(s.t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, 2, resp.StatusCode/100, string(out))
	if answer != nil {
		require.NoError(s.t, json.Unmarshal(out, answer))
	}
}

// faults sets what the simulator does wrong.
func (s *shop) faults(f map[string]any) { s.t.Helper(); s.simulate(http.MethodPut, "faults", f, nil) }

// pay orders for 10 yuan and pays; the shop is not told.
func (s *shop) pay() (order.Order, payment.Payment) {
	s.t.Helper()
	s.sold++
	key := strconv.Itoa(s.sold)
	contact, err := order.ParseContact("buyer@example.com", "")
	require.NoError(s.t, err)
	placed, err := s.checkout.Place(s.t.Context(), checkout.PlaceRequest{
		MerchantID: s.merchant.ID, Key: key, BodyDigest: []byte(key), Contact: contact, Lang: "zh-CN",
		Lines: []checkout.PlaceLine{{SKUID: s.sku.ID, Quantity: 1}},
	})
	require.NoError(s.t, err)
	p, err := s.checkout.StartPayment(s.t.Context(), checkout.PayRequest{
		MerchantID: s.merchant.ID, OrderNo: placed.Order.No, Token: placed.AccessToken, Key: key, ClientIP: "127.0.0.1",
	})
	require.NoError(s.t, err)
	s.opens(p)
	s.simulate(http.MethodPost, "pay", map[string]any{"out_trade_no": p.No}, nil)
	return placed.Order, p
}

// opens goes where the buyer is sent, if so: Alipay knows an order of a page
// only then.
func (s *shop) opens(p payment.Payment) {
	s.t.Helper()
	i, _ := p.Instruction()
	if i.URL == "" {
		return
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, i.URL, nil)
	require.NoError(s.t, err)
	resp, err := s.client.Do(req)
	require.NoError(s.t, err)
	require.NoError(s.t, resp.Body.Close())
}

// buy pays, and the shop learns of it.
func (s *shop) buy() (order.Order, payment.Payment) {
	o, p := s.pay()
	s.clock.Advance(6 * time.Second)
	s.sweep("payments.query")
	return o, p
}

// sweep runs one of checkout's sweeps.
func (s *shop) sweep(name string) {
	s.t.Helper()
	for _, sw := range s.checkout.Sweeps() {
		if sw.Name == name {
			_, err := sw.Run(s.t.Context())
			require.NoError(s.t, err)
		}
	}
}

// refund has staff give part of a payment's order back, waits for the platform,
// and tells the refund's number.
func (s *shop) refund(p payment.Payment, fen int64) (no string) {
	s.t.Helper()
	var orderNo string
	require.NoError(s.t, s.db.View(s.t.Context(), func(tx *db.Tx) error {
		o, err := order.ByIDTx(tx, p.MerchantID, p.OrderID)
		orderNo = o.No
		return err
	}))
	v, err := s.checkout.RefundOrder(s.t.Context(), checkout.RefundRequest{
		MerchantID: p.MerchantID, OrderNo: orderNo, Key: id.New().String(), Reason: "part", Part: checkout.Part{Minor: fen},
	})
	require.NoError(s.t, err)
	s.pushed()
	return v.Refunds[len(v.Refunds)-1].No
}

// pushed sends refunds, and asks once more when they are done.
func (s *shop) pushed() {
	s.clock.Advance(payment.QueueHead)
	s.sweep("refunds.push")
	s.clock.Advance(time.Minute)
	s.sweep("refunds.push")
}

func (s *shop) exec(query string, args ...any) {
	s.t.Helper()
	require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
		n, err := tx.Exec(query, args...)
		require.Positive(s.t, n)
		return err
	}))
}

func (s *shop) number(query string, args ...any) (n int64) {
	s.t.Helper()
	require.NoError(s.t, s.db.View(s.t.Context(), func(tx *db.Tx) error { return tx.Get([]any{&n}, query, args...) }))
	return n
}

// tomorrow ends the platform's day and gives its date; the bill is ready then.
func (s *shop) tomorrow() (date string) {
	now := s.clock.Now().In(Zone())
	s.clock.Advance(time.Date(now.Year(), now.Month(), now.Day()+1, 12, 30, 0, 0, Zone()).Sub(now))
	return now.Format(time.DateOnly)
}

// reconcile runs the day of the one account.
func (s *shop) reconcile(date string) DayReport {
	s.t.Helper()
	report, err := s.svc.Reconcile(s.t.Context(), Request{Date: date}, func(string, int64, int64) {})
	require.NoError(s.t, err)
	require.Len(s.t, report.Days, 1)
	return report.Days[0]
}

// broken names the invariants that are violated.
func (s *shop) broken() (names []string) {
	s.t.Helper()
	var all []invariant.Invariant
	for _, list := range [][]invariant.Invariant{Invariants(), ledger.Invariants(), payment.Invariants(), checkout.Invariants()} {
		all = append(all, list...)
	}
	report, err := check.Run(s.t.Context(), s.db, all, func(string, int, int) {})
	require.NoError(s.t, err)
	for _, r := range report.Results {
		if r.Count > 0 {
			names = append(names, r.Name)
		}
	}
	return names
}
