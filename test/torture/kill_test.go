//go:build !faultpoints

package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/test/kit"
)

// crowd is the load under which the shop is killed.
type crowd struct {
	client   *kit.Client
	platform *kit.Platform
	book     *kit.Book
	sku      string
	seed     uint64

	mu    sync.Mutex
	wrong []error // answers that no buyer should get; guarded by mu
}

// TestKillNine kills the shop at random moments while buyers order, pay, cancel
// and walk away, and while it starts. The platform runs on, as platforms do.
// After each start every order that was acknowledged must be there; in the end
// every payment that the platform took is delivered or paid back within a
// minute of the last start, and no key was delivered twice.
func TestKillNine(t *testing.T) {
	cycles, stock := 12, 8000
	switch {
	case dbtest.Engine() == db.Postgres && !long():
		cycles, stock = 6, 4000 // the server lives on: there is no file to recover, only the shop
	case long():
		cycles, stock = 100, 60_000
	}
	seed := seedOf(t)
	dice := rand.New(rand.NewPCG(seed, 0))
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	stocked := kit.Keys("TORTURE", stock)
	c := &crowd{client: shop.Client(), platform: platform, book: &kit.Book{}, seed: seed}
	c.sku = shop.ImportCards("torture", "1.00", stocked)
	ctx, goHome := context.WithCancel(t.Context())
	defer goHome()
	var buyers sync.WaitGroup
	for n := range 24 {
		buyers.Go(func() { c.shop(ctx, n) })
	}
	for range cycles {
		moments(dice, 50, 500)
		shop.Kill()
		killWhileStarting(t, shop, dice)
		shop.Start()
		c.book.RequireKept(t, c.client, 500)
	}
	restarted := time.Now()
	moments(dice, 200, 400)
	goHome()
	buyers.Wait()
	require.Empty(t, c.wrong)
	require.NotEmpty(t, c.book.Paid())
	c.book.RequireKept(t, c.client, 0)
	c.book.RequireServed(t, c.client, time.Until(restarted.Add(time.Minute)))
	t.Logf("%d orders, %d paid; all served %v after the last start", len(c.book.Entries()), len(c.book.Paid()),
		time.Since(restarted).Round(100*time.Millisecond))
	require.Subset(t, stocked, c.book.RequireDistinct(t, c.client))
	shop.RequireClean()
}

// killWhileStarting kills some starts before they are ready: recovery must
// survive a crash too.
func killWhileStarting(t *testing.T, shop *kit.Shop, dice *rand.Rand) {
	t.Helper()
	for dice.IntN(4) == 0 {
		require.NoError(t, shop.Launch())
		moments(dice, 1, 300)
		shop.Kill()
	}
}

// shop is one buyer after the other until ctx ends.
func (c *crowd) shop(ctx context.Context, n int) {
	dice := rand.New(rand.NewPCG(c.seed, uint64(n)+1))
	for round := 0; ctx.Err() == nil; round++ {
		err := c.buy(ctx, dice, buyer(n*1_000_000+round))
		if err != nil && ctx.Err() == nil {
			c.note(fmt.Errorf("buyer %d: %w", n, err))
			return
		}
		moments(dice, 1, 10)
	}
}

func (c *crowd) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = append(c.wrong, err)
}

// buy orders and then does what buyers do: most pay, some walk away, and some
// cancel, a few of them while they pay.
func (c *crowd) buy(ctx context.Context, dice *rand.Rand, who kit.Contact) error {
	e, pay, err := kit.Begin(ctx, c.client, c.book, who, kit.Line{SKU: c.sku, Quantity: 1 + dice.IntN(3)})
	if err != nil {
		return err
	}
	switch dice.IntN(10) {
	case 0:
		return nil
	case 1:
		return c.cancel(ctx, e)
	case 2:
		return c.cancelAndPay(ctx, e, pay)
	}
	return c.pay(ctx, e, pay)
}

func (c *crowd) pay(ctx context.Context, e *kit.Entry, pay kit.Payment) error {
	err := c.platform.Pay(ctx, pay.No)
	if err == nil {
		e.NotePaid(pay.No)
	}
	return err
}

func (c *crowd) cancel(ctx context.Context, e *kit.Entry) error {
	err := c.client.Cancel(ctx, e.Placed)
	if kit.StatusOf(err) == 409 { // paid, or closed by the request whose answer was lost
		return nil
	}
	return err
}

func (c *crowd) cancelAndPay(ctx context.Context, e *kit.Entry, pay kit.Payment) error {
	cancelled := make(chan error, 1)
	go func() { cancelled <- c.cancel(ctx, e) }()
	err := c.pay(ctx, e, pay)
	if kit.CodeOf(err) == "ORDER_CLOSED" {
		err = nil
	}
	if cancelErr := <-cancelled; err == nil {
		err = cancelErr
	}
	return err
}
