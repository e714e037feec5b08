package checkout_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/audit"
	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/ledger"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
)

func (s *shop) resolve(h payment.Hold, action string) {
	s.t.Helper()
	require.NoError(s.t, s.svc.ResolveHold(s.t.Context(), s.merchant.ID, h.ID, action, "test"))
}

func (s *shop) refundOrder(p checkout.Placed) {
	s.t.Helper()
	_, err := s.svc.RefundOrder(s.t.Context(), s.merchant.ID, p.Order.No, "buyer asked")
	require.NoError(s.t, err)
}

// oneCard is a shop with one card to sell.
func oneCard(t *testing.T) (*shop, catalog.SKU) {
	s := newShop(t)
	sku := s.product("card", catalog.Card, 100)
	s.cards(sku, 1)
	return s, sku
}

func TestRefusedRefundCanBeTriedAgain(t *testing.T) {
	s, sku := oneCard(t)
	p, _ := s.bought("a", sku, 1)
	s.platform.refuseRefunds = true
	s.refundOrder(p)
	for range 2 {
		s.refunds()
		require.Equal(t, order.Held, s.status(p))
		s.sound()
		s.resolve(s.hold(), checkout.HoldRefund)
		require.Equal(t, order.Refunding, s.status(p))
		s.sound()
	}
	s.platform.refuseRefunds = false
	s.refunds()
	require.Equal(t, order.Refunded, s.status(p))
	require.Len(t, s.platform.refunds, 1)
	s.sound()
}

func TestRefusedRefundCanBeDoneByHand(t *testing.T) {
	s, sku := oneCard(t)
	p, _ := s.bought("a", sku, 1)
	s.platform.refuseRefunds = true
	s.refundOrder(p)
	s.refunds()
	require.Equal(t, "hold_action", errs.CodeOf(
		s.svc.ResolveHold(t.Context(), s.merchant.ID, s.hold().ID, checkout.HoldAccept, "")))
	s.resolve(s.hold(), checkout.HoldDismiss)
	require.Equal(t, order.Refunded, s.status(p))
	require.Empty(t, s.platform.refunds)
	s.sound()
}

func TestRefusedRefundOfLateMoneyLeavesStockAlone(t *testing.T) {
	s, sku := oneCard(t)
	p := s.mustPlace("a", sku, 1)
	pay := s.startPayment(p)
	s.expire()
	s.mustPlace("b", sku, 1)
	require.Equal(t, checkout.Refunding, s.settle(pay.No))
	s.platform.refuseRefunds = true
	s.refunds()
	s.resolve(s.hold(), checkout.HoldRefund)
	s.sound()
}

func TestRefusedRefundOfHeldMoneyReleasesOnce(t *testing.T) {
	s, sku := oneCard(t)
	p := s.mustPlace("a", sku, 1)
	report := s.platform.pay(s.startPayment(p).No)
	report.Amount.Minor--
	_, err := s.svc.Settle(t.Context(), s.account, report, "callback")
	require.NoError(t, err)
	s.platform.refuseRefunds = true
	s.resolve(s.hold(), checkout.HoldRefund)
	s.refunds()
	s.sound()
	s.platform.refuseRefunds = false
	s.resolve(s.hold(), checkout.HoldRefund)
	s.refunds()
	require.Equal(t, order.Refunded, s.status(p))
	require.Equal(t, int64(99), s.platform.requests[1].Amount.Minor)
	require.Equal(t, int64(99), s.platform.requests[1].Total.Minor)
	s.sound()
}

func TestRefundThatSucceedsAfterAll(t *testing.T) {
	s, sku := oneCard(t)
	p, _ := s.bought("a", sku, 1)
	s.platform.refuseRefunds = true
	s.refundOrder(p)
	s.refunds()
	v, err := s.svc.OrderForStaff(t.Context(), s.merchant.ID, p.Order.No)
	require.NoError(t, err)
	report := payment.RefundReport{State: payment.RefundSucceeded, RefundNo: v.Refunds[0].No, Amount: v.Refunds[0].Amount}
	for range 2 {
		require.NoError(t, s.svc.SettleRefund(t.Context(), s.account, report))
		require.Equal(t, order.Refunded, s.status(p))
		s.sound()
	}
	holds, err := s.svc.Holds(t.Context(), s.merchant.ID, [16]byte{}, 10)
	require.NoError(t, err)
	require.Empty(t, holds)
}

func TestSecondTransactionIsGivenBackAlone(t *testing.T) {
	s, sku := oneCard(t)
	p, pay := s.bought("a", sku, 1)
	report := s.platform.trades[pay.No]
	for _, no := range []string{"again", "and again"} {
		report.TransactionID = no
		for range 2 {
			_, err := s.svc.Settle(t.Context(), s.account, report, "callback")
			require.NoError(t, err)
		}
		s.sound()
		s.resolve(s.hold(), checkout.HoldRefund)
		s.refunds()
		require.Equal(t, order.Delivered, s.status(p))
		s.sound()
	}
	for _, r := range s.platform.requests {
		require.Equal(t, int64(100), r.Amount.Minor, "the buyer keeps the goods, so the shop keeps the price")
		require.Equal(t, int64(100), r.Total.Minor)
	}
}

// TestMoneyGivenBackElsewhereBuysNothing: the shop was away, the buyer was paid
// back in the platform's own console, and only then the shop hears of both. Who
// has the money does not get the goods too; what was served before stays so.
func TestMoneyGivenBackElsewhereBuysNothing(t *testing.T) {
	s, sku := oneCard(t)
	s.cards(sku, 1)
	p, pay := s.bought("served", sku, 1)
	report := s.platform.trades[pay.No]
	report.GivenBack = true
	outcome, err := s.svc.Settle(t.Context(), s.account, report, "callback")
	require.NoError(t, err)
	require.Equal(t, checkout.Repeated, outcome)
	require.Equal(t, order.Delivered, s.status(p))

	p = s.mustPlace("unheard", sku, 1)
	report = s.platform.pay(s.startPayment(p).No)
	report.GivenBack = true
	for _, want := range []checkout.Outcome{checkout.HeldMoney, checkout.Repeated} {
		outcome, err := s.svc.Settle(t.Context(), s.account, report, "query")
		require.NoError(t, err)
		require.Equal(t, want, outcome)
	}
	require.Equal(t, order.Held, s.status(p))
	require.Equal(t, "given_back", s.hold().Reason)
	s.sound()
}

func TestStaffRefundLeavesOpenCasesToTheDesk(t *testing.T) {
	s, sku := oneCard(t)
	p, pay := s.bought("a", sku, 1)
	report := s.platform.trades[pay.No]
	report.TransactionID = "again"
	_, err := s.svc.Settle(t.Context(), s.account, report, "callback")
	require.NoError(t, err)
	s.refundOrder(p)
	s.refunds()
	require.Equal(t, order.Refunded, s.status(p))
	require.Equal(t, int64(100), s.platform.requests[0].Amount.Minor)
	s.sound()
	s.resolve(s.hold(), checkout.HoldDismiss)
	s.sound()
}

func TestTwoMismatchesOfOnePaymentAreTwoCases(t *testing.T) {
	for _, currency := range []money.Currency{money.CNY, "USD"} {
		s, sku := oneCard(t)
		report := s.platform.pay(s.startPayment(s.mustPlace("a", sku, 1)).No)
		report.Amount = money.Of(1, currency)
		for _, no := range []string{"1", "2", "3", "3"} {
			report.TransactionID = no
			_, err := s.svc.Settle(t.Context(), s.account, report, "callback")
			require.NoError(t, err)
		}
		require.Equal(t, int64(3), s.number(`SELECT COUNT(*) FROM holds`))
		s.sound()
	}
}

func TestMoneyForAnOrderWhoseRefundFailedGoesBack(t *testing.T) {
	s, sku := oneCard(t)
	p := s.mustPlace("a", sku, 1)
	first := s.startPayment(p)
	second, err := s.svc.StartPayment(t.Context(), checkout.PayRequest{
		MerchantID: s.merchant.ID, OrderNo: p.Order.No, Token: p.AccessToken, Key: "second",
	})
	require.NoError(t, err)
	require.Equal(t, checkout.Settled, s.settle(first.No))
	s.platform.refuseRefunds = true
	s.refundOrder(p)
	s.refunds()
	require.Equal(t, order.Held, s.status(p))
	require.Equal(t, checkout.Refunding, s.settle(second.No))
	s.sound()
	s.platform.refuseRefunds = false
	s.refunds()
	require.Equal(t, order.Held, s.status(p), "the first refund still waits for a person")
	s.resolve(s.hold(), checkout.HoldRefund)
	s.refunds()
	require.Equal(t, order.Refunded, s.status(p))
	s.sound()
}

func TestHeldOrderIsForTheHoldDeskOnly(t *testing.T) {
	s, sku := oneCard(t)
	p := s.mustPlace("a", sku, 1)
	report := s.platform.pay(s.startPayment(p).No)
	report.Amount.Minor++
	_, err := s.svc.Settle(t.Context(), s.account, report, "callback")
	require.NoError(t, err)
	_, err = s.svc.RefundOrder(t.Context(), s.merchant.ID, p.Order.No, "x")
	require.Equal(t, "order_on_hold", errs.CodeOf(err))
	s.sound()
}

func TestRefundOfWaitingWorkGivesStockBack(t *testing.T) {
	s := newShop(t)
	sku := s.product("manual", catalog.Manual, 5000, func(p *catalog.Product) { p.PerContactLimit = 2 })
	_, err := catalog.NewService(s.db).SetCount(t.Context(), s.merchant.ID, "manual", true, 2)
	require.NoError(t, err)
	p, _ := s.bought("a", sku, 2)
	s.refundOrder(p)
	s.sound()
	s.refunds()
	require.Equal(t, order.Refunded, s.status(p))
	require.Equal(t, int64(2), s.number(`SELECT available FROM stock`), "nothing was made, so nothing is gone")
	require.Zero(t, s.number(`SELECT COUNT(*) FROM deliveries WHERE status = 'waiting'`), "nobody works for a refunded order")
	require.Zero(t, s.number(`SELECT quantity FROM purchase_counts`))
	s.sound()
}

func TestAcceptedMoneyIsSales(t *testing.T) {
	s, sku := oneCard(t)
	p := s.mustPlace("a", sku, 1)
	report := s.platform.pay(s.startPayment(p).No)
	report.Amount.Minor++
	_, err := s.svc.Settle(t.Context(), s.account, report, "callback")
	require.NoError(t, err)
	ctx := audit.WithOrigin(t.Context(), audit.Actor{Kind: "staff", ID: "7"}, "req-1")
	require.NoError(t, s.svc.ResolveHold(ctx, s.merchant.ID, s.hold().ID, checkout.HoldAccept, "fine"))
	require.Equal(t, order.Delivered, s.status(p))
	s.sound()
	for account, want := range map[string]int64{ledger.Sales: -101, ledger.Suspense: 0} {
		require.Equal(t, want, s.balance(account), account)
	}
	require.Zero(t, s.number(`SELECT COUNT(*) FROM audit_records WHERE action = 'order.settled_by_hand' AND actor_kind <> 'staff'`))
	s.refundOrder(p)
	s.refunds()
	require.Equal(t, order.Refunded, s.status(p))
	require.Zero(t, s.balance(ledger.Sales))
	s.sound()
}

func (s *shop) balance(account string) int64 {
	s.t.Helper()
	var got money.Amount
	require.NoError(s.t, s.db.View(s.t.Context(), func(tx *db.Tx) (err error) {
		got, err = ledger.BalanceTx(tx, s.merchant.ID, account, money.CNY)
		return err
	}))
	return got.Minor
}

func TestTrailNamesWhoGaveMoneyBack(t *testing.T) {
	s, sku := oneCard(t)
	p, _ := s.bought("a", sku, 1)
	ctx := audit.WithOrigin(t.Context(), audit.Actor{Kind: "staff", ID: "7"}, "req-1")
	_, err := s.svc.RefundOrder(ctx, s.merchant.ID, p.Order.No, "asked")
	require.NoError(t, err)
	require.Equal(t, int64(1), s.number(`SELECT COUNT(*) FROM audit_records
		WHERE action = 'refund.promised' AND actor_kind = 'staff' AND actor_id = '7' AND request_id = 'req-1'`))
}

func TestGoodsGivenBackAreNotShown(t *testing.T) {
	s, sku := oneCard(t)
	p, _ := s.bought("a", sku, 1)
	s.refundOrder(p)
	for range 2 {
		_, err := s.svc.Reveal(t.Context(), s.merchant.ID, p.Order.No, p.AccessToken)
		require.Equal(t, "goods_refunded", errs.CodeOf(err))
		s.refunds()
	}
}

func TestRefundAnswersThatDoNotFit(t *testing.T) {
	s, sku := oneCard(t)
	p, _ := s.bought("a", sku, 1)
	s.platform.set(context.DeadlineExceeded) // the platform may have heard
	s.refundOrder(p)
	s.refunds()
	s.platform.set(nil)
	s.platform.failed = payment.ErrRejected
	s.refunds()
	require.Equal(t, order.Refunding, s.status(p), "a question refused is no refund refused")
	s.platform.failed = nil
	v, err := s.svc.OrderForStaff(t.Context(), s.merchant.ID, p.Order.No)
	require.NoError(t, err)
	no := v.Refunds[0].No
	s.platform.refunds[no] = payment.RefundReport{State: payment.RefundSucceeded, RefundNo: no, Amount: money.Of(1, money.CNY)}
	for range 2 {
		s.refunds()
	}
	require.Equal(t, order.Refunding, s.status(p))
	require.Equal(t, "refund_mismatch", s.hold().Reason)
	require.Empty(t, s.platform.requests, "what the platform knows is not asked for again")
	s.sound()
}

func TestRefundsWithoutAPlatformDoNotBlockOthers(t *testing.T) {
	s, sku := oneCard(t)
	p, _ := s.bought("a", sku, 1)
	s.refundOrder(p)
	s.exec(`UPDATE payment_accounts SET provider = 'gone', version = version + 1`)
	s.exec(`UPDATE refunds SET next_try_at = 1`)
	for _, sw := range s.svc.Sweeps() {
		if sw.Name == "refunds.push" {
			_, _ = sw.Run(t.Context())
		}
	}
	require.Greater(t, s.number(`SELECT next_try_at FROM refunds`), int64(1))
	s.sound()
}
