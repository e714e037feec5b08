package checkout_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// paidAt places an order, starts its payment and pays it at the platform,
// which has not told yet.
func (s *shop) paidAt(key string, lines ...checkout.PlaceLine) (checkout.Placed, payment.Report) {
	s.t.Helper()
	p, err := s.place(key, lines...)
	require.NoError(s.t, err)
	return p, s.platform.pay(s.startPayment(p).No)
}

// TestABatchOfReportsSettlesWhatFits puts one report of every kind into one
// batch.
func TestABatchOfReportsSettlesWhatFits(t *testing.T) {
	s := newServerShop(t)
	acc := s.secondAccount()
	card, text, work := s.product("card", catalog.Card, 100), s.product("text", catalog.Text, 30), s.product("work", catalog.Manual, 50)
	empty := s.product("empty", catalog.Text, 30)
	s.cards(card, 60)
	s.shareText(text)

	cards, paidCards := s.paidAt("cards", of(card, 3), of(text, 1))
	shared, paidShared := s.paidAt("text", of(text, 2))
	manual, paidManual := s.paidAt("work", of(work, 1), of(card, 1))
	waits, paidEmpty := s.paidAt("empty", of(empty, 1))
	_, short := s.paidAt("short", of(text, 1))
	short.Amount.Minor--
	_, told := s.paidAt("told", of(text, 1))
	require.Equal(t, checkout.Settled, s.settle(told.PaymentNo))
	closed, late := s.paidAt("late", of(card, 1))
	s.platform.set(payment.ErrProviderBusy)
	s.exec(`UPDATE orders SET due_at = 1, expires_at = 1 WHERE id = $1`, closed.Order.ID)
	s.sweep("orders.expire")
	s.platform.set(nil)
	twice, paidTwice := s.paidAt("twice", of(card, 1))
	again, err := s.svc.StartPayment(t.Context(), checkout.PayRequest{
		MerchantID: s.merchant.ID, OrderNo: twice.Order.No, Token: twice.AccessToken, Key: "second",
	})
	require.NoError(t, err)
	stray := paidShared
	stray.PaymentNo, stray.TransactionID = "P20260101NOSUCH", "42"
	charged := paidCards
	charged.TransactionID += "/2"

	batch := []struct {
		told checkout.Told
		want checkout.Outcome // of the batch
		then checkout.Outcome // of the same report told alone afterwards
	}{
		{checkout.Told{Account: s.account, Report: paidCards}, checkout.Settled, checkout.Repeated},
		{checkout.Told{Account: s.account, Report: paidCards}, "alone", checkout.Repeated},
		{checkout.Told{Account: s.account, Report: charged}, "alone", checkout.HeldMoney},
		{checkout.Told{Account: s.account, Report: paidShared}, checkout.Settled, checkout.Repeated},
		{checkout.Told{Account: s.account, Report: paidManual}, checkout.Settled, checkout.Repeated},
		{checkout.Told{Account: s.account, Report: paidEmpty}, checkout.Settled, checkout.Repeated},
		{checkout.Told{Account: s.account, Report: short}, "alone", checkout.HeldMoney},
		{checkout.Told{Account: s.account, Report: told}, "alone", checkout.Repeated},
		{checkout.Told{Account: s.account, Report: late}, "alone", checkout.Late},
		{checkout.Told{Account: s.account, Report: paidTwice}, checkout.Settled, checkout.Repeated},
		{checkout.Told{Account: s.account, Report: s.platform.pay(again.No)}, "alone", checkout.Refunding},
		{checkout.Told{Account: s.account, Report: stray}, "alone", checkout.HeldMoney},
		{checkout.Told{Account: acc, Report: paidShared}, "alone", checkout.HeldMoney},
	}
	reports := make([]checkout.Told, len(batch))
	for i, b := range batch {
		reports[i] = b.told
	}
	outcomes, err := s.svc.SettleTogether(t.Context(), reports)
	require.NoError(t, err)
	s.sound()
	require.Equal(t, order.Delivered, s.status(cards))
	require.Equal(t, order.Delivered, s.status(shared))
	require.Equal(t, order.Paid, s.status(manual), "work waits for a person")
	require.Equal(t, order.Paid, s.status(waits), "there is no text yet")
	require.Equal(t, int64(5+1), s.number(`SELECT COUNT(*) FROM audit_records WHERE action = 'order.settled'`), "and the one told before")
	for i, b := range batch {
		require.Equal(t, b.want, outcomes[i], i)
		got, err := s.svc.Settle(t.Context(), b.told.Account, b.told.Report, "callback")
		require.NoError(t, err)
		require.Equal(t, b.then, got, i)
	}
	s.sound()
	keys, err := s.svc.Reveal(t.Context(), s.merchant.ID, cards.Order.No, cards.AccessToken)
	require.NoError(t, err)
	require.Len(t, keys, 4)
}

// TestReportsFromManyHandsHaveOneEffect tells two processes of the same money,
// many times at once: nobody hears an error, and one delivers.
func TestReportsFromManyHandsHaveOneEffect(t *testing.T) {
	s := newServerShop(t)
	sku := s.product("card", catalog.Card, 100)
	const orders, times = 12, 6
	s.cards(sku, orders)
	nodes := []*checkout.Service{s.svc, s.node()}
	var reports []payment.Report
	for i := range orders {
		_, r := s.paidAt(fmt.Sprint(i), of(sku, 1))
		reports = append(reports, r)
	}
	outcomes, failures := together(orders*times, func(i int) (checkout.Outcome, error) {
		return nodes[i%2].Settle(t.Context(), s.account, reports[i/times], "callback")
	})
	require.NoError(t, errors.Join(failures...))
	settled := 0
	for _, o := range outcomes {
		if o == checkout.Settled {
			settled++
			continue
		}
		require.Equal(t, checkout.Repeated, o)
	}
	require.Equal(t, orders, settled)
	s.sound()
}

// TestTwoTransactionsAtOnceAreOneSaleAndOneCase: a platform that charged twice
// tells two processes at the same moment.
func TestTwoTransactionsAtOnceAreOneSaleAndOneCase(t *testing.T) {
	s := newServerShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 10)
	nodes := []*checkout.Service{s.svc, s.node()}
	for n := range 5 {
		_, r := s.paidAt(fmt.Sprint(n), of(sku, 1))
		stray := r
		stray.PaymentNo = "P2026NOSUCH" + fmt.Sprint(n)
		outcomes, failures := together(6, func(i int) (checkout.Outcome, error) {
			told := r
			told.TransactionID += []string{"", "/2", ""}[i%3]
			if i%3 == 2 {
				told = stray
			}
			return nodes[i%2].Settle(t.Context(), s.account, told, "callback")
		})
		require.NoError(t, errors.Join(failures...))
		require.ElementsMatch(t, []checkout.Outcome{
			checkout.Settled, checkout.Repeated, checkout.HeldMoney, checkout.Repeated, checkout.HeldMoney, checkout.Repeated,
		}, outcomes)
	}
	require.Equal(t, int64(10), s.number(`SELECT COUNT(*) FROM holds`))
	s.sound()
}

// TestPaidAndExpiredAtOnce lets money and the end of the time to pay meet.
func TestPaidAndExpiredAtOnce(t *testing.T) {
	s := newServerShop(t)
	sku := s.product("card", catalog.Card, 100)
	const orders = 16
	s.cards(sku, orders)
	other := s.node()
	var reports []payment.Report
	for i := range orders {
		_, r := s.paidAt(fmt.Sprint(i), of(sku, 1))
		reports = append(reports, r)
	}
	s.exec(`UPDATE orders SET due_at = 1, expires_at = 1`)
	s.platform.set(payment.ErrProviderBusy) // the shop closes without the platform's word
	_, failures := together(orders+1, func(i int) (checkout.Outcome, error) {
		if i == orders {
			for _, sw := range other.Sweeps() {
				if sw.Name == "orders.expire" {
					_, err := sw.Run(t.Context())
					return "", err
				}
			}
		}
		return s.svc.Settle(t.Context(), s.account, reports[i], "callback")
	})
	require.NoError(t, errors.Join(failures...))
	require.Equal(t, int64(orders), s.number(`SELECT COUNT(*) FROM orders WHERE status = 'delivered'`))
	s.sound()
}
