package console

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every value that the API may give where pages show a word for it has that
// word.
func TestEveryValueHasAWord(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("openapi.json")
	require.NoError(t, err)
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Enum []string `json:"enum"`
				} `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal(raw, &doc))
	texts := catalogue(t, "zh-CN")
	for _, c := range []struct{ schema, property, group string }{
		{"WhoAmI", "role", "role"},
		{"InviteInBody", "role", "role_may"},
		{"OrderSummary", "status", "order_state"},
		{"OrderLine", "kind", "product_kind"},
		{"OrderPayment", "status", "payment_state"},
		{"OrderRefund", "status", "refund_state"},
		{"ResolveInBody", "action", "hold_action"},
		{"ResolveInBody", "action", "hold_action_what"},
		{"ApprovalView", "kind", "approval_kind"},
		{"ApprovalView", "status", "approval_state"},
		{"AlertView", "severity", "severity"},
		{"AlertView", "state", "alert_state"},
		{"AccountHealth", "breaker", "breaker"},
		{"FindCardOutBody", "state", "card_state"},
		{"BackupItemView", "state", "backup_state"},
		{"BackupCopyView", "state", "copy_state"},
		{"BackupProofView", "kind", "proof_kind"},
		{"DayView", "state", "day_state"},
		{"CaseView", "kind", "case_kind"},
		{"CaseView", "state", "case_state"},
		{"AdjustCaseInBody", "decision", "decision"},
		{"ResolveCaseInBody", "decision", "decision"},
	} {
		values := doc.Components.Schemas[c.schema].Properties[c.property].Enum
		require.NotEmpty(t, values, "%s.%s", c.schema, c.property)
		for _, value := range values {
			require.Contains(t, texts, c.group+"."+value, "%s.%s", c.schema, c.property)
		}
	}
}
