package consoleapi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOverviewComparesTheSameHours(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	o.product("work", "manual")
	k.buy(k.one, "work", 4900)
	k.place(k.one, "work", "fakepay")
	k.owner(k.two, "wu-two").product("other", "manual")
	k.buy(k.two, "other", 4900)
	k.clock.Advance(time.Minute)
	o.signIn()

	seen := o.want(200, "GET", "/console/api/v1/overview", nil)
	require.Equal(t, "CNY", seen["currency"])
	today, ago := seen["today"].(map[string]any), seen["week_ago"].(map[string]any)
	require.Equal(t, []any{2.0, 1.0, 4900.0, false}, []any{today["placed"], today["paid"], today["amount"], today["capped"]}, "another merchant's order is not among them")
	require.Equal(t, []any{0.0, 0.0, 0.0}, []any{ago["placed"], ago["paid"], ago["amount"]})

	k.clock.Advance(7 * 24 * time.Hour)
	o.signIn()
	seen = o.want(200, "GET", "/console/api/v1/overview", nil)
	today, ago = seen["today"].(map[string]any), seen["week_ago"].(map[string]any)
	require.Equal(t, 0.0, today["placed"])
	require.Equal(t, []any{2.0, 1.0, 4900.0}, []any{ago["placed"], ago["paid"], ago["amount"]})
}
