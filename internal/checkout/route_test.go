package checkout_test

import (
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/payment/routing"
)

// twin is a shop with two accounts of one channel, routed by health. The second
// account's platform is s.other.
func twin(t *testing.T) (s *shop, sku catalog.SKU, second payment.Account) {
	return twinOf(t, newShop(t))
}

func twinOf(t *testing.T, s *shop) (_ *shop, sku catalog.SKU, second payment.Account) {
	sku = s.product("card", catalog.Card, 100)
	s.cards(sku, 1)
	accounts := payment.NewAccounts(s.db, s.vault, map[string]payment.Factory{
		"wechatpay": func(config []byte) (payment.Provider, error) {
			if string(config) == `{"second":1}` {
				return s.other, nil
			}
			return s.platform, nil
		},
		"other": func([]byte) (payment.Provider, error) { return s.other, nil },
	})
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	s.accounts = accounts
	s.router = routing.New(accounts, clock.System{}, log)
	s.svc = checkout.New(s.db, s.vault, s.router, checkout.Defaults(), clock.System{}, log)
	second, err := accounts.Put(t.Context(), payment.Account{
		MerchantID: s.merchant.ID, Provider: "wechatpay", Method: "native", ExternalRef: "1900000001b", AppRef: "wx1",
		Name: "微信支付", On: true, Position: 1,
	}, []byte(`{"second":1}`))
	require.NoError(t, err)
	return s, sku, second
}

func (s *shop) rules(account payment.Account, change func(*payment.Rules)) {
	s.t.Helper()
	require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
		_, err := payment.SetRulesTx(tx, s.merchant.ID, account.ID, change)
		return err
	}))
}

func (s *shop) pay(p checkout.Placed, key string) (payment.Payment, error) {
	return s.svc.StartPayment(s.t.Context(), checkout.PayRequest{
		MerchantID: s.merchant.ID, OrderNo: p.Order.No, Token: p.AccessToken, Key: key,
	})
}

// TestSecondAccountTakesOver: the first account's platform does not answer, so
// the second gets a payment with another number; a repeat finds that one. The
// first stays to be asked about, and if both are paid, one is given back. (P110)
func TestSecondAccountTakesOver(t *testing.T) {
	s, sku, second := twin(t)
	s.platform.set(payment.ErrProviderBusy)
	placed := s.mustPlace("1", sku, 1)
	pay, err := s.pay(placed, "k")
	require.NoError(t, err)
	require.Equal(t, second.ID, pay.AccountID)
	again, err := s.pay(placed, "k")
	require.NoError(t, err)
	require.Equal(t, pay.No, again.No)
	require.Equal(t, int64(2), s.number(`SELECT COUNT(*) FROM payments`))
	require.Equal(t, int64(1), s.number(`SELECT COUNT(*) FROM payments WHERE status = 'creating' AND next_query_at IS NOT NULL`))
	s.sound()

	// The first platform had heard of it after all, and somebody pays both.
	s.platform.set(nil)
	first := s.paymentAt(s.account)
	_, err = s.platform.Create(t.Context(), payment.Request{PaymentNo: first, Amount: pay.Amount})
	require.NoError(t, err)
	second.ExternalRef, second.AppRef = "1900000001", "wx1"
	outcome, err := s.svc.Settle(t.Context(), second, s.other.pay(pay.No), "callback")
	require.NoError(t, err)
	require.Equal(t, checkout.Settled, outcome)
	require.Equal(t, order.Delivered, s.status(placed))
	s.platform.pay(first)
	s.exec(`UPDATE payments SET next_query_at = 1 WHERE next_query_at IS NOT NULL`)
	s.sweep("payments.query")
	s.refunds()
	require.Len(t, s.platform.requests, 1, "the second payment of an order goes back")
	require.Equal(t, pay.Amount, s.platform.requests[0].Amount)
	require.Equal(t, order.Delivered, s.status(placed))
	s.sound()
}

// paymentAt is the number of the one payment at an account.
func (s *shop) paymentAt(account payment.Account) (no string) {
	s.t.Helper()
	require.NoError(s.t, s.db.View(s.t.Context(), func(tx *db.Tx) error {
		return tx.Get([]any{&no}, `SELECT payment_no FROM payments WHERE account_id = $1`, account.ID)
	}))
	return no
}

// TestAllBusyUsesUpNoPayments: while no account answers, repeats send the same
// numbers again, and the buyer reads until when the order is kept and what else
// works.
func TestAllBusyUsesUpNoPayments(t *testing.T) {
	s, sku, _ := twin(t)
	third := s.secondAccount()
	s.platform.set(payment.ErrProviderBusy)
	s.other.set(payment.ErrProviderBusy)
	placed := s.mustPlace("1", sku, 1)
	for range 12 {
		_, err := s.pay(placed, "k")
		require.Equal(t, "payment_busy", errs.CodeOf(err))
		var told *errs.Error
		require.ErrorAs(t, err, &told)
		require.Equal(t, third.ID.String(), told.Params["channels"])
		require.NotEmpty(t, told.Params["until"])
		require.NotEmpty(t, told.Params["expires_at"])
	}
	require.Equal(t, int64(2), s.number(`SELECT COUNT(*) FROM payments`))
	require.Equal(t, order.Pending, s.status(placed))
	s.sound()
}

// TestLimitsChooseTheAccount: an account whose day is full, that is too small
// or closed at this hour is passed over; when none is left the channel says so.
func TestLimitsChooseTheAccount(t *testing.T) {
	s, sku, second := twin(t)
	s.cards(sku, 3)
	s.rules(s.account, func(r *payment.Rules) { r.Limits.DayCount = 1 })
	pay, err := s.pay(s.mustPlace("1", sku, 1), "k")
	require.NoError(t, err)
	require.Equal(t, s.account.ID, pay.AccountID)
	placed := s.mustPlace("2", sku, 1)
	pay, err = s.pay(placed, "k")
	require.NoError(t, err)
	require.Equal(t, second.ID, pay.AccountID, "the first account's day is full")
	s.rules(second, func(r *payment.Rules) { r.Limits.MinAmount = 10_000 })
	_, err = s.pay(placed, "k2")
	require.Equal(t, "channel_unfit", errs.CodeOf(err))
	s.exec(`UPDATE payments SET status = 'closed', next_query_at = NULL WHERE account_id = $1`, s.account.ID)
	pay, err = s.pay(placed, "k2")
	require.NoError(t, err)
	require.Equal(t, s.account.ID, pay.AccountID, "what was closed unpaid does not count")
	offers, err := s.accounts.Offers(t.Context(), s.merchant.ID, payment.Want{Amount: pay.Amount})
	require.NoError(t, err)
	require.Len(t, offers, 1)
	require.False(t, offers[0].On)
}

// TestHangingPlatformCostsAMoment: a first account that hangs costs a buyer half
// of three seconds; when both hang, three. After five such calls its breaker is
// open and costs nothing, and after 5 s a probe finds that it is well. The time
// is the bubble's. (P106, P110)
func TestHangingPlatformCostsAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, sku, second := twinOf(t, newShopOn(t, dbtest.SQLite(t)))
		s.cards(sku, 20)
		s.platform.hang = time.Hour
		begun := time.Now()
		pay, err := s.pay(s.mustPlace("1", sku, 1), "k")
		require.NoError(t, err)
		require.Equal(t, second.ID, pay.AccountID)
		require.Less(t, time.Since(begun), 2*time.Second)

		s.other.hang = time.Hour
		waiting := s.mustPlace("2", sku, 1)
		for range 5 {
			begun = time.Now()
			_, err = s.pay(waiting, "k")
			require.Equal(t, "payment_busy", errs.CodeOf(err))
			require.LessOrEqual(t, time.Since(begun), 3*time.Second)
		}
		begun = time.Now()
		_, err = s.pay(waiting, "k")
		require.Equal(t, "payment_busy", errs.CodeOf(err))
		require.Zero(t, time.Since(begun), "open breakers do not wait")
		offers, err := s.router.Channels(t.Context(), s.merchant.ID)
		require.NoError(t, err)
		require.Len(t, offers, 1, "two accounts are one channel")
		require.False(t, offers[0].On)

		s.platform.hang, s.other.hang = 0, 0
		time.Sleep(5 * time.Second)
		pay, err = s.pay(waiting, "k")
		require.NoError(t, err)
		require.Equal(t, payment.Open, pay.Status)
		offers, err = s.router.Channels(t.Context(), s.merchant.ID)
		require.NoError(t, err)
		require.True(t, offers[0].On)
		s.sound()
	})
}
