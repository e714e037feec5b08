package reconcile

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/checkout"
	"panshi/internal/id"
)

// What became store credit is in no platform's bill: the day closes all the same.
func TestRefundAsCreditIsInNoBill(t *testing.T) {
	t.Parallel()
	s := newShop(t, "wechatpay")
	o, _ := s.buy()
	s.buy()
	_, err := s.checkout.RefundOrder(t.Context(), checkout.RefundRequest{
		MerchantID: s.merchant.ID, OrderNo: o.No, Key: id.New().String(), Reason: "rather so", Target: checkout.Target{ToCredit: true},
	})
	require.NoError(t, err)
	s.pushed()
	d := s.reconcile(s.tomorrow())
	require.Empty(t, d.Cases)
	require.Equal(t, []any{Closed, int64(2), int64(0), int64(2000)}, []any{d.State, d.BillCount, d.BillRefunded, d.LedgerNet})
	require.Empty(t, s.broken())
}
