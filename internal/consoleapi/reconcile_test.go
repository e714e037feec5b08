package consoleapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/access"
	"panshi/internal/db"
)

// A case shows what may be decided and what it books; the books follow once,
// for what was shown, and only at the hand of who may.
func TestCasesAreDecided(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	_, caseID := k.day(k.one)
	require.NoError(t, k.db.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE reconcile_cases SET ledger_amount = 1 WHERE id = $1`, caseID)
		return err
	}))
	path := "/console/api/v1/reconcile/cases/" + caseID.String()
	shown := o.want(200, "GET", path, nil)
	require.Equal(t, []any{"open", []any{"write_off"}, -1.0}, []any{shown["state"], shown["decisions"], shown["missing"]})

	body := object{"decision": "write_off", "amount": 0, "reason": "never came"}
	require.Equal(t, "reconcile_case_changed", o.want(409, "POST", path+"/adjust", body)["code"])
	body["decision"] = "book_payment"
	require.Equal(t, "reconcile_decision", o.want(422, "POST", path+"/adjust", body)["code"])
	require.Equal(t, "reconcile_decision", o.want(422, "POST", path+"/resolve", object{"decision": "accept_fee", "reason": "x"})["code"])
	body["decision"], body["amount"] = "write_off", -1
	o.want(204, "POST", path+"/adjust", body)
	require.Equal(t, "reconcile_case_unknown", o.want(404, "POST", path+"/adjust", body)["code"])
	shown = o.want(200, "GET", path, nil)
	require.Equal(t, []any{"decided", "write_off", -1.0, "never came"},
		[]any{shown["state"], shown["decision"], shown["adjusted"], shown["reason"]})

	o.setRole(access.Auditor)
	o.want(200, "GET", path, nil)
	require.Equal(t, "forbidden", o.want(403, "POST", path+"/adjust", body)["code"])
}
