package checkout_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/checkout"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// by gives the shop another channel at the platform and pays an order there.
func (s *shop) by(method string, p checkout.Placed, payer string) (payment.Payment, error) {
	s.t.Helper()
	acc := s.account
	acc.Method = method
	acc, err := s.accounts.Put(s.t.Context(), acc, []byte(`{}`))
	require.NoError(s.t, err)
	return s.svc.StartPayment(s.t.Context(), checkout.PayRequest{
		MerchantID: s.merchant.ID, OrderNo: p.Order.No, Token: p.AccessToken, Key: "pay-" + method, Channel: acc.ID, PayerID: payer,
	})
}

// TestAnAddressIsRenewed: a repeat gets the same address while it opens, then
// another under the same number, and the old one while the platform is busy.
func TestAnAddressIsRenewed(t *testing.T) {
	s, sku := oneCard(t)
	p := s.mustPlace("a", sku, 1)
	want := func(url string) {
		t.Helper()
		got, err := s.by("h5", p, "")
		require.NoError(t, err)
		i, ok := got.Instruction()
		require.True(t, ok)
		require.Equal(t, payment.Instruction{Kind: "redirect", URL: url + "?back=/orders/" + p.Order.No}, i)
	}
	want("https://h5.example/1")
	want("https://h5.example/1")
	s.exec(`UPDATE payments SET created_at = $1`, db.Millis(time.Now().Add(-5*time.Minute)))
	s.platform.set(payment.ErrProviderBusy)
	want("https://h5.example/1")
	s.platform.set(nil)
	want("https://h5.example/2")
	require.Len(t, s.platform.trades, 1)
	s.sound()
}

// TestPayerIsWanted: who pays inside WeChat is named; nothing is begun before.
func TestPayerIsWanted(t *testing.T) {
	s, sku := oneCard(t)
	p := s.mustPlace("a", sku, 1)
	for payer, code := range map[string]string{"": "payer_id_missing", "o b": "payer_id_invalid"} {
		_, err := s.by("jsapi", p, payer)
		require.Equal(t, code, errs.CodeOf(err))
	}
	require.Zero(t, s.number(`SELECT COUNT(*) FROM payments`))
}

// TestNewsOfARefundIsAskedFor: a platform that only says that a refund has news
// is asked at once, and only by its own account.
func TestNewsOfARefundIsAskedFor(t *testing.T) {
	s, sku := oneCard(t)
	p, _ := s.bought("a", sku, 1)
	s.platform.set(payment.ErrProviderBusy)
	s.refundOrder(p)
	s.refunds()
	s.platform.set(nil)
	require.NoError(t, s.svc.AskRefund(t.Context(), s.account, "R1"), "not ours")
	var no string
	require.NoError(t, s.db.View(t.Context(), func(tx *db.Tx) error {
		return tx.Get([]any{&no}, `SELECT refund_no FROM refunds`)
	}))
	s.exec(`UPDATE refunds SET next_try_at = $1`, db.Millis(time.Now().Add(time.Hour)))
	for _, c := range []struct {
		account payment.Account
		want    order.Status
	}{{s.secondAccount(), order.Refunding}, {s.account, order.Refunded}} {
		require.NoError(t, s.svc.AskRefund(t.Context(), c.account, no))
		s.run("refunds.push")
		require.Equal(t, c.want, s.status(p))
	}
	s.sound()
}
