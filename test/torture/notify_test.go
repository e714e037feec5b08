//go:build !faultpoints

package torture

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// mostNotices is how often a payment is told at most.
const mostNotices = 16

// TestNotificationsUnderKill: each payment is told 0 to 16 times, many at the
// same moment and in any order, while the shop is killed and started again. Each
// has its goods once, those that were never told too, and the books are right.
// 500 payments; 10,000 in the long form.
func TestNotificationsUnderKill(t *testing.T) {
	payments, kills := 500, 5
	if long() {
		payments, kills = 10_000, 60
	}
	dice := rand.New(rand.NewPCG(seedOf(t), 1))
	platform := kit.NewPlatform(t)
	platform.Faults(t, `{"callbacks":{"drop":true}}`) // it tells only when this test has it tell
	shop := kit.NewShop(t, platform)
	stocked := kit.Keys("NOTICE", payments)
	sku := shop.ImportCards("notice", "1.00", stocked)
	client, book := shop.Client(), &kit.Book{}
	numbers := make([]string, payments)
	kit.Each(make([]struct{}, payments), 16, func(i int, _ struct{}) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		e, pay, err := kit.Begin(ctx, client, book, buyer(i), kit.Line{SKU: sku, Quantity: 1})
		if err == nil {
			err = platform.Pay(ctx, pay.No)
		}
		if err != nil {
			t.Errorf("payment %d: %v", i, err)
			return
		}
		e.NotePaid(pay.No)
		numbers[i] = pay.No
	})
	require.False(t, t.Failed())

	var notices []string
	for _, no := range numbers {
		for range dice.IntN(mostNotices + 1) {
			notices = append(notices, no)
		}
	}
	dice.Shuffle(len(notices), func(i, j int) { notices[i], notices[j] = notices[j], notices[i] })
	var told sync.WaitGroup
	told.Go(func() {
		kit.Each(notices, 32, func(_ int, no string) {
			_, _ = platform.TryCallback(t.Context(), no, "") // a shop that is down, or dies, gives no answer
		})
	})
	for range kills {
		moments(dice, 50, 400)
		shop.Kill()
		shop.Start()
	}
	told.Wait()
	book.RequireServed(t, client, 2*time.Minute)
	require.Len(t, book.RequireDistinct(t, client), payments)
	t.Logf("%d payments told %d times over %d kills", payments, len(notices), kills)
	shop.RequireClean()
}
