//go:build faultpoints

package torture

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

const (
	mostNotices  = 16  // how often a payment is told at most
	mostAtOnce   = 4   // of them at the same moment
	paymentsOnce = 500 // payments that are told side by side
)

// notice is a payment that is told some times at the same moment.
type notice struct {
	no    string
	times int
}

// TestNotificationsUnderKill: payments by every channel are each told 0 to 16
// times, many at the same moment and in any order, while the shop is killed and
// started again. Each has its goods once, those that were never told too; the
// next day the platforms' bills, the payments and the books agree line by line.
// 500 payments; 10,000 in the long form.
func TestNotificationsUnderKill(t *testing.T) {
	waves, kills := 1, 5
	if long() {
		waves, kills = 20, 3
	}
	days := []string{kit.Today()}
	n := newNoticed(t, waves*paymentsOnce)
	for range waves {
		n.wave(kills)
	}
	require.Len(t, n.served, waves*paymentsOnce)
	t.Logf("%d payments told %d times (%d answered) over %d kills in %v", len(n.served), n.notices, n.answered, waves*kills,
		time.Since(n.begun).Round(time.Second))
	n.shop.RequireClean()
	days = slices.Compact(append(days, kit.Today()))
	n.shop.NextDay()
	require.EqualValues(t, waves*paymentsOnce, n.shop.RequireReconciled(days...), "each payment is a line of a bill")
	n.shop.RequireClean()
}

// noticed is a shop whose platform tells only when the test has it tell.
type noticed struct {
	t        *testing.T
	dice     *rand.Rand
	platform *kit.Platform
	shop     *kit.Shop
	client   *kit.Client
	sku      string
	begun    time.Time

	served            map[string]bool // keys that went out
	notices, answered int
}

func newNoticed(t *testing.T, payments int) *noticed {
	n := &noticed{
		t: t, dice: rand.New(rand.NewPCG(seedOf(t), 1)), platform: kit.NewPlatform(t), begun: time.Now(), served: map[string]bool{},
	}
	n.platform.Faults(t, `{"callbacks":{"drop":true}}`)
	n.shop = kit.NewShop(t, n.platform)
	n.client = n.shop.Client()
	n.sku = n.shop.ImportCards("notice", "1.00", kit.Keys("NOTICE", payments))
	return n
}

// wave has buyers pay, the platform tell and the shop die.
func (n *noticed) wave(kills int) {
	book := &kit.Book{}
	notices := n.shuffled(n.paid(book))
	var told sync.WaitGroup
	told.Go(func() { n.tell(notices) })
	for range kills {
		moments(n.dice, 50, 400)
		n.shop.Kill()
		n.shop.Start()
	}
	told.Wait()
	book.RequireServed(n.t, n.client, 2*time.Minute)
	for _, key := range book.RequireDistinct(n.t, n.client) {
		require.False(n.t, n.served[key], "%s went out in another wave too", key)
		n.served[key] = true
	}
}

// paid makes payments by all channels and gives their numbers.
func (n *noticed) paid(book *kit.Book) []string {
	numbers := make([]string, paymentsOnce)
	kit.Each(numbers, 16, func(i int, _ string) {
		ctx, cancel := context.WithTimeout(n.t.Context(), time.Minute)
		defer cancel()
		e, pay, err := kit.BeginBy(ctx, n.client, book, buyer(i), kit.Line{SKU: n.sku, Quantity: 1}, kit.ChannelOf(i))
		if err == nil {
			err = n.platform.Pay(ctx, pay.No)
		}
		if err != nil {
			n.t.Errorf("payment %d by %s: %v", i, kit.ChannelOf(i), err)
			return
		}
		e.NotePaid(pay.No)
		numbers[i] = pay.No
	})
	require.False(n.t, n.t.Failed())
	return numbers
}

// shuffled tells each payment 0 to 16 times, in bursts that stand in any order.
func (n *noticed) shuffled(numbers []string) (notices []notice) {
	for _, no := range numbers {
		for left := n.dice.IntN(mostNotices + 1); left > 0; {
			times := 1 + n.dice.IntN(min(left, mostAtOnce))
			notices = append(notices, notice{no, times})
			left -= times
		}
	}
	n.dice.Shuffle(len(notices), func(i, j int) { notices[i], notices[j] = notices[j], notices[i] })
	return notices
}

// tell sends notices side by side. A shop that is down, or dies, gives no
// answer.
func (n *noticed) tell(notices []notice) {
	answers := make([][]int, len(notices))
	kit.Each(notices, 16, func(i int, one notice) {
		var err error
		if answers[i], err = n.platform.Burst(n.t.Context(), one.no, one.times); err != nil {
			n.t.Errorf("the platform cannot tell: %v", err)
		}
	})
	for _, statuses := range answers {
		n.notices += len(statuses)
		for _, s := range statuses {
			if s == 200 {
				n.answered++
			}
		}
	}
}
