package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// firstLine is a part of an order: items of its first line.
func firstLine(quantity int) map[string]any {
	return map[string]any{"lines": []map[string]int{{"line_no": 1, "quantity": quantity}}}
}

// TestEveryChannelGivesBackInParts: by each way to pay, an order of three gives
// back one item, then an amount, then the rest. The platform makes three
// refunds of the right amounts, and the shop learns that they are done by the
// platform's callback, or by asking when no callback comes.
func TestEveryChannelGivesBackInParts(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]string{
		"told":  `{"rules":[{"fault":"5xx","on":["refund","alipay.trade.refund"],"after":true}]}`,
		"asked": `{"callbacks":{"drop":true}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			platform := kit.NewPlatform(t)
			shop := kit.NewShop(t, platform)
			client, staff := shop.Client(), shop.Owner("mei")
			sku := client.DemoCard(t)
			placed, payments := map[string]kit.Placed{}, map[string]kit.Payment{}
			for _, ch := range kit.Channels() {
				kind := ch.Kind
				placed[kind], payments[kind] = start(t, client, kind, kit.Line{SKU: sku, Quantity: 3})
				require.NoError(t, platform.Pay(t.Context(), payments[kind].No), kind)
				awaitStatus(t, client, placed[kind], "delivered")
			}
			platform.Faults(t, faults)
			for _, o := range placed {
				giveBack(t, client, staff, o)
			}
			for kind, o := range placed {
				got := awaitStatus(t, client, o, "refunded")
				made, err := platform.RefundsOf(t.Context(), payments[kind].No)
				require.NoError(t, err)
				require.ElementsMatch(t, []int64{o.Total / 3, 7, o.Total - o.Total/3 - 7}, made, kind)
				require.Len(t, got.Refunds, 3, kind)
				for _, r := range got.Refunds {
					require.Equal(t, "succeeded", r.Status, kind)
				}
			}
			platform.Faults(t, "{}")
			shop.RequireClean()
		})
	}
}

// giveBack gives an order of three items back in three parts.
func giveBack(t *testing.T, client *kit.Client, staff *kit.Staff, o kit.Placed) {
	t.Helper()
	part, err := staff.Refund(t.Context(), o, firstLine(1))
	require.NoError(t, err)
	require.Equal(t, []any{"delivered", o.Total / 3, 2}, []any{part.Status, part.Refunded, part.Lines[0].Refundable})
	_, err = staff.Refund(t.Context(), o, firstLine(3))
	require.Equal(t, 422, kit.StatusOf(err))
	_, err = staff.Refund(t.Context(), o, map[string]any{"amount": 7})
	require.NoError(t, err)
	keys, err := client.Reveal(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, keys, 3)
	rest, err := staff.Refund(t.Context(), o, nil)
	require.NoError(t, err)
	require.Equal(t, o.Total, rest.Refunded)
	require.Zero(t, rest.Refundable)
}
