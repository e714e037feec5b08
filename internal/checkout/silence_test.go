package checkout_test

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/db/dbtest"
	"panshi/internal/jobs"
	"panshi/internal/order"
	"panshi/internal/payment"
)

// timed is a shop whose clock the test turns, and whose platform tells nobody.
type timed struct {
	*shop
	clock *clock.Manual
	asks  *asked
}

// asked notes when a platform was asked about each payment.
type asked struct {
	*platform
	clock *clock.Manual

	mu sync.Mutex
	at map[string][]time.Time // guarded by mu
}

// Query implements payment.Provider.
func (a *asked) Query(ctx context.Context, no string) (payment.Report, error) {
	a.mu.Lock()
	a.at[no] = append(a.at[no], a.clock.Now())
	a.mu.Unlock()
	return a.platform.Query(ctx, no)
}

func newTimed(t *testing.T) *timed {
	c := clock.NewManual(time.Date(2026, 5, 4, 3, 0, 0, 0, time.UTC))
	d := dbtest.Open(t, dbtest.Options{Clock: c})
	s := &timed{shop: newShopOn(t, d), clock: c}
	s.asks = &asked{platform: s.platform, clock: c, at: map[string][]time.Time{}}
	accounts := payment.NewAccounts(d, s.vault, map[string]payment.Factory{
		"wechatpay": func([]byte) (payment.Provider, error) { return s.asks, nil },
	})
	cfg := checkout.Defaults()
	cfg.UnpaidLimit = 0
	s.svc = checkout.New(d, s.vault, accounts, cfg, c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	return s
}

// tick lets a second pass, with what the shop does in it by itself.
func (s *timed) tick() {
	s.clock.Advance(time.Second)
	for _, sw := range s.svc.Sweeps() {
		if sw.Every == time.Second {
			s.drain(sw)
		}
	}
}

func (s *timed) drain(sw jobs.Sweep) {
	for more := true; more; {
		var err error
		more, err = sw.Run(s.t.Context())
		require.NoError(s.t, err)
	}
}

// TestWithoutCallbacks: no callback ever comes. Whenever in its order's life a
// buyer pays, the first second and the last included, the goods are there
// within a minute.
func TestWithoutCallbacks(t *testing.T) {
	s := newTimed(t)
	sku := s.product("text", catalog.Text, 100)
	s.shareText(sku)
	life := int(checkout.Defaults().OrderTTL / time.Second)
	type buyer struct {
		checkout.Placed
		no      string
		paysAt  int
		servedS int
	}
	var buyers []*buyer
	for at := 0; at < life; at += 29 { // beside the rhythm of the questions
		buyers = append(buyers, &buyer{paysAt: at})
	}
	buyers = append(buyers, &buyer{paysAt: life - 1})
	for i, b := range buyers {
		b.Placed = s.mustPlace(string(rune('A'+i%26))+string(rune('a'+i/26)), sku, 1)
		b.no = s.startPayment(b.Placed).No
	}
	for second := range life + 60 {
		for _, b := range buyers {
			if b.paysAt == second {
				s.platform.pay(b.no)
			}
		}
		s.tick()
		for _, b := range buyers {
			if b.servedS == 0 && b.paysAt <= second && second-b.paysAt <= 60 && s.status(b.Placed) == order.Delivered {
				b.servedS = second + 1
			}
		}
	}
	for _, b := range buyers {
		require.NotZero(t, b.servedS, "paid after %d s, and not served in time", b.paysAt)
		require.LessOrEqual(t, b.servedS-b.paysAt, 60, "paid after %d s", b.paysAt)
	}
	s.sound()
}

// TestQuestions is the schedule: 5 s, 15 s, then every 30 s until the order is
// over; 5, 10 and 30 min after it closed; then never.
func TestQuestions(t *testing.T) {
	s := newTimed(t)
	sku := s.product("text", catalog.Text, 100)
	s.shareText(sku)
	pay := s.startPayment(s.mustPlace("a", sku, 1))
	start := s.clock.Now()
	for range 15*60 + 31*60 + 60 {
		s.tick()
	}
	var got []int
	for _, at := range s.asks.at[pay.No] {
		got = append(got, int(at.Sub(start)/time.Second))
	}
	want := []int{5, 15}
	for at := 45; at < 15*60; at += 30 {
		want = append(want, at)
	}
	require.Equal(t, append(want, 20*60, 25*60, 45*60), got)
}
