package consoleapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/notify"
)

// TestAlertsOfAShop: a mismatch is an alert of its merchant; acknowledging it
// names who did. What is about the installation is seen by those who run it.
func TestAlertsOfAShop(t *testing.T) {
	t.Parallel()
	k, chen, _ := shop(t)
	require.NoError(t, k.db.Update(k.ctx(), func(tx *db.Tx) error {
		return notify.AlertTx(tx, notify.Alert{Code: "disk_low", Severity: notify.Critical, Args: map[string]string{"free": "12"}})
	}))
	page := chen.want(200, "GET", "/console/api/v1/alerts?limit=1", nil)
	disk := page["items"].([]any)[0].(map[string]any)
	require.Equal(t, "disk_low", disk["code"])
	require.Equal(t, true, disk["platform"])
	rest := chen.want(200, "GET", "/console/api/v1/alerts?cursor="+page["next_cursor"].(string), nil)["items"].([]any)
	require.Len(t, rest, 1)
	hold := rest[0].(map[string]any)
	require.Equal(t, "hold_opened", hold["code"])
	require.Equal(t, "有款项待人工处理", hold["title"])
	require.NotContains(t, jsonOf(map[string]any{"all": rest}), "buyer.of.things", "no personal data")
	chen.want(204, "POST", "/console/api/v1/alerts/"+hold["id"].(string)+"/acknowledge", nil)
	hold = chen.want(200, "GET", "/console/api/v1/alerts?cursor="+page["next_cursor"].(string), nil)["items"].([]any)[0].(map[string]any)
	require.Equal(t, "acknowledged", hold["state"])
	require.Equal(t, "chen", hold["acknowledged_by"])
	wu := k.owner(k.two, "wu-two")
	require.Empty(t, wu.want(200, "GET", "/console/api/v1/alerts", nil)["items"])
	wu.want(404, "POST", "/console/api/v1/alerts/"+disk["id"].(string)+"/acknowledge", nil)
}
