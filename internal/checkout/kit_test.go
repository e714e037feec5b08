package checkout_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"panshi/internal/clock"

	"github.com/stretchr/testify/require"

	"panshi/internal/account"
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
	"panshi/internal/payment/routing"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// tester is what the kit needs of *testing.T and of *rapid.T.
type tester interface {
	require.TestingT
	Helper()
	Context() context.Context
	Fatalf(format string, args ...any)
}

// shop is a merchant with one product of each kind on a real database.
type shop struct {
	t        tester
	db       db.DB
	svc      *checkout.Service
	vault    *vault.Vault
	platform *platform
	other    *platform // of secondAccount
	accounts *payment.Accounts
	router   *routing.Router // of twin
	account  payment.Account
	merchant merchant.Merchant
	skus     map[string]catalog.SKU
	runner   *jobs.Runner
}

// newShop is on a database that waits for locks as long as a test lasts: what
// is asked is what happens, and on a machine that is full sixteen who wait for
// one order can take longer than buyers would be made to wait.
func newShop(t *testing.T, change ...func(*checkout.Config)) *shop {
	t.Helper()
	return newShopOn(t, dbtest.Open(t, dbtest.Options{StatementLimit: time.Minute}), change...)
}

func newShopOn(t *testing.T, d db.DB, change ...func(*checkout.Config)) *shop {
	t.Helper()
	dir := t.TempDir()
	v, err := vault.Create(vault.DefaultConfig(filepath.Join(dir, "shop")))
	require.NoError(t, err)
	s := &shop{t: t, db: d, vault: v, platform: newPlatform(), other: newPlatform(), skus: map[string]catalog.SKU{}}
	accounts := payment.NewAccounts(d, v, map[string]payment.Factory{
		"wechatpay": func([]byte) (payment.Provider, error) { return s.platform, nil },
		"other":     func([]byte) (payment.Provider, error) { return s.other, nil },

		payment.Balance: payment.NewBalance,
	})
	s.accounts = accounts
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
	s.svc = checkout.New(d, v, accounts, cfg, clock.System{}, log)
	s.runner = jobs.NewRunner(d, "test", s.svc.Handlers(), s.svc.Sweeps(), clock.System{}, log)
	return s
}

// secondAccount gives the shop an account at another platform.
func (s *shop) secondAccount() payment.Account {
	s.t.Helper()
	acc, err := s.accounts.Put(s.t.Context(), payment.Account{
		MerchantID: s.merchant.ID, Provider: "other", Method: "native", ExternalRef: "1900000001", AppRef: "wx1",
		Name: "其他", On: true, Position: 1,
	}, []byte(`{}`))
	require.NoError(s.t, err)
	return acc
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

// settle pays at the platform and tells the shop.
func (s *shop) settle(no string) checkout.Outcome {
	s.t.Helper()
	outcome, err := s.svc.Settle(s.t.Context(), s.account, s.platform.pay(no), "callback")
	require.NoError(s.t, err)
	return outcome
}

// bought places an order, pays it and gives both.
func (s *shop) bought(key string, sku catalog.SKU, quantity int) (checkout.Placed, payment.Payment) {
	s.t.Helper()
	p := s.mustPlace(key, sku, quantity)
	pay := s.startPayment(p)
	require.Equal(s.t, checkout.Settled, s.settle(pay.No))
	return p, pay
}

// refund has staff give back a part of an order, or all, by a request of its
// own.
func (s *shop) refund(p checkout.Placed, part checkout.Part) (checkout.View, error) {
	return s.svc.RefundOrder(s.t.Context(), checkout.RefundRequest{
		MerchantID: s.merchant.ID, OrderNo: p.Order.No, Key: id.New().String(), Reason: "buyer asked", Part: part,
	})
}

// refunds sends what is to be given back.
func (s *shop) refunds() {
	s.t.Helper()
	s.exec(`UPDATE refunds SET next_try_at = 1 WHERE next_try_at IS NOT NULL`)
	s.sweep("refunds.push")
}

// expire closes every pending order, as time would.
func (s *shop) expire() {
	s.t.Helper()
	s.exec(`UPDATE orders SET due_at = 1, expires_at = 1 WHERE status = 'pending'`)
	s.sweep("orders.expire")
}

// hold is the one open case.
func (s *shop) hold() payment.Hold {
	s.t.Helper()
	holds, err := s.svc.Holds(s.t.Context(), s.merchant.ID, id.ID{}, 10)
	require.NoError(s.t, err)
	require.Len(s.t, holds, 1)
	return holds[0]
}

// number reads one number from the database.
func (s *shop) number(query string, args ...any) (n int64) {
	s.t.Helper()
	require.NoError(s.t, s.db.View(s.t.Context(), func(tx *db.Tx) error {
		return tx.Get([]any{&n}, query, args...)
	}))
	return n
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
		delivery.Invariants(), ledger.Invariants(), account.Invariants(), jobs.Invariants(), checkout.Invariants(),
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
