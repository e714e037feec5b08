package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// sale is an order that was paid by a channel and delivered.
type sale struct {
	*kit.Entry
	channel, paymentNo string
}

// sell has an order paid by each channel, and delivered.
func sell(t *testing.T, platform *kit.Platform, shop *kit.Shop) (all []sale) {
	t.Helper()
	client := shop.Client()
	sku, book := client.DemoCard(t), &kit.Book{}
	for i, ch := range kit.Channels() {
		e, pay, err := kit.BeginBy(t.Context(), client, book, buyer(i), one(sku), ch.Kind)
		require.NoError(t, err)
		require.NoError(t, platform.Pay(t.Context(), pay.No))
		e.NotePaid(pay.No)
		all = append(all, sale{e, ch.Kind, pay.No})
	}
	book.RequireServed(t, client, time.Minute)
	return all
}

// requireRefunded waits until all money of a sale went back, once, and wants
// the platform to say the same.
func (s sale) requireRefunded(t *testing.T, platform *kit.Platform, c *kit.Client) {
	t.Helper()
	o := awaitStatus(t, c, s.Placed, "refunded")
	require.Len(t, o.Refunds, 1, s.channel)
	require.Equal(t, []any{"succeeded", o.Total}, []any{o.Refunds[0].Status, o.Refunds[0].Amount}, s.channel)
	require.EqualValues(t, o.Total, platform.TradeOf(t, s.paymentNo)["refunded"], s.channel)
}

// TestRefundsToldByCallback: staff gives orders of every channel back. The
// platforms do what they are asked and their answers are lost, WeChat Pay's to
// questions too: its callback alone tells that the money went. Alipay's tells
// no amount, and has the shop ask.
func TestRefundsToldByCallback(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	sales := sell(t, platform, shop)
	owner, client := shop.Owner(), shop.Client()
	platform.Faults(t, `{"rules":[{"fault":"5xx","on":["refund","alipay.trade.refund"],"after":true}]}`)
	for _, s := range sales {
		owner.GiveBack(t, s.Placed)
	}
	for _, s := range sales {
		s.requireRefunded(t, platform, client)
		require.Eventually(t, func() bool { return refundToldAs(platform.TradeOf(t, s.paymentNo)) == 200 }, 20*time.Second, 50*time.Millisecond,
			"%s: the refund's callback is taken", s.channel)
	}
	shop.RequireClean()
}

// refundToldAs is how the shop answered the callback of a trade's refund, 0 if
// it did not yet.
func refundToldAs(trade map[string]any) float64 {
	notes, _ := trade["callbacks"].([]any)
	for _, n := range notes {
		note, _ := n.(map[string]any)
		if status, _ := note["last_status"].(float64); note["event"] == "REFUND.SUCCESS" && note["delivered"] == true {
			return status
		}
	}
	return 0
}

// TestRefundsWithoutCallbacks: no callback tells of a refund; the shop asks.
func TestRefundsWithoutCallbacks(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	sales := sell(t, platform, shop)
	owner, client := shop.Owner(), shop.Client()
	platform.Faults(t, `{"callbacks":{"drop":true}}`)
	for _, s := range sales {
		owner.GiveBack(t, s.Placed)
	}
	for _, s := range sales {
		s.requireRefunded(t, platform, client)
	}
	shop.RequireClean()
}

// TestRefundsRefused: the platforms refuse to give money back, which is a case
// for staff. Tried again when there is money, it goes back, once.
func TestRefundsRefused(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform)
	sales := sell(t, platform, shop)
	owner, client := shop.Owner(), shop.Client()
	platform.Faults(t, `{"api":{"status_5xx":1000000,"error":"NOT_ENOUGH","paths":["refund","alipay.trade.refund"]}}`)
	for _, s := range sales {
		owner.GiveBack(t, s.Placed)
	}
	for _, s := range sales {
		o := awaitStatus(t, client, s.Placed, "held")
		require.Equal(t, "failed", o.Refunds[0].Status, s.channel)
		require.EqualValues(t, 0, platform.TradeOf(t, s.paymentNo)["refunded"], s.channel)
	}
	shop.RequireClean()
	platform.Faults(t, `{}`)
	holds := owner.Holds(t)
	require.Len(t, holds, len(sales))
	for _, h := range holds {
		require.Equal(t, "refund_failed", h.Reason)
		owner.Resolve(t, h, "refund")
	}
	for _, s := range sales {
		o := awaitStatus(t, client, s.Placed, "refunded")
		require.EqualValues(t, o.Total, platform.TradeOf(t, s.paymentNo)["refunded"], s.channel)
	}
	require.Empty(t, owner.Holds(t))
	shop.RequireClean()
}

// TestExpiryClosesEveryChannel: nobody pays in time. The order closes, and what
// can be closed at the platform is not payable any more.
func TestExpiryClosesEveryChannel(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	platform.Faults(t, `{"callbacks":{"drop":true}}`)
	shop := kit.NewShop(t, platform, "shop.order_ttl=3s")
	client := shop.Client()
	sku := client.DemoCard(t)
	type unpaid struct {
		kind    string
		order   kit.Placed
		payment kit.Payment
	}
	var all []unpaid
	for _, ch := range kit.Channels() {
		o, p := start(t, client, ch.Kind, one(sku))
		all = append(all, unpaid{ch.Kind, o, p})
	}
	for _, u := range all {
		requireEnded(t, platform, client, u.kind, u.order, u.payment)
	}
	require.Eventually(t, func() bool {
		return slices.ContainsFunc(client.Products(t), func(p kit.Product) bool { return p.Kind == "card" && p.Available == 2000 })
	}, 20*time.Second, 50*time.Millisecond, "the goods are on the shelf again")
	shop.RequireClean()
}
