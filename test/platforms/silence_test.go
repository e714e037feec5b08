package platforms_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/checkout"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// unheard is a buyer of whose payment no callback tells.
type unheard struct {
	checkout.Placed
	payment payment.Payment
	paysAt  int // seconds after ordering
	served  int // the same; 0: not yet
}

// TestWithoutCallbacks: no callback ever comes, by any way to pay. Whenever in
// its order's life a buyer pays, the first second and the last included, the
// shop has asked within a minute. The time is the bubble's.
func TestWithoutCallbacks(t *testing.T) {
	state := enlisted(t)
	life := int(checkout.Defaults().OrderTTL / time.Second)
	for _, w := range ways() {
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newBubbleTill(t, w, state)
				buyers := []*unheard{{paysAt: life - 1}}
				for at := 0; at < life; at += 71 { // beside the rhythm of the questions
					buyers = append(buyers, &unheard{paysAt: at})
				}
				for _, b := range buyers {
					b.Placed = s.order()
					var err error
					b.payment, err = s.start(b.Placed)
					require.NoError(t, err)
				}
				for second := range life + 60 {
					s.second(buyers, second)
				}
				for _, b := range buyers {
					require.NotZero(t, b.served, "paid after %d s, and never served", b.paysAt)
					require.LessOrEqual(t, b.served-b.paysAt, 60, "paid after %d s", b.paysAt)
				}
				s.sound()
			})
		})
	}
}

// second lets buyers pay whose moment it is, and a second pass.
func (s *till) second(buyers []*unheard, second int) {
	s.t.Helper()
	for _, b := range buyers {
		if b.paysAt == second {
			s.pay(b.payment)
		}
	}
	time.Sleep(time.Second)
	for _, sw := range s.svc.Sweeps() {
		if sw.Every == time.Second {
			_, err := sw.Run(s.t.Context())
			require.NoError(s.t, err)
		}
	}
	for _, b := range buyers {
		if b.served != 0 || b.paysAt > second {
			continue
		}
		v, err := s.svc.Order(s.t.Context(), s.shop.ID, b.Order.No, b.AccessToken)
		require.NoError(s.t, err)
		if v.Order.Status == order.Paid {
			b.served = second + 1
		}
	}
}
