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
	"panshi/internal/vault"
	"panshi/internal/wechatpay"
	"panshi/sandbox"
)

// shop sells through the real simulator; one clock drives both.
type shop struct {
	t        *testing.T
	db       db.DB
	clock    *clock.Manual
	url      string
	client   *http.Client
	checkout *checkout.Service
	svc      *Service
	merchant merchant.Merchant
	sku      catalog.SKU
	bend     func(*payment.Bill) // spoils the next bills
	sold     int
}

// bent is the real account, whose bills the test may spoil.
type bent struct {
	payment.Provider
	s *shop
}

func (b bent) Bill(ctx context.Context, date time.Time) (payment.Bill, error) {
	bill, err := b.Provider.(payment.Biller).Bill(ctx, date)
	if err == nil && b.s.bend != nil {
		b.s.bend(&bill)
		bill.Digest = fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, bill.Lines)))
	}
	return bill, err
}

func newShop(t *testing.T) *shop {
	t.Helper()
	// Noon of the platform's day: ids are of the machine's clock, at most half
	// a day away.
	now := time.Now().In(Zone())
	s := &shop{t: t, clock: clock.NewManual(time.Date(now.Year(), now.Month(), now.Day(), 12, 0, 0, 0, Zone()))}
	s.db = dbtest.Open(t, dbtest.Options{Clock: s.clock})
	box, err := sandbox.New(sandbox.Config{StateFile: filepath.Join(t.TempDir(), "state"), Now: s.clock.Now})
	require.NoError(t, err)
	server := httptest.NewServer(box.Handler())
	t.Cleanup(func() { server.Close(); require.NoError(t, box.Close()) })
	s.url, s.client = server.URL, server.Client()
	v, err := vault.Create(vault.DefaultConfig(filepath.Join(t.TempDir(), "shop")))
	require.NoError(t, err)
	accounts := payment.NewAccounts(s.db, v, map[string]payment.Factory{"wechatpay": func(raw []byte) (payment.Provider, error) {
		var cfg wechatpay.Config
		if err := json.Unmarshal(raw, &cfg); err != nil {
			return nil, err
		}
		a, err := wechatpay.New(cfg, server.Client(), s.clock)
		return bent{a, s}, err
	}})
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	cfg := checkout.Defaults()
	cfg.UnpaidLimit, cfg.PublicURL = 0, "http://127.0.0.1"
	s.checkout = checkout.New(s.db, v, accounts, cfg, s.clock, log)
	s.svc = New(s.db, accounts, Door{
		Settle: func(ctx context.Context, a payment.Account, r payment.Report) error {
			_, err := s.checkout.Settle(ctx, a, r, "query")
			return err
		}, SettleRefund: s.checkout.SettleRefund,
	}, s.clock, log)
	s.open(accounts)
	return s
}

// open makes a merchant with an account at the simulator and a product.
func (s *shop) open(accounts *payment.Accounts) {
	var c struct {
		MchID  string `json:"mchid"`
		AppID  string `json:"app_id"`
		Serial string `json:"merchant_serial"`
		Key    string `json:"merchant_private_key"`
		APIv3  string `json:"api_v3_key"`
		KeyID  string `json:"public_key_id"`
		Public string `json:"public_key"`
	}
	s.simulate(http.MethodPost, "merchants", map[string]any{"name": "test"}, &c)
	config, err := json.Marshal(wechatpay.Config{
		BaseURL: s.url, MchID: c.MchID, AppID: c.AppID, MerchantSerial: c.Serial, MerchantKeyPEM: c.Key, APIv3Key: c.APIv3,
		PlatformKeys: map[string]string{c.KeyID: c.Public},
	})
	require.NoError(s.t, err)
	s.merchant, err = merchant.NewService(s.db, s.clock).Put(s.t.Context(), merchant.Merchant{Slug: "test", Name: "测试", Currency: money.CNY, Open: true})
	require.NoError(s.t, err)
	_, err = accounts.Put(s.t.Context(), payment.Account{
		MerchantID: s.merchant.ID, Provider: "wechatpay", Method: "native", ExternalRef: c.MchID, AppRef: c.AppID, Name: "微信支付", On: true, Sandbox: true,
	}, config)
	require.NoError(s.t, err)
	p, err := catalog.NewService(s.db).Put(s.t.Context(), catalog.Product{
		MerchantID: s.merchant.ID, Slug: "work", Kind: catalog.Manual, Title: "work", On: true,
		SKUs: []catalog.SKU{{Code: "work", Price: money.Of(1000, money.CNY), On: true}},
	})
	require.NoError(s.t, err)
	s.sku = p.SKUs[0]
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
		MerchantID: s.merchant.ID, OrderNo: placed.Order.No, Token: placed.AccessToken, Key: key,
	})
	require.NoError(s.t, err)
	s.simulate(http.MethodPost, "pay", map[string]any{"out_trade_no": p.No}, nil)
	return placed.Order, p
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
