package e2e

import (
	"encoding/json"
	"io"
	"mime/quotedprintable"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// mismatch has the platform tell of less money than an order costs.
func mismatch(t *testing.T, platform *kit.Platform, client *kit.Client, book *kit.Book, sku string, n int) {
	t.Helper()
	e, pay, err := kit.Begin(t.Context(), client, book, buyer(n), one(sku))
	require.NoError(t, err)
	platform.Altered(t, pay.No, map[string]any{"amount.total": 1})
	require.Equal(t, "held", statusOf(t, client, e))
}

// TestAnAlertArrives: money that does not fit is told by mail; while the mail
// server refuses, by the webhook; while both do, the doctor is red and says so;
// and when one is back, once.
func TestAnAlertArrives(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	platform.Faults(t, `{"callbacks":{"drop":true}}`)
	shop := kit.Stopped(t, platform)
	mailbox, receiver := kit.NewMailbox(t), kit.NewReceiver(t)
	dir := t.TempDir()
	shop.Config = kit.AlertConfig(t, dir, mailbox.Channel("mail"), receiver.Channel(t, dir, "hook"))
	shop.Start()
	client, book := shop.Client(), &kit.Book{}
	sku := client.DemoCard(t)
	within := func(limit time.Duration, what string, is func() bool) {
		t.Helper()
		require.Eventually(t, is, limit, 20*time.Millisecond, what)
	}

	mismatch(t, platform, client, book, sku, 0)
	within(10*time.Second, "the mail arrives", func() bool { return len(mailbox.Letters()) == 1 })
	text, err := io.ReadAll(quotedprintable.NewReader(mailbox.Letters()[0].Body))
	require.NoError(t, err)
	require.Contains(t, mailbox.Letters()[0].Header.Get("Subject"), "critical, new: money waits for a person")
	require.Contains(t, string(text), "amount_mismatch")
	require.NotContains(t, string(text), buyer(0).Email, "nothing about the buyer")

	mailbox.Shut(true)
	mismatch(t, platform, client, book, sku, 1)
	within(15*time.Second, "the second channel steps in", func() bool { return len(receiver.Notices()) == 1 })
	told := receiver.Notices()[0]
	require.Equal(t, []any{"again", "hold_opened", "critical", int64(2)}, []any{told.Event, told.Code, told.Severity, told.Count})
	require.NotContains(t, shop.Run("doctor").Out, "bad   alerts")

	receiver.Shut(true)
	mismatch(t, platform, client, book, sku, 2)
	within(20*time.Second, "the doctor is red", func() bool { return alertsOf(t, shop) == "bad" })
	within(10*time.Second, "monitoring sees it", func() bool { return metric(t, shop, "panshi_alerts_undelivered 1") })
	r := shop.Run("notify", "test")
	require.Equal(t, 1, r.Code, r.Out)
	require.Contains(t, r.Out, "hook: channel_refused")

	receiver.Shut(false)
	within(30*time.Second, "it arrives when a channel is back", func() bool { return len(receiver.Notices()) == 2 })
	require.Contains(t, shop.Run("notify", "test", "hook").Out, "hook: took it")
	require.Len(t, receiver.Notices(), 3)
	within(10*time.Second, "the doctor is well again", func() bool { return alertsOf(t, shop) == "ok" })
	require.Len(t, receiver.Notices(), 3, "once")
	require.Equal(t, []any{"again", int64(3)}, []any{receiver.Notices()[1].Event, receiver.Notices()[1].Count})
	require.Len(t, mailbox.Letters(), 1)
	acknowledge(t, shop, told.AlertID)
	shop.RequireClean()
}

// TestCallbacksThatDoNotArriveAreTold: what the doctor says of a day on which
// every payment had to be asked for comes to people by itself.
func TestCallbacksThatDoNotArriveAreTold(t *testing.T) {
	t.Parallel()
	platform := kit.NewPlatform(t)
	platform.Faults(t, `{"callbacks":{"drop":true}}`)
	shop := kit.Stopped(t, platform)
	receiver, dir := kit.NewReceiver(t), t.TempDir()
	shop.Config = kit.AlertConfig(t, dir, receiver.Channel(t, dir, "hook"))
	shop.Start()
	client, book := shop.Client(), &kit.Book{}
	paid(t, client, platform, book, buyer(0), one(client.DemoCard(t)))
	book.RequireServed(t, client, time.Minute)
	require.Zero(t, shop.Stop(20*time.Second))
	shop.Start() // it looks at once, and every ten minutes
	require.Eventually(t, func() bool {
		all := receiver.Notices()
		return len(all) == 1 && all[0].Code == "callbacks_broken" && all[0].Event == "opened"
	}, 20*time.Second, 20*time.Millisecond)
	require.Contains(t, shop.Run("doctor").Out, "bad   callbacks")
}

// acknowledge takes the only open alert by the commands.
func acknowledge(t *testing.T, shop *kit.Shop, alertID string) {
	t.Helper()
	require.Zero(t, shop.Run("notify", "ack", alertID).Code)
	r := shop.Run("notify", "list", "--json")
	var lines []struct {
		ID    string `json:"id"`
		State string `json:"state"`
		Title string `json:"title"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.Out), &lines), r.Out)
	require.Len(t, lines, 1)
	require.Equal(t, []string{alertID, "acknowledged", "有款项待人工处理"}, []string{lines[0].ID, lines[0].State, lines[0].Title})
	require.Equal(t, 1, shop.Run("notify", "ack", "00000000-0000-7000-8000-000000000000").Code)
}

// alertsOf is the worst that the doctor says of alerts' channels.
func alertsOf(t *testing.T, shop *kit.Shop) string {
	t.Helper()
	for line := range strings.Lines(shop.Run("doctor").Out) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == "alerts" && f[0] != "warn" {
			return f[0]
		}
	}
	return ""
}

// metric tells whether monitoring reads a line.
func metric(t *testing.T, shop *kit.Shop, line string) bool {
	t.Helper()
	console := shop.Client()
	console.Base = "http://" + shop.Console
	_, _, body, err := console.Raw(t.Context(), http.MethodGet, "/metrics", nil, nil)
	require.NoError(t, err)
	return strings.Contains(string(body), line+"\n")
}
