package e2e

import (
	"fmt"
	"regexp"
	"slices"
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
	// words are what the protocol says in a member about what is not a payment
	// that came and stayed.
	words map[string][]any
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
			words: map[string][]any{
				"trade_state":         {"NOTPAY", "CLOSED", "REVOKED", "USERPAYING", "PAYERROR", "REFUND"},
				"envelope.event_type": {"REFUND.SUCCESS", "TRANSACTION.REVOKED"},
				"amount.currency":     {"USD"},
			},
		},
		"alipay": {
			channel: "alipay_wap",
			free: []string{
				"subject", "buyer_id", "gmt_create", "notify_time", "version", "receipt_amount", "buyer_pay_amount", "invoice_amount",
				"auth_app_id", "notify_id", "trade_no", // the platform's own numbers
			},
			optional: []string{"charset", "gmt_payment"},
			words: map[string][]any{
				"trade_status": {"WAIT_BUYER_PAY", "TRADE_CLOSED"}, "charset": {"gbk"}, "notify_type": {"open_app_auth_notify"},
				"total_amount": {"0.01", "0.00", "-1.00"}, "gmt_payment": {"2026-13-01 00:00:00"},
			},
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
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMutant(t, p)
			fields := m.decidesNothing()
			for _, f := range append(p.free, p.optional...) {
				require.Contains(t, fields, f, "the table names what is not there")
			}
			for field, value := range fields {
				for _, other := range others(field, value, p) {
					m.deliversNothing(field, other)
				}
			}
			require.Greater(t, m.told, 20)
			m.shop.RequireClean()
		})
	}
}

// mutant is a shop that is told of payments in changed words only.
type mutant struct {
	t        *testing.T
	row      told
	platform *kit.Platform
	shop     *kit.Shop
	client   *kit.Client
	book     *kit.Book
	sku      string
	told     int
}

func newMutant(t *testing.T, row told) *mutant {
	m := &mutant{t: t, row: row, platform: kit.NewPlatform(t), book: &kit.Book{}}
	m.platform.Faults(t, `{"callbacks":{"drop":true}}`)
	m.shop = kit.NewShop(t, m.platform)
	m.client = m.shop.Client()
	m.sku = m.client.DemoCard(t)
	return m
}

// tell has a new order told as paid with members changed.
func (m *mutant) tell(set map[string]any) (e *kit.Entry, status int, fields map[string]any) {
	m.t.Helper()
	e, pay, err := kit.BeginBy(m.t.Context(), m.client, m.book, buyer(m.told), one(m.sku), m.row.channel)
	require.NoError(m.t, err)
	m.told++
	status, fields = m.platform.Altered(m.t, pay.No, set)
	return e, status, fields
}

// decidesNothing changes all free members at once, and one of them alone: the
// order is delivered. It gives all that a callback says.
func (m *mutant) decidesNothing() map[string]any {
	m.t.Helper()
	_, _, fields := m.tell(map[string]any{m.row.free[0]: "X"})
	all := map[string]any{}
	for _, f := range m.row.free {
		all[f] = changed(fields[f])
	}
	e, status, _ := m.tell(all)
	require.Equal(m.t, 200, status, "what decides nothing may be anything")
	require.Equal(m.t, "delivered", statusOf(m.t, m.client, e))
	return fields
}

func (m *mutant) deliversNothing(field string, other any) {
	m.t.Helper()
	_, before := m.shop.LogSince(m.t, 0)
	e, status, _ := m.tell(map[string]any{field: other})
	require.Contains(m.t, []int{200, 400, 401, 404}, status, "%s as %v", field, other)
	require.Contains(m.t, []string{"pending", "held"}, statusOf(m.t, m.client, e), "%s as %v", field, other)
	require.NotEmpty(m.t, reason(m.t, m.shop, before), "%s as %v: a reason is logged", field, other)
}

// changed is another value of the same kind.
func changed(value any) any {
	if n, ok := value.(float64); ok {
		return n + 1
	}
	return fmt.Sprint(value) + "X"
}

// others are what a member is changed to: another value, nothing, and the
// protocol's own other words.
func others(field string, value any, p told) []any {
	if slices.Contains(p.free, field) {
		return nil
	}
	out := append([]any{changed(value)}, p.words[field]...)
	if slices.Contains(p.optional, field) {
		return out
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
