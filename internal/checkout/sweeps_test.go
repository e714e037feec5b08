package checkout_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// run runs one sweep by name and ignores how it went.
func (s *shop) run(name string) {
	s.t.Helper()
	for _, sw := range s.svc.Sweeps() {
		if sw.Name == name {
			_, _ = sw.Run(s.t.Context())
			return
		}
	}
	s.t.Fatalf("no sweep %s", name)
}

func TestAPlatformThatContradictsItselfDoesNotBlockExpiry(t *testing.T) {
	s, sku := oneCard(t)
	p := s.mustPlace("a", sku, 1)
	s.startPayment(p)
	s.platform.lies = true
	s.exec(`UPDATE orders SET due_at = 1, expires_at = 1`)
	s.run("orders.expire")
	require.Equal(t, order.Pending, s.status(p))
	require.Greater(t, s.number(`SELECT due_at FROM orders`), time.Now().UnixMilli())
	s.sound()
	s.platform.lies = false
	s.expire()
	require.Equal(t, order.Closed, s.status(p))
}

func TestOtherPaymentsOfAServedOrderAreClosed(t *testing.T) {
	s, sku := oneCard(t)
	p := s.mustPlace("a", sku, 1)
	first := s.startPayment(p)
	second, err := s.svc.StartPayment(t.Context(), checkout.PayRequest{
		MerchantID: s.merchant.ID, OrderNo: p.Order.No, Token: p.AccessToken, Key: "second",
	})
	require.NoError(t, err)
	require.Equal(t, checkout.Settled, s.settle(first.No))
	s.exec(`UPDATE payments SET next_query_at = 1 WHERE status = 'open'`)
	s.sweep("payments.query")
	require.Equal(t, payment.StateClosed, s.platform.trades[second.No].State, "nobody can pay this order again")
	require.Zero(t, s.number(`SELECT COUNT(*) FROM payments WHERE status IN ('creating', 'open')`))
	s.sound()
}

// TestAPlatformThatHangsHoldsUpOnlyItself has many orders at a platform that
// hangs, due before one at a platform that answers.
func TestAPlatformThatHangsHoldsUpOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		good := s.secondAccount()
		sku := s.product("text", catalog.Text, 1)
		for i := range 300 {
			s.startPayment(s.mustPlace(fmt.Sprint(i), sku, 1))
			time.Sleep(time.Millisecond)
		}
		other := s.mustPlace("other", sku, 1)
		_, err := s.svc.StartPayment(t.Context(), checkout.PayRequest{
			MerchantID: s.merchant.ID, OrderNo: other.Order.No, Token: other.AccessToken, Key: "k", Channel: good.ID,
		})
		require.NoError(t, err)
		s.platform.mu.Lock()
		s.platform.hang = 5 * time.Second
		s.platform.mu.Unlock()
		time.Sleep(15 * time.Minute)
		start := time.Now()
		for s.status(other) == order.Pending && time.Since(start) < time.Hour {
			s.run("orders.expire")
			time.Sleep(time.Second)
		}
		require.Less(t, time.Since(start), 30*time.Second)
	})
}
