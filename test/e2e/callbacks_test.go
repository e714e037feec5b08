package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// TestCallbacksDropped: the platforms' callbacks never arrive; the shop asks,
// and everything paid, by whatever channel, is delivered within a minute.
func TestCallbacksDropped(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	platform.Faults(t, `{"callbacks":{"drop":true}}`)
	shop := kit.NewShop(t, platform)
	client, book := shop.Client(), &kit.Book{}
	sku := client.DemoCard(t)
	for i := range 24 {
		e, pay, err := kit.BeginBy(t.Context(), client, book, buyer(i), one(sku), kit.ChannelOf(i))
		require.NoError(t, err)
		require.NoError(t, platform.Pay(t.Context(), pay.No))
		e.NotePaid(pay.No)
	}
	book.RequireServed(t, client, time.Minute)
	book.RequireDistinct(t, client)
	shop.RequireClean()
}

// TestWorkerStopped: no jobs and no sweeps run; callbacks deliver all the same,
// because the transaction that takes the money gives the goods.
func TestWorkerStopped(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform, "worker=off")
	client, book := shop.Client(), &kit.Book{}
	sku := client.DemoCard(t)
	for i := range 20 {
		paid(t, client, platform, book, buyer(i), one(sku))
	}
	book.RequireServed(t, client, 20*time.Second)
	book.RequireDistinct(t, client)
	shop.RequireClean()
}

// TestPlatformFailsAndPersists: the platform does what it is asked and then
// answers nonsense. Buyers are told to come again, and nobody pays in vain.
func TestPlatformFailsAndPersists(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	client, book := shop.Client(), &kit.Book{}
	sku := client.DemoCard(t)
	platform.Faults(t, `{"api":{"status_5xx":5,"after":true,"paths":["native"]}}`)
	paid(t, client, platform, book, buyer(1), one(sku))
	platform.Faults(t, `{"callbacks":{"drop":true},"api":{"status_5xx":1,"after":true,"paths":["query"]}}`)
	paid(t, client, platform, book, buyer(2), one(sku))
	book.RequireServed(t, client, time.Minute)
	shop.RequireClean()
}

// paid places an order and pays it, and does not wait for the goods.
func paid(t *testing.T, c *kit.Client, p *kit.Platform, b *kit.Book, contact kit.Contact, line kit.Line) *kit.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	e, pay, err := kit.Begin(ctx, c, b, contact, line)
	require.NoError(t, err)
	require.NoError(t, p.Pay(ctx, pay.No))
	e.NotePaid(pay.No)
	return e
}
