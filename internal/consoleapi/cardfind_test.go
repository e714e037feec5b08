package consoleapi

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACardIsFoundByItsKey(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	o.product("card", "card")
	k.want(200, ask{method: "POST", path: "/console/api/v1/skus/card-1/cards", body: "K-0001-X\nK-0002-Y\n", kind: "text/plain", bearer: o.token})
	const find = "/console/api/v1/cards/find"
	seen := o.want(200, "POST", find, object{"content": "  K-0001-X "})
	require.Equal(t, []any{"available", "card-1", ""}, []any{seen["state"], seen["sku_code"], seen["order_no"]})
	bought := k.buy(k.one, "card", 4900)
	seen = o.want(200, "POST", find, object{"content": "K-0001-X"})
	require.Equal(t, []any{"sold", bought.No}, []any{seen["state"], seen["order_no"]})
	require.NotContains(t, jsonOf(seen), "K-0001")
	require.Equal(t, "card_unknown", o.want(404, "POST", find, object{"content": "K-0003-Z"})["code"])
	trail := jsonOf(o.want(200, "GET", "/console/api/v1/audit?actor_kind=staff", nil))
	require.Contains(t, trail, "card.found")
	require.NotContains(t, trail, "K-0001")
	require.NotContains(t, k.log.String(), "K-0001-X")
}
