package e2e

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// forgeries tells for every defect that the platform can forge whether it is
// refused at the door (its signature, age or cipher is wrong) or is the
// platform's true word about something that does not fit, which is taken and
// held for a person.
func forgeries() map[string]bool {
	return map[string]bool{
		"signature": true, "signtest": true, "unsigned": true, "serial": true, "reserialized": true,
		"stale": true, "future": true, "ciphertext": true,
		"amount": false, "currency": false, "merchant": false, "appid": false, "order": false,
	}
}

// TestForgeries: no forged callback delivers anything, each leaves one loud
// line in the log, and no line holds a secret.
func TestForgeries(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop := kit.NewShop(t, platform, "worker=off") // so that only callbacks speak
	client, book := shop.Client(), &kit.Book{}
	keys := kit.Keys("FORGED", 40)
	sku := shop.ImportCards("forged", "88.00", keys)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	kinds := forgeries()
	for i, kind := range slices.Sorted(maps.Keys(kinds)) {
		e, pay, err := kit.Begin(ctx, client, book, buyer(i), one(sku))
		require.NoError(t, err)
		status := 0
		loud := loudLines(t, shop, func() { status = platform.Callback(t, pay.No, kind) })
		require.Len(t, loud, 1, "%s: one loud line", kind)
		if kinds[kind] {
			require.GreaterOrEqual(t, status, 400, kind)
		}
		requireNotDelivered(t, client, e, kind)
	}
	directPosts(t, shop, client)
	requireNotTold(t, shop, append(platform.Secrets(t, "panshi", "qingfeng"), keys...))
	requireTrueWordStillWorks(t, shop, platform, sku)
	shop.RequireClean()
}

// loudLines gives what f, which sends one callback, makes the shop log at warn
// or above.
func loudLines(t *testing.T, shop *kit.Shop, f func()) []string {
	t.Helper()
	_, from := shop.LogSince(t, 0)
	f()
	var lines []kit.LogLine
	require.Eventually(t, func() bool { // the last line is that of the request, after its answer
		lines, _ = shop.LogSince(t, from)
		return slices.ContainsFunc(lines, func(l kit.LogLine) bool {
			return l.Msg == "request" && strings.Contains(l.Raw, "/notify/")
		})
	}, 30*time.Second, 5*time.Millisecond)
	var loud []string
	for _, l := range lines {
		if l.Loud() {
			loud = append(loud, l.Raw)
		}
	}
	return loud
}

func requireNotDelivered(t *testing.T, c *kit.Client, e *kit.Entry, why string) {
	t.Helper()
	o, err := c.Order(t.Context(), e.Placed)
	require.NoError(t, err)
	require.Contains(t, []string{"pending", "held"}, o.Status, why)
	_, err = c.Reveal(t.Context(), e.Placed)
	require.Equal(t, "not_delivered", kit.CodeOf(err), why)
}

// directPosts are the callbacks of somebody who does not even try.
func directPosts(t *testing.T, shop *kit.Shop, c *kit.Client) {
	t.Helper()
	channel, err := c.Channel(t.Context())
	require.NoError(t, err)
	own := "/notify/wechatpay/" + channel
	for name, post := range map[string]struct{ path, body string }{
		"empty":            {own, ""},
		"not JSON":         {own, "hello"},
		"no signature":     {own, `{"id":"EV-1","event_type":"TRANSACTION.SUCCESS","resource":{}}`},
		"unknown account":  {"/notify/wechatpay/0198f3a0-0000-7000-8000-000000000004", "{}"},
		"not an id":        {"/notify/wechatpay/x", "{}"},
		"unknown platform": {"/notify/alipay/" + channel, "{}"},
		"too large":        {own, strings.Repeat("x", 300<<10)},
	} {
		loud := loudLines(t, shop, func() {
			status, _, _, err := c.Raw(t.Context(), "POST", post.path, nil, strings.NewReader(post.body))
			require.NoError(t, err, name)
			require.GreaterOrEqual(t, status, 400, name)
			require.Less(t, status, 500, name)
		})
		require.LessOrEqual(t, len(loud), 1, "%s: %v", name, loud)
	}
}

// requireNotTold looks for secrets and contacts in the shop's log.
func requireNotTold(t *testing.T, shop *kit.Shop, secrets []string) {
	t.Helper()
	log := shop.Log()
	for _, secret := range secrets {
		for line := range strings.Lines(secret) { // keys are many lines, and JSON would break them
			line = strings.TrimSpace(line)
			if len(line) >= 8 && !strings.HasPrefix(line, "-----") {
				require.NotContains(t, log, line)
			}
		}
	}
	require.NotContains(t, log, "@shop.example")
}

// requireTrueWordStillWorks: after all the attacks an honest buyer is served.
func requireTrueWordStillWorks(t *testing.T, shop *kit.Shop, p *kit.Platform, sku string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	e, err := kit.Buy(ctx, shop.Client(), p, &kit.Book{}, buyer(99), one(sku))
	require.NoError(t, err)
	keys, err := shop.Client().Reveal(ctx, e.Placed)
	require.NoError(t, err)
	require.Len(t, keys, 1)
}
