package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// channels are the ways to pay that a shop with the simulator offers, and what
// a buyer gets of each.
func channels() map[string]string {
	return map[string]string{
		"wechatpay_native": "qr", "wechatpay_h5": "redirect", "wechatpay_jsapi": "jsapi",
		"alipay_precreate": "qr", "alipay_wap": "redirect", "alipay_page": "redirect",
	}
}

const openID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"

// start places an order and starts to pay it by a channel, as its buyer would
// up to the platform's page.
func start(t *testing.T, c *kit.Client, kind string, line kit.Line) (kit.Placed, kit.Payment) {
	t.Helper()
	o, err := c.Place(t.Context(), kit.Contact{Email: kind + "@shop.example"}, line)
	require.NoError(t, err)
	payer := ""
	if kind == "wechatpay_jsapi" {
		payer = openID
	}
	key := kit.NewKey()
	p, err := c.PayBy(t.Context(), key, o, kind, payer)
	require.NoError(t, err, kind)
	again, err := c.PayBy(t.Context(), key, o, kind, payer)
	require.NoError(t, err, kind)
	require.Equal(t, p, again, "%s: a repeat gets the same", kind)
	i := p.Instruction
	require.Equal(t, channels()[kind], i.Kind)
	require.Equal(t, i.Kind == "qr", i.CodeURL != "")
	require.Equal(t, i.Kind == "redirect", i.URL != "")
	require.Equal(t, i.Kind == "jsapi", i.Params["paySign"] != "")
	if i.URL != "" {
		require.NoError(t, kit.Browse(t.Context(), i.URL))
	}
	return o, p
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
	for kind := range channels() {
		o, p := start(t, client, kind, one(sku))
		require.NoError(t, platform.Pay(t.Context(), p.No), kind)
		awaitStatus(t, client, o, "delivered")
	}
	shop.RequireClean()
}
