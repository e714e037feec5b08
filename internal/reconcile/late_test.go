package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/payment"
)

// A day is late on the third day behind it, until it is closed.
func TestLate(t *testing.T) {
	t.Parallel()
	s := newShop(t, "wechatpay")
	_, p := s.buy()
	date := s.tomorrow()
	s.bend = func(d *draft) { d.drop(payment.BillPayment, p.No); d.invent(payment.BillRefund, 7) }
	require.Equal(t, Differs, s.reconcile(date).State)
	late := func() (l Late) {
		require.NoError(t, s.db.View(t.Context(), func(tx *db.Tx) (err error) {
			l, err = LateTx(tx)
			return err
		}))
		return l
	}
	s.clock.Advance(24 * time.Hour)
	require.Equal(t, Late{}, late(), "two days ago")
	s.clock.Advance(24 * time.Hour)
	require.Equal(t, Late{Days: 1, Oldest: date, Cases: 2, Money: []Money{{"CNY", 1007}}}, late())
	s.bend = nil
	require.Equal(t, Closed, s.reconcile(date).State)
	require.Equal(t, Late{}, late())
}
