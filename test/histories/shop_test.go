package histories

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
	"panshi/internal/catalog"
	"panshi/internal/check"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// shop is a merchant on a real database, served by one or more processes'
// worth of services.
type shop struct {
	t        *testing.T
	db       db.DB // as the tests look at it: what goes wrong for services does not here
	services []*checkout.Service
	vault    *vault.Vault
	till     *till
	account  payment.Account
	merchant id.ID
	made     int                  // products
	disturb  func() (stop func()) // what goes wrong while clients are there
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

// newShop opens a shop on d. Its services see the database through seam.
func newShop(t *testing.T, d db.DB, services int, seam func(db.DB) db.DB) *shop {
	t.Helper()
	v, err := vault.Create(vault.DefaultConfig(filepath.Join(t.TempDir(), "shop")))
	require.NoError(t, err)
	m, err := merchant.NewService(d, systemClock{}).Put(t.Context(), merchant.Merchant{
		Slug: "test", Name: "测试", Currency: money.CNY, Open: true,
	})
	require.NoError(t, err)
	s := &shop{t: t, db: d, vault: v, till: newTill(), merchant: m.ID, disturb: func() func() { return func() {} }}
	accounts := payment.NewAccounts(d, v, map[string]payment.Factory{
		"wechatpay": func([]byte) (payment.Provider, error) { return s.till, nil },
	})
	s.account, err = accounts.Put(t.Context(), payment.Account{
		MerchantID: m.ID, Provider: "wechatpay", Method: "native", ExternalRef: "1900000001", AppRef: "wx1",
		Name: "微信支付", On: true,
	}, []byte(`{}`))
	require.NoError(t, err)
	cfg := checkout.Defaults()
	cfg.UnpaidLimit = 0
	for range services {
		s.services = append(s.services,
			checkout.New(seam(d), v, accounts, cfg, clock.System{}, slog.New(slog.DiscardHandler)))
	}
	return s
}

// memory is for how long one of the services may believe that a SKU is sold out
// which another, or one that never heard of its commit, has filled up: what
// checkout promises at most.
func (s *shop) memory() int64 {
	if len(s.services) == 1 {
		return 0
	}
	return time.Second.Nanoseconds()
}

// goods is one SKU of a history.
type goods struct {
	n     int // its number in the history
	id    id.ID
	cards map[id.ID]int // number of each card, from 0; nil for a counted SKU
	stock int
}

// offer puts a new product on the shelf: with so many cards, or counted.
func (s *shop) offer(n, items int, counted bool) *goods {
	s.t.Helper()
	s.made++
	code := fmt.Sprintf("sku-%d", s.made)
	kind := catalog.Card
	if counted {
		kind = catalog.Manual
	}
	catalogue := catalog.NewService(s.db)
	p, err := catalogue.Put(s.t.Context(), catalog.Product{
		MerchantID: s.merchant, Slug: code, Kind: kind, Title: code, On: true,
		SKUs: []catalog.SKU{{Code: code, Price: money.Of(100, money.CNY), On: true}},
	})
	require.NoError(s.t, err)
	g := &goods{n: n, id: p.SKUs[0].ID, stock: items}
	if counted {
		_, err := catalogue.SetCount(s.t.Context(), s.merchant, code, true, int64(items))
		require.NoError(s.t, err)
		return g
	}
	g.cards = map[id.ID]int{}
	for left := items; left > 0; left -= 400 {
		s.addCards(g, min(left, 400))
	}
	return g
}

func (s *shop) addCards(g *goods, n int) {
	s.t.Helper()
	cards := make([]stock.SealedCard, n)
	for i := range cards {
		c := &cards[i]
		c.ID = id.New()
		g.cards[c.ID] = len(g.cards)
		sealed, err := s.vault.Seal(vault.Cards, stock.CardCell(c.ID), []byte(keyOf(c.ID)))
		require.NoError(s.t, err)
		c.Content = sealed
		c.Index = s.vault.Fingerprint(vault.Cards, s.merchant, stock.CardIndexPurpose, []byte(keyOf(c.ID)))
	}
	require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
		_, err := stock.AddCardsTx(tx, s.merchant, g.id, id.New(), cards)
		return err
	}))
}

// keyOf is a card's text, which names the card.
func keyOf(card id.ID) string { return "KEY-" + card.String() }

func cardOf(key string) (id.ID, error) { return id.Parse(strings.TrimPrefix(key, "KEY-")) }

// cardRow is a card as the database has it.
type cardRow struct {
	id, sku, order id.ID
}

// rows reads cards. It insists: connections are killed under it.
func (s *shop) rows(where string, args ...any) (all []cardRow, err error) {
	for range 20 {
		err = s.db.View(s.t.Context(), func(tx *db.Tx) (err error) {
			all, err = db.Collect(tx, func(r db.Rows) (c cardRow, err error) {
				err = r.Scan(&c.id, &c.sku, &c.order)
				return c, err
			}, `SELECT id, sku_id, order_id FROM cards WHERE `+where, args...)
			return err
		})
		if err == nil {
			return all, nil
		}
	}
	return nil, err
}

// requireSound fails the test if any invariant of the shop is violated.
func (s *shop) requireSound() {
	s.t.Helper()
	report, err := check.Run(s.t.Context(), s.db, app.Invariants(), func(string, int, int) {})
	require.NoError(s.t, err)
	for _, r := range report.Results {
		require.Empty(s.t, r.Violations, r.Name)
	}
}
