//go:build faultpoints

package torture

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// crashAlert kills the shop between a channel's yes and the note of it. The
// message comes again under the id that it had, and after that no more.
func crashAlert(t *testing.T, point string, pass int) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w := &world{platform: kit.NewPlatform(t), book: &kit.Book{}}
	w.platform.Faults(t, `{"callbacks":{"drop":true}}`)
	w.shop = kit.Stopped(t, w.platform)
	receiver, dir := kit.NewReceiver(t), t.TempDir()
	w.shop.Config = kit.AlertConfig(t, dir, receiver.Channel(t, dir, "hook"))
	w.client = w.shop.Client()
	w.shop.Start("PANSHI_FAULT=" + point + ":" + strconv.Itoa(pass))
	w.sku = w.client.DemoCard(t)
	for n := range pass {
		_, pay, err := kit.Begin(ctx, w.client, w.book, buyer(n), kit.Line{SKU: w.sku, Quantity: 1})
		require.NoError(t, err)
		w.platform.Altered(t, pay.No, map[string]any{"amount.total": 1})
		require.Eventually(t, func() bool { return len(receiver.Notices()) == n+1 }, 20*time.Second, 10*time.Millisecond)
	}
	<-w.shop.Done()
	require.True(t, w.shop.Killed())
	w.shop.Start()
	require.Eventually(t, func() bool { return len(receiver.Notices()) == pass+1 }, 40*time.Second, 10*time.Millisecond)
	notices := receiver.Notices()
	require.Equal(t, notices[pass-1], notices[pass], "the same, so that the receiver knows it")
	require.Never(t, func() bool { return len(receiver.Notices()) > pass+1 }, 15*time.Second, 100*time.Millisecond, "it is not sent a third time")
	requirePromises(ctx, t, w)
}
