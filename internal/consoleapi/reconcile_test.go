package consoleapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/access"
	"panshi/internal/checkout"
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

// What is above the limit for one person is booked when a second one allows it,
// once, and stays as it was until then.
func TestLargeAdjustmentNeedsTwo(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	chen, lin := k.owner(k.one, "chen"), k.colleague("lin-two", access.Operator)
	chen.signInNow() // the other one took an hour
	_, caseID := k.day(k.one)
	const missing = checkout.DefaultRefundLimit + 1
	booked := func(minor int64) {
		require.NoError(t, k.db.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE reconcile_cases SET ledger_amount = $1 WHERE id = $2`, minor, caseID)
			return err
		}))
	}
	booked(missing)
	path := "/console/api/v1/reconcile/cases/" + caseID.String()
	body := object{"decision": "write_off", "amount": -missing, "reason": "never came"}
	require.Equal(t, "approval_required", chen.want(409, "POST", path+"/adjust", body)["code"])
	require.Equal(t, "open", chen.want(200, "GET", path, nil)["state"], "nothing is half done")
	require.Equal(t, "reconcile_case_changed", chen.want(409, "POST", path+"/adjust/request",
		object{"decision": "write_off", "amount": -1, "reason": "x"})["code"])

	asked := chen.want(201, "POST", path+"/adjust/request", body)
	require.Equal(t, []any{"reconcile_adjust", float64(missing), "-100001", "never came"},
		[]any{asked["kind"], asked["amount"], asked["detail"].(map[string]any)["books"], asked["reason"]})
	require.Equal(t, "approval_pending", chen.want(409, "POST", path+"/adjust/request", body)["code"])
	require.Equal(t, "approval_self", chen.approve(403, asked)["code"])
	booked(missing + 1)
	require.Equal(t, "approval_stale", lin.approve(409, asked)["code"], "a run found another difference meanwhile")
	booked(missing)
	lin.approve(200, asked)
	shown := chen.want(200, "GET", path, nil)
	require.Equal(t, []any{"decided", float64(-missing)}, []any{shown["state"], shown["adjusted"]})
	require.Equal(t, "approval_decided", lin.approve(409, asked)["code"])
}
