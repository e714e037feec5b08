package e2e

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// told is a provider whose callbacks are changed: a row of the table.
type told struct {
	channel string
	// free names members whose value decides nothing about who gets what: a
	// label, a text for people, how the buyer paid. A callback that the platform
	// truly signed is right with any value in them.
	free []string
	// optional names members that the protocol leaves out at times.
	optional []string
}

func providers() map[string]told {
	return map[string]told{
		"wechatpay": {
			channel: "wechatpay_native",
			free: []string{
				"trade_type", "trade_state_desc", "bank_type", "attach", "payer.openid", "amount.payer_total", "amount.payer_currency",
				"transaction_id", // the platform's own number: nothing here could know another
				"envelope.id", "envelope.create_time", "envelope.resource_type", "envelope.summary",
			},
			optional: []string{"amount.currency", "envelope.resource.original_type"},
		},
	}
}

// why finds the reason in a line about a callback.
var why = regexp.MustCompile(`"(?:code|reason)":"([a-z_]+)"`)

// TestEveryFieldOfACallbackChanged: an order that nobody paid is told as paid,
// right but for one member, and signed by the platform itself. Nothing is
// delivered: the callback is refused or ignored, or its money held, and the log
// says why.
func TestEveryFieldOfACallbackChanged(t *testing.T) {
	t.Parallel()
	for name, p := range providers() {
		platform := kit.NewPlatform(t)
		platform.Faults(t, `{"callbacks":{"drop":true}}`)
		shop := kit.NewShop(t, platform)
		client, book := shop.Client(), &kit.Book{}
		sku := client.DemoCard(t)
		begin := func(n int) (*kit.Entry, string) {
			e, pay, err := kit.Begin(t.Context(), client, book, buyer(n), one(sku))
			require.NoError(t, err)
			return e, pay.No
		}
		e, no := begin(0)
		status, fields := platform.Altered(t, no, map[string]any{p.free[0]: "X"})
		require.Equal(t, 200, status, "%s: what decides nothing may be anything", name)
		require.Equal(t, "delivered", statusOf(t, client, e))
		for _, f := range append(p.free, p.optional...) {
			require.Contains(t, fields, f, "%s: the table names what is not there", name)
		}
		n := 1
		for field, value := range fields {
			for _, other := range others(field, value, p) {
				e, no := begin(n)
				n++
				_, before := shop.LogSince(t, 0)
				status, _ := platform.Altered(t, no, map[string]any{field: other})
				require.Contains(t, []int{200, 400, 401, 404}, status, "%s: %s as %v", name, field, other)
				require.Contains(t, []string{"pending", "held"}, statusOf(t, client, e), "%s: %s as %v", name, field, other)
				require.NotEmpty(t, reason(t, shop, before), "%s: %s as %v: a reason is logged", name, field, other)
			}
		}
		require.Greater(t, n, 20, "%s", name)
		shop.RequireClean()
	}
}

// others are what a member is changed to: another value, and nothing.
func others(field string, value any, p told) []any {
	var out []any
	for _, f := range p.free {
		if f == field {
			return nil
		}
	}
	switch v := value.(type) {
	case float64:
		out = append(out, v+1)
	case string:
		out = append(out, v+"X")
	}
	for _, f := range p.optional {
		if f == field {
			return out
		}
	}
	return append(out, nil)
}

// reason waits for the line about the last callback and gives what it says.
func reason(t *testing.T, shop *kit.Shop, from int) string {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		lines, _ := shop.LogSince(t, from)
		for _, l := range lines {
			if m := why.FindStringSubmatch(l.Raw); m != nil && (l.Msg == "callback refused" || l.Msg == "money held" || l.Msg == "callback ignored") {
				return m[1]
			}
		}
	}
	return ""
}

func statusOf(t *testing.T, c *kit.Client, e *kit.Entry) string {
	t.Helper()
	o, err := c.Order(t.Context(), e.Placed)
	require.NoError(t, err)
	return o.Status
}
