package checkout_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/stock"
)

func TestBuyACard(t *testing.T) {
	s := newShop(t)
	sku := s.product("card", catalog.Card, 1999)
	s.cards(sku, 3)
	p := s.mustPlace("k1", sku, 2)
	require.Equal(t, int64(3998), p.Order.Total.Minor)
	again := s.mustPlace("k1", sku, 2)
	require.True(t, again.Repeated)
	require.Equal(t, p.AccessToken, again.AccessToken)
	s.sound()

	_, err := s.svc.Reveal(t.Context(), s.merchant.ID, p.Order.No, p.AccessToken)
	require.Equal(t, "not_delivered", errs.CodeOf(err))

	pay := s.startPayment(p)
	require.Equal(t, payment.Open, pay.Status)
	require.NotEmpty(t, pay.CodeURL)
	report := s.platform.pay(pay.No)
	var wg sync.WaitGroup
	outcomes := make([]checkout.Outcome, 16)
	failures := make([]error, len(outcomes))
	for i := range outcomes {
		wg.Go(func() {
			outcomes[i], failures[i] = s.svc.Settle(t.Context(), s.account, report, "callback")
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(failures...))
	settled := 0
	for _, o := range outcomes {
		if o == checkout.Settled {
			settled++
		} else {
			require.Equal(t, checkout.Repeated, o)
		}
	}
	require.Equal(t, 1, settled)
	require.Equal(t, order.Delivered, s.status(p))
	keys, err := s.svc.Reveal(t.Context(), s.merchant.ID, p.Order.No, p.AccessToken)
	require.NoError(t, err)
	require.Len(t, keys, 2)
	require.NotEqual(t, keys[0].Content, keys[1].Content)
	_, err = s.svc.Reveal(t.Context(), s.merchant.ID, p.Order.No, "wrong")
	require.ErrorIs(t, err, order.ErrNotFound)
	s.sound()
}

func TestFlashSaleNeverOversells(t *testing.T) {
	s := newShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 50)
	var wg sync.WaitGroup
	var mu sync.Mutex
	won, lost := 0, 0
	slots := make(chan struct{}, 64)
	for i := range 300 {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			_, err := s.place(fmt.Sprint(i), checkout.PlaceLine{SKUID: sku.ID, Quantity: 1})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case errs.CodeOf(err) == "sold_out":
				lost++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 50, won)
	require.Equal(t, 250, lost)
	s.sound()
}

func TestExpiryGivesStockBackAndLateMoneyIsServed(t *testing.T) {
	s := newShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 1)
	p := s.mustPlace("a", sku, 1)
	pay := s.startPayment(p)
	s.exec(`UPDATE orders SET due_at = 1, expires_at = 1`)
	s.sweep("orders.expire")
	require.Equal(t, order.Closed, s.status(p))
	s.sound()

	outcome, err := s.svc.Settle(t.Context(), s.account, s.platform.pay(pay.No), "callback")
	require.NoError(t, err)
	require.Equal(t, checkout.Late, outcome)
	require.Equal(t, order.Delivered, s.status(p))
	s.sound()
}

func TestLateMoneyForSoldOutGoodsGoesBack(t *testing.T) {
	s := newShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 1)
	p := s.mustPlace("a", sku, 1)
	pay := s.startPayment(p)
	s.exec(`UPDATE orders SET due_at = 1, expires_at = 1`)
	s.sweep("orders.expire")
	other := s.mustPlace("b", sku, 1)
	require.Equal(t, order.Pending, s.status(other))

	outcome, err := s.svc.Settle(t.Context(), s.account, s.platform.pay(pay.No), "query")
	require.NoError(t, err)
	require.Equal(t, checkout.Refunding, outcome)
	s.sound()
	s.exec(`UPDATE refunds SET next_try_at = 1`)
	s.sweep("refunds.push")
	require.Equal(t, order.Refunded, s.status(p))
	s.sound()
}

func TestPaidWhileClosing(t *testing.T) {
	s := newShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 1)
	p := s.mustPlace("a", sku, 1)
	pay := s.startPayment(p)
	s.platform.pay(pay.No)
	s.exec(`UPDATE orders SET due_at = 1, expires_at = 1`)
	s.sweep("orders.expire")
	require.Equal(t, order.Delivered, s.status(p))
	s.sound()
}

func TestPlatformDownDelaysClosingOnlySoLong(t *testing.T) {
	s := newShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 1)
	p := s.mustPlace("a", sku, 1)
	pay := s.startPayment(p)
	s.platform.set(payment.ErrProviderBusy)
	s.exec(`UPDATE orders SET due_at = 1, expires_at = $1`, p.Order.CreatedAt.UnixMilli())
	for _, sw := range s.svc.Sweeps() {
		if sw.Name == "orders.expire" {
			_, err := sw.Run(t.Context())
			require.ErrorIs(t, err, payment.ErrProviderBusy)
		}
	}
	require.Equal(t, order.Pending, s.status(p))
	s.exec(`UPDATE orders SET due_at = 1, expires_at = 1`)
	s.sweep("orders.expire")
	require.Equal(t, order.Closed, s.status(p))
	s.sound()

	s.platform.set(nil)
	s.platform.pay(pay.No)
	s.exec(`UPDATE payments SET next_query_at = 1`)
	s.sweep("payments.query")
	require.Equal(t, order.Delivered, s.status(p))
	s.sound()
}

func TestMismatchIsHeldAndNeverDelivered(t *testing.T) {
	cases := map[string]func(*payment.Report){
		"amount_mismatch":   func(r *payment.Report) { r.Amount.Minor-- },
		"currency_mismatch": func(r *payment.Report) { r.Amount.Currency = "USD" },
		"merchant_mismatch": func(r *payment.Report) { r.MerchantRef = "1900000002" },
		"app_mismatch":      func(r *payment.Report) { r.AppID = "wx2" },
	}
	for reason, change := range cases {
		t.Run(reason, func(t *testing.T) {
			s := newShop(t)
			sku := s.product("card", catalog.Card, 100)
			s.cards(sku, 1)
			p := s.mustPlace("a", sku, 1)
			report := s.platform.pay(s.startPayment(p).No)
			change(&report)
			for range 3 {
				_, err := s.svc.Settle(t.Context(), s.account, report, "callback")
				require.NoError(t, err)
			}
			v, err := s.svc.Order(t.Context(), s.merchant.ID, p.Order.No, p.AccessToken)
			require.NoError(t, err)
			require.Equal(t, order.Held, v.Order.Status)
			require.Equal(t, reason, v.Order.HoldReason)
			_, err = s.svc.Reveal(t.Context(), s.merchant.ID, p.Order.No, p.AccessToken)
			require.Equal(t, "not_delivered", errs.CodeOf(err))
			s.sound()

			holds, err := s.svc.Holds(t.Context(), s.merchant.ID, [16]byte{}, 10)
			require.NoError(t, err)
			require.Len(t, holds, 1)
			if reason == "currency_mismatch" {
				require.Equal(t, "hold_action", errs.CodeOf(s.svc.ResolveHold(t.Context(), s.merchant.ID, holds[0].ID, checkout.HoldRefund, "")))
				require.NoError(t, s.svc.ResolveHold(t.Context(), s.merchant.ID, holds[0].ID, checkout.HoldDismiss, "sent back by hand"))
				require.Equal(t, order.Closed, s.status(p))
				s.sound()
				return
			}
			require.NoError(t, s.svc.ResolveHold(t.Context(), s.merchant.ID, holds[0].ID, checkout.HoldRefund, "test"))
			s.sound()
			s.exec(`UPDATE refunds SET next_try_at = 1`)
			s.sweep("refunds.push")
			require.Equal(t, order.Refunded, s.status(p))
			s.sound()
		})
	}
}

func TestSecondPaymentOfAnOrderGoesBack(t *testing.T) {
	s := newShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 1)
	p := s.mustPlace("a", sku, 1)
	first := s.startPayment(p)
	second, err := s.svc.StartPayment(t.Context(), checkout.PayRequest{
		MerchantID: s.merchant.ID, OrderNo: p.Order.No, Token: p.AccessToken, Key: "second",
	})
	require.NoError(t, err)
	require.NotEqual(t, first.No, second.No)
	for _, no := range []string{first.No, second.No} {
		_, err := s.svc.Settle(t.Context(), s.account, s.platform.pay(no), "callback")
		require.NoError(t, err)
	}
	require.Equal(t, order.Delivered, s.status(p))
	s.exec(`UPDATE refunds SET next_try_at = 1`)
	s.sweep("refunds.push")
	require.Equal(t, order.Delivered, s.status(p))
	require.Len(t, s.platform.refunds, 1)
	s.sound()
}

func TestManualAndSharedGoods(t *testing.T) {
	s := newShop(t)
	manual := s.product("manual", catalog.Manual, 5000)
	p := s.mustPlace("a", manual, 1)
	_, err := s.svc.Settle(t.Context(), s.account, s.platform.pay(s.startPayment(p).No), "callback")
	require.NoError(t, err)
	require.Equal(t, order.Paid, s.status(p))
	s.sound()
	_, err = s.svc.DeliverByHand(t.Context(), s.merchant.ID, p.Order.No, 1, "完成 done")
	require.NoError(t, err)
	require.Equal(t, order.Delivered, s.status(p))
	got, err := s.svc.Reveal(t.Context(), s.merchant.ID, p.Order.No, p.AccessToken)
	require.NoError(t, err)
	require.Equal(t, "完成 done", got[0].Content)
	_, err = s.svc.DeliverByHand(t.Context(), s.merchant.ID, p.Order.No, 1, "again")
	require.ErrorIs(t, err, order.ErrMove)
	s.sound()

	_, err = s.refund(p, checkout.Part{})
	require.NoError(t, err)
	s.exec(`UPDATE refunds SET next_try_at = 1`)
	s.sweep("refunds.push")
	require.Equal(t, order.Refunded, s.status(p))
	s.sound()
}

func TestPlaceRefusals(t *testing.T) {
	s := newShop(t, func(c *checkout.Config) { c.UnpaidLimit = 2 })
	limited := s.product("limited", catalog.Card, 100, func(p *catalog.Product) { p.PerOrderLimit, p.PerContactLimit = 2, 3 })
	s.cards(limited, 20)
	off := s.product("off", catalog.Card, 100, func(p *catalog.Product) { p.On = false })
	s.cards(off, 1)
	line := func(sku catalog.SKU, n int) checkout.PlaceLine { return checkout.PlaceLine{SKUID: sku.ID, Quantity: n} }
	for name, c := range map[string]struct {
		lines       []checkout.PlaceLine
		code, field string
	}{
		"no lines":    {nil, "required", "lines"},
		"zero":        {[]checkout.PlaceLine{line(limited, 0)}, "out_of_range", "lines[0].quantity"},
		"too many":    {[]checkout.PlaceLine{line(limited, 1000)}, "out_of_range", "lines[0].quantity"},
		"twice":       {[]checkout.PlaceLine{line(limited, 1), line(limited, 1)}, "duplicate_line", "lines[1].sku_id"},
		"order limit": {[]checkout.PlaceLine{line(limited, 3)}, "order_limit", "lines[0].sku_id"},
		"off sale":    {[]checkout.PlaceLine{line(off, 1)}, "sku_off_sale", "lines[0].sku_id"},
		"unknown":     {[]checkout.PlaceLine{{SKUID: [16]byte{1}, Quantity: 1}}, "sku_not_found", "lines[0].sku_id"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.place("x", c.lines...)
			var e *errs.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, c.code, e.Code)
			require.Equal(t, c.field, e.Field)
		})
	}
	contact, err := order.ParseContact("", "13800000000")
	require.NoError(t, err)
	for i, code := range []string{"", "contact_limit"} {
		_, err := s.svc.Place(t.Context(), checkout.PlaceRequest{
			MerchantID: s.merchant.ID, Key: fmt.Sprint("c", i), Lines: []checkout.PlaceLine{line(limited, 2)}, Contact: contact,
		})
		if code == "" {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, code, errs.CodeOf(err))
	}
	_, err = s.svc.Place(t.Context(), checkout.PlaceRequest{
		MerchantID: s.merchant.ID, Key: "c0", BodyDigest: []byte("other"), Lines: []checkout.PlaceLine{line(limited, 1)}, Contact: contact,
	})
	require.Equal(t, "idempotency_conflict", errs.CodeOf(err))
	free := s.product("free", catalog.Text, 100)
	for i := range 2 {
		_, err = s.svc.Place(t.Context(), checkout.PlaceRequest{
			MerchantID: s.merchant.ID, Key: fmt.Sprint("u", i), Lines: []checkout.PlaceLine{line(free, 1)}, Contact: contact,
		})
		if i == 1 {
			require.Equal(t, "unpaid_limit", errs.CodeOf(err))
		}
	}
	s.sound()
}

func TestStrayMoneyIsRecordedOnce(t *testing.T) {
	s := newShop(t)
	r := payment.Report{State: payment.StatePaid, PaymentNo: "P20260101NOSUCH", TransactionID: "42", MerchantRef: "1900000001"}
	for i, want := range []checkout.Outcome{checkout.HeldMoney, checkout.Repeated} {
		got, err := s.svc.Settle(t.Context(), s.account, r, "callback")
		require.NoError(t, err, i)
		require.Equal(t, want, got)
	}
	s.sound()
}

func TestCancel(t *testing.T) {
	s := newShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 1)
	p := s.mustPlace("a", sku, 1)
	for range 2 {
		v, err := s.svc.Cancel(t.Context(), s.merchant.ID, p.Order.No, p.AccessToken)
		require.NoError(t, err)
		require.Equal(t, order.Closed, v.Order.Status)
	}
	_, err := s.place("b", checkout.PlaceLine{SKUID: sku.ID, Quantity: 1})
	require.NoError(t, err, "the card is back on the shelf")
	_, err = s.place("c", checkout.PlaceLine{SKUID: sku.ID, Quantity: 1})
	require.ErrorIs(t, err, stock.ErrSoldOut)
	s.sound()
}

func TestClosedShopTakesNoOrders(t *testing.T) {
	s := newShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 1)
	s.exec(`UPDATE merchants SET status = 'closed'`)
	_, err := s.place("a", checkout.PlaceLine{SKUID: sku.ID, Quantity: 1})
	require.Equal(t, "shop_closed", errs.CodeOf(err))
}

func TestRefundToldWithAnotherAmountIsHeld(t *testing.T) {
	s := newShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 1)
	p := s.mustPlace("a", sku, 1)
	_, err := s.svc.Settle(t.Context(), s.account, s.platform.pay(s.startPayment(p).No), "callback")
	require.NoError(t, err)
	v, err := s.refund(p, checkout.Part{})
	require.NoError(t, err)
	report := payment.RefundReport{State: payment.RefundSucceeded, RefundNo: v.Refunds[0].No, Amount: v.Refunds[0].Amount}
	report.Amount.Minor = 99
	for range 2 {
		require.NoError(t, s.svc.SettleRefund(t.Context(), s.account, report))
	}
	holds, err := s.svc.Holds(t.Context(), s.merchant.ID, [16]byte{}, 10)
	require.NoError(t, err)
	require.Len(t, holds, 1)
	require.Equal(t, order.Refunding, s.status(p))
	report.Amount.Minor = 100
	require.NoError(t, s.svc.SettleRefund(t.Context(), s.account, report))
	require.Equal(t, order.Refunded, s.status(p))
	s.sound()
}
