package checkout_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/money"
	"panshi/internal/order"
)

func (s *shop) setLimit(slug string, perContact int) {
	s.t.Helper()
	_, err := catalog.NewService(s.db).Change(s.t.Context(), s.merchant.ID, slug, func(p *catalog.Product) error {
		p.PerContactLimit = perContact
		return nil
	})
	require.NoError(s.t, err)
}

func (s *shop) setCount(slug string, limited bool, available int64) {
	s.t.Helper()
	_, err := catalog.NewService(s.db).SetCount(s.t.Context(), s.merchant.ID, slug, limited, available)
	require.NoError(s.t, err)
}

func (s *shop) available(sku catalog.SKU) int64 {
	s.t.Helper()
	return s.number(`SELECT available FROM stock WHERE sku_id = $1`, sku.ID)
}

func TestSwitchingToACountDoesNotInventItems(t *testing.T) {
	s := newShop(t)
	sku := s.product("manual", catalog.Manual, 100)
	s.mustPlace("a", sku, 7)
	s.setCount("manual", true, 1)
	s.expire()
	require.Equal(t, int64(1), s.available(sku), "an order from unlimited times took nothing from the shelf")
	s.sound()

	s.mustPlace("b", sku, 1)
	s.setCount("manual", false, 0)
	s.setCount("manual", true, 3)
	s.expire()
	require.Equal(t, int64(4), s.available(sku), "an order that took one puts one back")
	s.sound()
}

func TestContactLimitFollowsTheOrder(t *testing.T) {
	s := newShop(t)
	sku := s.product("text", catalog.Text, 100)
	counted := func() int64 { return s.number(`SELECT COALESCE(SUM(quantity), 0) FROM purchase_counts`) }

	s.mustPlace("a", sku, 2) // before there was a limit
	s.setLimit("text", 3)
	s.mustPlace("b", sku, 3)
	require.Equal(t, int64(3), counted())
	s.setLimit("text", 0) // b was counted when it was placed, whatever holds now
	s.expire()
	require.Zero(t, counted())
	s.sound()
	s.setLimit("text", 3)

	held := s.mustPlace("c", sku, 3)
	report := s.platform.pay(s.startPayment(held).No)
	report.Amount.Minor--
	_, err := s.svc.Settle(t.Context(), s.account, report, "callback")
	require.NoError(t, err)
	require.Equal(t, int64(3), counted())
	s.resolve(s.hold(), checkout.HoldRefund)
	s.refunds()
	require.Zero(t, counted(), "who got nothing may buy again")
	s.sound()

	late := s.mustPlace("d", sku, 3)
	pay := s.startPayment(late)
	s.expire()
	require.Zero(t, counted())
	require.Equal(t, checkout.Late, s.settle(pay.No))
	require.Equal(t, int64(3), counted(), "served late is bought all the same")
	s.sound()
}

func TestOrderLimitIsOfTheProduct(t *testing.T) {
	s := newShop(t)
	stored, err := catalog.NewService(s.db).Put(t.Context(), catalog.Product{
		MerchantID: s.merchant.ID, Slug: "two", Kind: catalog.Text, Title: "two", On: true, PerOrderLimit: 3,
		SKUs: []catalog.SKU{
			{Code: "small", Price: money.Of(1, money.CNY), On: true},
			{Code: "large", Price: money.Of(2, money.CNY), On: true},
		},
	})
	require.NoError(t, err)
	small, large := checkout.PlaceLine{SKUID: stored.SKUs[0].ID, Quantity: 2}, checkout.PlaceLine{SKUID: stored.SKUs[1].ID, Quantity: 2}
	_, err = s.place("a", small, large)
	require.Equal(t, "order_limit", errs.CodeOf(err))
	large.Quantity = 1
	_, err = s.place("b", small, large)
	require.NoError(t, err)
}

func TestAnOrderHasABoundedNumberOfCards(t *testing.T) {
	s := newShop(t)
	first, second := s.product("first", catalog.Card, 1), s.product("second", catalog.Card, 1)
	s.cards(first, 201)
	s.cards(second, 1)
	line := func(sku catalog.SKU, n int) checkout.PlaceLine { return checkout.PlaceLine{SKUID: sku.ID, Quantity: n} }
	for _, lines := range [][]checkout.PlaceLine{{line(first, 201)}, {line(first, 200), line(second, 1)}} {
		_, err := s.place("a", lines...)
		require.Equal(t, "too_many_cards", errs.CodeOf(err))
		require.Equal(t, errs.Invalid, errs.KindOf(err))
	}
	p, err := s.place("b", line(first, 200), line(s.product("text", catalog.Text, 1), order.MaxQuantity))
	require.NoError(t, err)
	require.Equal(t, checkout.Settled, s.settle(s.startPayment(p).No))
	require.Equal(t, int64(200), s.number(`SELECT COUNT(*) FROM deliveries WHERE card_id IS NOT NULL`))
}

func TestAKeyPastItsTimeIsFree(t *testing.T) {
	s := newShop(t)
	sku := s.product("text", catalog.Text, 1)
	line := checkout.PlaceLine{SKUID: sku.ID, Quantity: 1}
	first, err := s.place("k", line)
	require.NoError(t, err)
	s.exec(`UPDATE idempotency_keys SET expires_at = 1`) // the purge has not come yet
	second, err := s.place("k", line)
	require.NoError(t, err)
	require.NotEqual(t, first.Order.No, second.Order.No)
	again, err := s.place("k", line)
	require.NoError(t, err)
	require.Equal(t, second.Order.No, again.Order.No)
	s.sound()
}
