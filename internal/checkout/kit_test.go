package checkout_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/check"
	"panshi/internal/checkout"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/delivery"
	"panshi/internal/id"
	"panshi/internal/invariant"
	"panshi/internal/jobs"
	"panshi/internal/ledger"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// platform is a payment platform in memory: it keeps trades and refunds as a
// real one would and answers with what fail says.
type platform struct {
	mu      sync.Mutex
	trades  map[string]payment.Report       // by payment number
	refunds map[string]payment.RefundReport // by refund number
	closed  map[string]bool
	fail    error // every call answers this
	created int
}

func newPlatform() *platform {
	return &platform{trades: map[string]payment.Report{}, refunds: map[string]payment.RefundReport{}, closed: map[string]bool{}}
}

func (p *platform) Create(_ context.Context, r payment.Request) (payment.Instruction, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return payment.Instruction{}, p.fail
	}
	p.created++
	if _, ok := p.trades[r.PaymentNo]; !ok {
		p.trades[r.PaymentNo] = payment.Report{State: payment.StateOpen, PaymentNo: r.PaymentNo, Amount: r.Amount,
			MerchantRef: "1900000001", AppID: "wx1"}
	}
	return payment.Instruction{Kind: "qr", CodeURL: "weixin://wxpay/bizpayurl?pr=" + r.PaymentNo}, nil
}

func (p *platform) Query(_ context.Context, no string) (payment.Report, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return payment.Report{}, p.fail
	}
	r, ok := p.trades[no]
	if !ok {
		return payment.Report{}, payment.ErrNotFound
	}
	return r, nil
}

func (p *platform) Close(_ context.Context, no string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return p.fail
	}
	if r, ok := p.trades[no]; ok {
		if r.State == payment.StatePaid {
			return payment.ErrAlreadyPaid
		}
		r.State = payment.StateClosed
		p.trades[no] = r
	}
	return nil
}

func (p *platform) Refund(_ context.Context, r payment.RefundRequest) (payment.RefundReport, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return payment.RefundReport{}, p.fail
	}
	report := payment.RefundReport{State: payment.RefundSucceeded, RefundNo: r.RefundNo, RefundID: "rf" + r.RefundNo, Amount: r.Amount}
	p.refunds[r.RefundNo] = report
	return report, nil
}

func (p *platform) QueryRefund(_ context.Context, no string) (payment.RefundReport, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.refunds[no]
	if !ok {
		return payment.RefundReport{}, payment.ErrNotFound
	}
	return r, p.fail
}

// pay makes the platform record a payment and returns its report.
func (p *platform) pay(no string) payment.Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.trades[no]
	r.State, r.TransactionID, r.PaidAt = payment.StatePaid, "42000"+no, time.Now()
	p.trades[no] = r
	return r
}

func (p *platform) set(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = err
}

// shop is a merchant with one product of each kind on a real database.
type shop struct {
	t        *testing.T
	db       db.DB
	svc      *checkout.Service
	vault    *vault.Vault
	platform *platform
	account  payment.Account
	merchant merchant.Merchant
	skus     map[string]catalog.SKU
	runner   *jobs.Runner
}

func newShop(t *testing.T, change ...func(*checkout.Config)) *shop {
	t.Helper()
	d := dbtest.SQLite(t)
	dir := t.TempDir()
	v, err := vault.Create(vault.DefaultConfig(filepath.Join(dir, "shop")))
	require.NoError(t, err)
	s := &shop{t: t, db: d, vault: v, platform: newPlatform(), skus: map[string]catalog.SKU{}}
	accounts := payment.NewAccounts(d, v, map[string]payment.Factory{
		"wechatpay": func([]byte) (payment.Provider, error) { return s.platform, nil },
	})
	s.merchant, err = merchant.NewService(d, systemClock{}).Put(t.Context(), merchant.Merchant{
		Slug: "test", Name: "测试", Currency: money.CNY, Open: true,
	})
	require.NoError(t, err)
	s.account, err = accounts.Put(t.Context(), payment.Account{
		MerchantID: s.merchant.ID, Provider: "wechatpay", Method: "native", ExternalRef: "1900000001", AppRef: "wx1",
		Name: "微信支付", On: true,
	}, []byte(`{}`))
	require.NoError(t, err)
	cfg := checkout.Defaults()
	cfg.UnpaidLimit = 0
	for _, c := range change {
		c(&cfg)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s.svc = checkout.New(d, v, accounts, cfg, log)
	s.runner = jobs.NewRunner(d, "test", s.svc.Handlers(), s.svc.Sweeps(), log)
	return s
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

// product puts a product with one SKU whose code is its slug.
func (s *shop) product(slug string, kind catalog.Kind, price int64, change ...func(*catalog.Product)) catalog.SKU {
	s.t.Helper()
	p := catalog.Product{
		MerchantID: s.merchant.ID, Slug: slug, Kind: kind, Title: slug, On: true,
		SKUs: []catalog.SKU{{Code: slug, Price: money.Of(price, money.CNY), On: true}},
	}
	for _, c := range change {
		c(&p)
	}
	stored, err := catalog.NewService(s.db).Put(s.t.Context(), p)
	require.NoError(s.t, err)
	s.skus[slug] = stored.SKUs[0]
	return stored.SKUs[0]
}

// cards adds n card keys to a SKU.
func (s *shop) cards(sku catalog.SKU, n int) {
	s.t.Helper()
	for start := 0; start < n; start += 400 {
		var cards []stock.SealedCard
		for range min(400, n-start) {
			c := stock.SealedCard{ID: id.New()}
			text := []byte("KEY-" + c.ID.String())
			sealed, err := s.vault.Seal(vault.Cards, stock.CardCell(c.ID), text)
			require.NoError(s.t, err)
			c.Content, c.Index = sealed, s.vault.Fingerprint(vault.Cards, s.merchant.ID, stock.CardIndexPurpose, text)
			cards = append(cards, c)
		}
		require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
			_, err := stock.AddCardsTx(tx, s.merchant.ID, sku.ID, id.New(), cards)
			return err
		}))
	}
}

func (s *shop) place(key string, lines ...checkout.PlaceLine) (checkout.Placed, error) {
	contact, err := order.ParseContact("buyer-"+key+"@example.com", "")
	require.NoError(s.t, err)
	return s.svc.Place(s.t.Context(), checkout.PlaceRequest{
		MerchantID: s.merchant.ID, Key: key, BodyDigest: []byte(key), Lines: lines, Contact: contact, Lang: "zh-CN",
	})
}

func (s *shop) mustPlace(key string, sku catalog.SKU, quantity int) checkout.Placed {
	s.t.Helper()
	p, err := s.place(key, checkout.PlaceLine{SKUID: sku.ID, Quantity: quantity})
	require.NoError(s.t, err)
	return p
}

func (s *shop) startPayment(p checkout.Placed) payment.Payment {
	s.t.Helper()
	pay, err := s.svc.StartPayment(s.t.Context(), checkout.PayRequest{
		MerchantID: s.merchant.ID, OrderNo: p.Order.No, Token: p.AccessToken, Key: "pay-" + p.Order.No,
	})
	require.NoError(s.t, err)
	return pay
}

func (s *shop) status(p checkout.Placed) order.Status {
	s.t.Helper()
	v, err := s.svc.Order(s.t.Context(), s.merchant.ID, p.Order.No, p.AccessToken)
	require.NoError(s.t, err)
	return v.Order.Status
}

// at moves a time column of every row to a time in the past.
func (s *shop) exec(query string, args ...any) {
	s.t.Helper()
	require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	}))
}

// sweep runs one sweep by name.
func (s *shop) sweep(name string) {
	s.t.Helper()
	for _, sw := range s.svc.Sweeps() {
		if sw.Name == name {
			_, err := sw.Run(s.t.Context())
			require.NoError(s.t, err)
			return
		}
	}
	s.t.Fatalf("no sweep %s", name)
}

func invariants() []invariant.Invariant {
	var all []invariant.Invariant
	for _, list := range [][]invariant.Invariant{
		merchant.Invariants(), catalog.Invariants(), stock.Invariants(), order.Invariants(), payment.Invariants(),
		delivery.Invariants(), ledger.Invariants(), jobs.Invariants(), checkout.Invariants(),
	} {
		all = append(all, list...)
	}
	return all
}

// sound fails the test if any invariant is violated.
func (s *shop) sound() {
	s.t.Helper()
	report, err := check.Run(s.t.Context(), s.db, invariants(), func(string, int, int) {})
	require.NoError(s.t, err)
	for _, r := range report.Results {
		require.Empty(s.t, r.Violations, r.Name)
	}
}
