package checkout_test

import (
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
)

func amount(minor int64) checkout.Part { return checkout.Part{Minor: minor} }

func items(lineNo, quantity int) checkout.Part {
	return checkout.Part{Lines: []checkout.PartLine{{LineNo: lineNo, Quantity: quantity}}}
}

// mustRefund gives a part back and tells the order.
func (s *shop) mustRefund(p checkout.Placed, part checkout.Part) checkout.View {
	s.t.Helper()
	v, err := s.refund(p, part)
	require.NoError(s.t, err)
	s.sound()
	return v
}

// refuses fails unless a part is refused with a code and leaves no trace.
func (s *shop) refuses(p checkout.Placed, part checkout.Part, code string) {
	s.t.Helper()
	before := s.number(`SELECT COUNT(*) FROM refunds`)
	_, err := s.refund(p, part)
	require.Equal(s.t, code, errs.CodeOf(err))
	require.Equal(s.t, before, s.number(`SELECT COUNT(*) FROM refunds`))
	s.sound()
}

// TestPartsUntilNothingIsLeft: an order gives back items, an amount and the
// rest; the platform gets three refunds, the buyer keeps the keys until then.
func TestPartsUntilNothingIsLeft(t *testing.T) {
	s := newShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 3)
	p, pay := s.bought("a", sku, 3)

	v := s.mustRefund(p, items(1, 1))
	require.Equal(t, order.Delivered, v.Order.Status)
	require.Equal(t, []int64{100, 200}, []int64{v.Refunded.Minor, v.Refundable.Minor})
	require.Equal(t, []int{3, 1, 0, 2}, []int{v.Lines[0].Delivered, v.Lines[0].Refunded, v.Lines[0].Withdrawn, v.RefundableItems(v.Lines[0])})
	s.refuses(p, items(1, 3), "refund_line_too_much")
	v = s.mustRefund(p, amount(50))
	require.Equal(t, 1, v.RefundableItems(v.Lines[0]), "the money that is left is enough for one")
	s.refuses(p, items(1, 2), "refund_too_much")
	s.refuses(p, amount(151), "refund_too_much")
	s.refunds()
	require.Equal(t, order.Delivered, s.status(p))
	keys, err := s.svc.Reveal(t.Context(), s.merchant.ID, p.Order.No, p.AccessToken)
	require.NoError(t, err)
	require.Len(t, keys, 3, "cards that were delivered stay sold")
	require.Zero(t, s.available(sku))

	require.Equal(t, order.Refunding, s.mustRefund(p, checkout.Part{}).Order.Status)
	s.refunds()
	s.refunds()
	require.Equal(t, order.Refunded, s.status(p))
	s.refuses(p, amount(1), "order_state")
	var asked []int64
	for _, r := range s.platform.requests {
		require.Equal(t, []any{pay.No, int64(300)}, []any{r.PaymentNo, r.Total.Minor})
		asked = append(asked, r.Amount.Minor)
	}
	require.ElementsMatch(t, []int64{100, 50, 150}, asked)
	s.sound()
}

// TestTheLastPartIsAll: parts that come to everything end the order as one
// refund does, whether lines or amounts name them.
func TestTheLastPartIsAll(t *testing.T) {
	for name, last := range map[string]checkout.Part{"line": items(1, 1), "amount": amount(100)} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			sku := s.product("card", catalog.Card, 100)
			s.cards(sku, 2)
			p, _ := s.bought("a", sku, 2)
			s.mustRefund(p, items(1, 1))
			require.Equal(t, order.Refunding, s.mustRefund(p, last).Order.Status)
			s.refunds()
			require.Equal(t, order.Refunded, s.status(p))
			s.sound()
		})
	}
}

// TestWorkOfPartsIsWithdrawnOnce: what nobody has made yet goes back to the
// shelf and to the contact's limit with its money, once; the rest is made, and
// what was made stays gone.
func TestWorkOfPartsIsWithdrawnOnce(t *testing.T) {
	s := newShop(t)
	work := s.product("work", catalog.Manual, 100, func(p *catalog.Product) { p.PerContactLimit = 4 })
	extra := s.product("extra", catalog.Manual, 10)
	_, err := catalog.NewService(s.db).SetCount(t.Context(), s.merchant.ID, "work", true, 4)
	require.NoError(t, err)
	p, err := s.place("a", checkout.PlaceLine{SKUID: work.ID, Quantity: 4}, checkout.PlaceLine{SKUID: extra.ID, Quantity: 1})
	require.NoError(t, err)
	require.Equal(t, checkout.Settled, s.settle(s.startPayment(p).No))

	v := s.mustRefund(p, items(1, 1))
	require.Equal(t, []int64{1, 3}, []int64{s.available(work), s.number(`SELECT quantity FROM purchase_counts`)})
	require.Equal(t, order.Paid, v.Order.Status)
	require.Equal(t, order.Paid, s.mustRefund(p, items(2, 1)).Order.Status)
	_, err = s.svc.DeliverByHand(t.Context(), s.merchant.ID, p.Order.No, 2, "made")
	require.Equal(t, "nothing_waiting", errs.CodeOf(err), "nobody works for what was given back")
	v, err = s.svc.DeliverByHand(t.Context(), s.merchant.ID, p.Order.No, 1, "made")
	require.NoError(t, err)
	require.Equal(t, order.Delivered, v.Order.Status)
	require.False(t, v.Lines[0].Waits())
	s.sound()
	require.Equal(t, 2, s.mustRefund(p, items(1, 1)).Lines[0].Refunded)
	require.Equal(t, int64(1), s.available(work), "what was made is gone")
	s.mustRefund(p, checkout.Part{})
	s.refunds()
	require.Equal(t, order.Refunded, s.status(p))
	require.Equal(t, int64(1), s.available(work))
	s.sound()
}

// TestWithdrawnLineEndsTheWait: when the only work that waited is given back,
// the rest of the order is delivered.
func TestWithdrawnLineEndsTheWait(t *testing.T) {
	s := newShop(t)
	card, work := s.product("card", catalog.Card, 100), s.product("work", catalog.Manual, 10)
	s.cards(card, 1)
	p, err := s.place("a", checkout.PlaceLine{SKUID: card.ID, Quantity: 1}, checkout.PlaceLine{SKUID: work.ID, Quantity: 2})
	require.NoError(t, err)
	require.Equal(t, checkout.Settled, s.settle(s.startPayment(p).No))
	require.Equal(t, order.Paid, s.status(p))
	require.Equal(t, order.Delivered, s.mustRefund(p, items(2, 2)).Order.Status)
	s.refunds()
	require.Equal(t, order.Delivered, s.status(p))
	s.sound()
}

// TestAmountsThenAllWithdrawTheRest: an order whose work was given back in part
// by line gives back the rest as a whole.
func TestAmountsThenAllWithdrawTheRest(t *testing.T) {
	s := newShop(t)
	work := s.product("work", catalog.Manual, 100)
	_, err := catalog.NewService(s.db).SetCount(t.Context(), s.merchant.ID, "work", true, 3)
	require.NoError(t, err)
	p, _ := s.bought("a", work, 3)
	s.mustRefund(p, amount(100))
	s.mustRefund(p, items(1, 1))
	require.Equal(t, order.Refunding, s.mustRefund(p, items(1, 1)).Order.Status, "that was all the money")
	require.Equal(t, int64(3), s.available(work))
	s.refunds()
	require.Equal(t, order.Refunded, s.status(p))
	s.sound()
}

// TestRefusedPartGoesBackOtherwise: a part that the platform refuses lies on
// the hold desk, with its line, and the order goes on without it.
func TestRefusedPartGoesBackOtherwise(t *testing.T) {
	for _, action := range []string{checkout.HoldRefund, checkout.HoldDismiss} {
		t.Run(action, func(t *testing.T) {
			s := newShop(t)
			sku := s.product("card", catalog.Card, 100)
			s.cards(sku, 2)
			p, _ := s.bought("a", sku, 2)
			s.platform.refuseRefunds = true
			s.mustRefund(p, items(1, 1))
			s.refunds()
			require.Equal(t, order.Delivered, s.status(p))
			s.sound()
			s.refuses(p, items(1, 2), "refund_line_too_much")
			s.refuses(p, amount(101), "refund_too_much")
			s.platform.refuseRefunds = false
			s.resolve(s.hold(), action)
			s.refunds()
			v, err := s.svc.OrderForStaff(t.Context(), s.merchant.ID, p.Order.No)
			require.NoError(t, err)
			require.Equal(t, order.Delivered, v.Order.Status)
			require.Equal(t, v.Refunds[1].ID, v.RefundLines[0].RefundID, "the line went with its money")
			s.sound()
			s.refuses(p, items(1, 2), "refund_line_too_much")
			s.mustRefund(p, items(1, 1))
			s.refunds()
			require.Equal(t, order.Refunded, s.status(p))
			require.Equal(t, int64(200), s.number(`SELECT SUM(refunded) FROM payments`))
			s.sound()
		})
	}
}

// TestPartThatSucceedsAfterAll: the platform does a refused part after staff
// made it again. The money is gone twice, so nothing is left of the order.
func TestPartThatSucceedsAfterAll(t *testing.T) {
	s := newShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 2)
	p, _ := s.bought("a", sku, 2)
	s.platform.refuseRefunds = true
	refused := s.mustRefund(p, items(1, 1)).Refunds[0]
	s.refunds()
	s.platform.refuseRefunds = false
	s.resolve(s.hold(), checkout.HoldRefund)
	s.refunds()
	report := payment.RefundReport{State: payment.RefundSucceeded, RefundNo: refused.No, Amount: refused.Amount}
	for range 2 {
		require.NoError(t, s.svc.SettleRefund(t.Context(), s.account, report))
		require.Equal(t, order.Refunded, s.status(p))
		s.sound()
	}
}

// TestPartOfAnArchivedOrder: the order comes back first, and when it is
// archived again what it gave back still counts.
func TestPartOfAnArchivedOrder(t *testing.T) {
	onEngines(t, func(t *testing.T, s *aged) {
		card := s.product("card", catalog.Card, 100)
		s.cards(card, 2)
		p := s.completed("a", card, 2)
		for range 2 {
			s.now.Advance(year)
			s.archive()
			require.True(t, s.isArchived(p))
			v := s.mustRefund(p, items(1, 1))
			require.False(t, s.isArchived(p))
			s.refunds()
			require.Equal(t, v.Refunded.Minor == 200, s.status(p) == order.Refunded)
		}
		s.sound()
	})
}

// TestParallelParts: whatever is asked of one order at the same time, no more
// than was paid is given back, and no more of a line than was bought.
func TestParallelParts(t *testing.T) {
	onEngines(t, func(t *testing.T, s *aged) {
		const clients, scarce, bought = 16, 5, 20 // more is asked of the scarce line than it has
		requests := 200
		if os.Getenv("PANSHI_TORTURE") == "long" {
			requests = 1000
		}
		card, text := s.product("card", catalog.Card, 100), s.product("text", catalog.Text, 100)
		s.cards(card, scarce)
		s.shareText(text)
		p, err := s.place("a", checkout.PlaceLine{SKUID: card.ID, Quantity: scarce}, checkout.PlaceLine{SKUID: text.ID, Quantity: bought - scarce})
		require.NoError(t, err)
		require.Equal(t, checkout.Settled, s.settle(s.startPayment(p).No))
		var given atomic.Int64
		var wg sync.WaitGroup
		for c := range clients {
			wg.Go(func() {
				for i := c; i < requests; i += clients {
					part := []checkout.Part{items(1, 1), amount(70), items(1, 2), amount(33)}[i%4]
					_, err := s.refund(p, part)
					if code := errs.CodeOf(err); err != nil {
						assert.Contains(t, refundCodes(), code)
						continue
					}
					given.Add(part.Minor)
					for _, l := range part.Lines {
						given.Add(100 * int64(l.Quantity))
					}
				}
			})
		}
		wg.Wait()
		s.sound()
		require.Equal(t, given.Load(), s.number(`SELECT SUM(amount) FROM refunds`))
		if given.Load() < 100*bought {
			s.mustRefund(p, checkout.Part{})
		}
		require.Equal(t, int64(100*bought), s.number(`SELECT SUM(amount) FROM refunds`))
		for s.status(p) != order.Refunded {
			s.refunds()
		}
		s.sound()
	})
}

// TestSoManyParts: platforms make only so many refunds of one payment; the last
// gives back all.
func TestSoManyParts(t *testing.T) {
	s, sku := oneCard(t)
	p, _ := s.bought("a", sku, 1)
	for range 49 {
		_, err := s.refund(p, amount(1))
		require.NoError(t, err)
	}
	s.refuses(p, amount(1), "too_many_refunds")
	require.Equal(t, order.Refunding, s.mustRefund(p, amount(51)).Order.Status)
}

// TestParallelRepeats: one request that arrives many times gives back once.
func TestParallelRepeats(t *testing.T) {
	onEngines(t, func(t *testing.T, s *aged) {
		sku := s.product("card", catalog.Card, 100)
		s.cards(sku, 1)
		p, _ := s.bought("a", sku, 1)
		r := checkout.RefundRequest{MerchantID: s.merchant.ID, OrderNo: p.Order.No, Key: "once", Reason: "asked", Part: amount(10)}
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				_, err := s.svc.RefundOrder(t.Context(), r)
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		require.Equal(t, int64(10), s.number(`SELECT SUM(amount) FROM refunds`))
		r.Part = amount(11)
		_, err := s.svc.RefundOrder(t.Context(), r)
		require.Equal(t, "idempotency_conflict", errs.CodeOf(err))
		s.sound()
	})
}

// TestPartIsTakenFromThePaymentThatHasIt: money of a second payment that lies
// on the desk is never part of a refund of the order.
func TestPartIsTakenFromThePaymentThatHasIt(t *testing.T) {
	s, sku := oneCard(t)
	p := s.mustPlace("a", sku, 1)
	short := s.startPayment(p)
	second, err := s.svc.StartPayment(t.Context(), checkout.PayRequest{
		MerchantID: s.merchant.ID, OrderNo: p.Order.No, Token: p.AccessToken, Key: "second",
	})
	require.NoError(t, err)
	report := s.platform.pay(short.No)
	report.Amount = money.Of(30, money.CNY)
	_, err = s.svc.Settle(t.Context(), s.account, report, "callback")
	require.NoError(t, err)
	require.Equal(t, checkout.Settled, s.settle(second.No))
	s.refuses(p, amount(101), "refund_too_much")
	s.mustRefund(p, amount(40))
	s.refunds()
	require.Equal(t, second.No, s.platform.requests[0].PaymentNo)
	s.sound()
}

// TestTakeFrom: one payment that has enough gives all, or the oldest first.
func TestTakeFrom(t *testing.T) {
	for want, takes := range map[int64][]int64{20: {0, 20}, 10: {10}, 30: {0, 0, 30}, 31: {10, 20, 1}, 60: {10, 20, 30}} {
		require.Equal(t, takes, checkout.TakeFrom([]int64{10, 20, 30}, want), "%d", want)
	}
}
