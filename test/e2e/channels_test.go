package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// start places an order and starts to pay it by a channel, as its buyer would
// up to the platform's page.
func start(t *testing.T, c *kit.Client, kind string, line kit.Line) (kit.Placed, kit.Payment) {
	t.Helper()
	o, err := c.Place(t.Context(), kit.Contact{Email: kind + "@shop.example"}, line)
	require.NoError(t, err)
	return o, startBy(t, c, o, kind)
}

func startBy(t *testing.T, c *kit.Client, o kit.Placed, kind string) kit.Payment {
	t.Helper()
	key := kit.NewKey()
	p, err := c.PayBy(t.Context(), key, o, kind, kit.Payer(kind))
	require.NoError(t, err, kind)
	again, err := c.PayBy(t.Context(), key, o, kind, kit.Payer(kind))
	require.NoError(t, err, kind)
	require.Equal(t, p, again, "%s: a repeat gets the same", kind)
	i := p.Instruction
	require.Contains(t, kit.Channels(), kit.Channel{Kind: kind, Gives: i.Kind})
	require.Equal(t, []bool{i.Kind == "qr", i.Kind == "redirect", i.Kind == "jsapi"},
		[]bool{i.CodeURL != "", i.URL != "", i.Params["paySign"] != ""}, kind)
	if i.URL != "" {
		require.NoError(t, kit.Browse(t.Context(), i.URL), kind)
	}
	return p
}

func awaitStatus(t *testing.T, c *kit.Client, o kit.Placed, status string) kit.Order {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := c.AwaitStatus(ctx, o, status)
	require.NoError(t, err)
	return got
}

// TestEveryChannelSells: an order is paid by each way to pay, and served by
// the callback alone.
func TestEveryChannelSells(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform, "worker=off")
	client := shop.Client()
	sku := client.DemoCard(t)
	for _, ch := range kit.Channels() {
		kind := ch.Kind
		o, p := start(t, client, kind, one(sku))
		require.NoError(t, platform.Pay(t.Context(), p.No), kind)
		awaitStatus(t, client, o, "delivered")
	}
	o, err := client.Place(t.Context(), buyer(1), one(sku))
	require.NoError(t, err)
	for payer, code := range map[string]string{"": "payer_id_missing", "a b": "payer_id_invalid"} {
		_, err = client.PayBy(t.Context(), kit.NewKey(), o, "wechatpay_jsapi", payer)
		require.ErrorContains(t, err, "422")
		var p *kit.Problem
		require.ErrorAs(t, err, &p)
		require.Equal(t, code, p.Errors[0].Code)
	}
	shop.RequireClean()
}

// TestEveryChannelWithoutCallbacks: by each way to pay an order is served
// because the shop asks, a second payment comes back, and a cancelled order's
// payment is closed.
func TestEveryChannelWithoutCallbacks(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	platform.Faults(t, `{"callbacks":{"drop":true}}`)
	shop := kit.NewShop(t, platform)
	client := shop.Client()
	sku := client.DemoCard(t)
	paidTwice := map[string]kit.Placed{}
	for _, ch := range kit.Channels() {
		kind := ch.Kind
		o, first := start(t, client, kind, one(sku))
		second := startBy(t, client, o, kind)
		require.NoError(t, platform.Pay(t.Context(), first.No), kind)
		require.NoError(t, platform.Pay(t.Context(), second.No), kind)
		paidTwice[kind] = o

		o, p := start(t, client, kind, one(sku))
		require.NoError(t, client.Cancel(t.Context(), o), kind)
		requireEnded(t, platform, client, kind, o, p)
	}
	for kind, o := range paidTwice {
		require.Eventually(t, func() bool {
			got, err := client.Order(t.Context(), o)
			return err == nil && got.Status == "delivered" && len(got.Refunds) == 1 && got.Refunds[0].Status == "succeeded"
		}, time.Minute, 100*time.Millisecond, kind)
	}
	shop.RequireClean()
}

// requireEnded: a cancelled order's payment is not payable. Only a code that
// nobody scanned does not exist at Alipay yet and cannot be closed there: its
// money comes late.
func requireEnded(t *testing.T, platform *kit.Platform, c *kit.Client, kind string, o kit.Placed, p kit.Payment) {
	t.Helper()
	got := awaitStatus(t, c, o, "closed")
	require.Equal(t, "closed", got.Payments[0].Status, kind)
	if kind != "alipay_precreate" {
		require.Equal(t, "ORDER_CLOSED", kit.CodeOf(platform.Pay(t.Context(), p.No)), kind)
	}
}

// TestAlipayForgeries: no forged notification delivers anything, and who only
// says so is answered in the platform's words.
func TestAlipayForgeries(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform, "worker=off") // so that only callbacks speak
	client, book := shop.Client(), &kit.Book{}
	sku := client.DemoCard(t)
	for kind, refused := range map[string]bool{
		"signature": true, "unsigned": true, "serial": true, "ciphertext": true,
		"amount": false, "merchant": false, "appid": false, "order": false,
	} {
		o, p := start(t, client, "alipay_wap", one(sku))
		loud := loudLines(t, shop, func() {
			if status := platform.Callback(t, p.No, kind); refused {
				require.GreaterOrEqual(t, status, 400, kind)
			}
		})
		require.Len(t, loud, 1, "%s: one loud line", kind)
		requireNotDelivered(t, client, book.Write(o, 1), kind)
		body := strings.NewReader("notify_type=trade_status_sync&trade_status=TRADE_SUCCESS&out_trade_no=" + p.No)
		status, _, answer, err := client.Raw(t.Context(), "POST", "/notify/alipay/"+p.Channel, nil, body)
		require.NoError(t, err)
		require.Equal(t, []any{401, "failure"}, []any{status, string(answer)})
	}
	shop.RequireClean()
}
