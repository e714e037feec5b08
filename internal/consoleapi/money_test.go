package consoleapi

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/access"
	"panshi/internal/account"
	"panshi/internal/audit"
	"panshi/internal/check"
	"panshi/internal/checkout"
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/invariant"
	"panshi/internal/jobs"
	"panshi/internal/ledger"
	"panshi/internal/payment"
)

const ordersPath, approvalsPath = "/console/api/v1/orders/", "/console/api/v1/approvals/"

// colleague is a second person of merchant one: an owner of merchant two who
// moved over.
func (k *kit) colleague(login string, role access.Role) *owner {
	o := k.owner(k.two, login)
	require.NoError(k.t, k.db.Update(k.ctx(), func(tx *db.Tx) error {
		for _, text := range []string{
			`UPDATE staff SET merchant_id = $1 WHERE merchant_id = $2`, `UPDATE staff_sessions SET merchant_id = $1 WHERE merchant_id = $2`,
			`UPDATE staff_recovery_codes SET merchant_id = $1 WHERE merchant_id = $2`,
		} {
			if _, err := tx.Exec(text, k.one, k.two); err != nil {
				return err
			}
		}
		return nil
	}))
	o.setRole(role)
	return o
}

// approve decides a request, with a code that was not used yet.
func (o *owner) approve(status int, asked object) object {
	o.k.t.Helper()
	o.k.clock.Advance(time.Minute)
	return o.want(status, "POST", approvalsPath+asked["id"].(string)+"/approve", object{"code": o.code(), "digest": asked["digest"]})
}

// checked runs the invariants of the packages that have a hand in money.
func (k *kit) checked() {
	k.t.Helper()
	var all []invariant.Invariant
	for _, list := range [][]invariant.Invariant{checkout.Invariants(), payment.Invariants(), ledger.Invariants(), account.Invariants(), access.Invariants()} {
		all = append(all, list...)
	}
	report, err := check.Run(k.ctx(), k.db, all, func(string, int, int) {})
	require.NoError(k.t, err)
	require.Zero(k.t, report.Violations, "%+v", report)
}

func TestRefundAboveTheLimit(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	chen, wu := k.owner(k.one, "chen"), k.colleague("wu-two", access.Operator)
	chen.signInNow()
	chen.product("work", "manual")
	first, second := k.buy(k.one, "work", 4900), k.buy(k.one, "work", 4900)

	limit := chen.want(201, "POST", "/console/api/v1/refund_limit", object{"refund_limit": 4899, "reason": "careful"})
	require.EqualValues(t, checkout.DefaultRefundLimit, chen.want(200, "GET", "/console/api/v1/refund_limit", nil)["refund_limit"])
	require.Equal(t, "approved", wu.approve(200, limit)["status"])
	require.EqualValues(t, 4899, chen.want(200, "GET", "/console/api/v1/refund_limit", nil)["refund_limit"])

	refused := chen.want(409, "POST", ordersPath+first.No+"/refund", object{"reason": "broken"})
	require.Equal(t, "approval_required", refused["code"])
	require.Empty(t, chen.want(200, "GET", ordersPath+first.No, nil)["refunds"], "no refund was written")

	asked := chen.want(201, "POST", ordersPath+first.No+"/refund/request", object{"reason": "broken"})
	require.EqualValues(t, 4900, asked["amount"])
	require.Equal(t, "approval_pending", chen.want(409, "POST", ordersPath+first.No+"/refund/request", object{"reason": "again"})["code"])
	require.Equal(t, "approval_self", chen.approve(403, asked)["code"])
	require.Equal(t, "forbidden", wu.want(403, "POST", ordersPath+first.No+"/refund/request", object{"reason": "x"})["code"])
	wu.approve(200, asked)
	require.Equal(t, "approval_decided", wu.approve(409, asked)["code"])
	o := chen.want(200, "GET", ordersPath+first.No, nil)
	require.Equal(t, "refunding", o["status"])
	require.Len(t, o["refunds"], 1)

	asked = chen.want(201, "POST", ordersPath+second.No+"/refund/request", object{"reason": "broken"})
	require.Equal(t, "no", wu.want(200, "POST", approvalsPath+asked["id"].(string)+"/reject", object{"note": "no"})["note"])
	asked = chen.want(201, "POST", ordersPath+second.No+"/refund/request", object{"reason": "broken"})
	require.Equal(t, "withdrawn", chen.want(200, "POST", approvalsPath+asked["id"].(string)+"/withdraw", nil)["status"])
	require.Empty(t, chen.want(200, "GET", ordersPath+second.No, nil)["refunds"])

	page := chen.want(200, "GET", "/console/api/v1/approvals?limit=3", nil)
	require.Len(t, page["items"], 3)
	require.Len(t, chen.want(200, "GET", "/console/api/v1/approvals?limit=3&cursor="+page["next_cursor"].(string), nil)["items"], 1)
	require.Len(t, chen.want(200, "GET", "/console/api/v1/approvals?status=approved", nil)["items"], 2)
	k.checked()
}

// alone has the one person of a shop approve what they asked, by the rules of
// that: not before the alert and the delay.
func (o *owner) alone(asked object) object {
	o.k.t.Helper()
	require.Equal(o.k.t, "approval_early", o.approve(409, asked)["code"])
	approvalID, err := id.Parse(asked["id"].(string))
	require.NoError(o.k.t, err)
	require.NoError(o.k.t, o.k.approvals.SendAlert(o.k.ctx(), jobs.Job{MerchantID: o.k.one, SubjectID: approvalID}))
	o.k.clock.Advance(10 * time.Minute)
	return o.approve(200, asked)
}

// TestTransfer goes the whole way of an offline payment in a shop of one person.
func TestTransfer(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	chen := k.owner(k.one, "chen")
	chen.product("work", "manual")
	put := object{"provider": "offline", "settings": object{"instructions": "ICBC 6222", "hours": 48}, "name": "转账", "on": true, "reason": "new"}
	require.NotContains(t, jsonOf(chen.want(200, "GET", "/console/api/v1/payment_accounts", nil)), "offline")
	chen.alone(chen.want(201, "POST", "/console/api/v1/payment_accounts", put))
	accounts := jsonOf(chen.want(200, "GET", "/console/api/v1/payment_accounts", nil))
	require.Contains(t, accounts, "offline")
	require.NotContains(t, accounts, "ICBC")

	o, pay, _ := k.place(k.one, "work", "offline")
	require.Contains(t, pay.CodeURL, "ICBC 6222")
	require.Contains(t, pay.CodeURL, pay.No)
	before, err := k.checkout.OrderForStaff(t.Context(), k.one, o.No)
	require.NoError(t, err)
	require.WithinDuration(t, k.clock.Now().Add(48*time.Hour), before.Order.ExpiresAt, time.Minute)
	for range 2 { // nobody's word makes it paid
		require.Equal(t, "pending", chen.want(200, "POST", ordersPath+o.No+"/ask", object{"reason": "lost?"})["order"].(map[string]any)["status"])
	}

	said := object{"payment_no": pay.No, "reference": "BANK-1", "received": 4900, "reason": "seen", "evidence": "receipt 7"}
	asked := chen.want(201, "POST", ordersPath+o.No+"/transfer", said)
	require.Equal(t, "pending", chen.want(200, "GET", ordersPath+o.No, nil)["status"])
	chen.alone(asked)
	after := chen.want(200, "GET", ordersPath+o.No, nil)
	require.Equal(t, "paid", after["status"])
	require.Equal(t, "approval", after["payments"].([]any)[0].(map[string]any)["settled_by"])
	require.Equal(t, "payment_settled", chen.want(409, "POST", ordersPath+o.No+"/transfer", said)["code"])

	k.refundByHand(chen, o.No)

	other, pay, _ := k.place(k.one, "work", "offline")
	said["payment_no"] = pay.No
	require.Equal(t, "reference_used", chen.want(409, "POST", ordersPath+other.No+"/transfer", said)["code"])
	said["reference"], said["received"] = "BANK-2", 4800
	chen.alone(chen.want(201, "POST", ordersPath+other.No+"/transfer", said))
	require.Equal(t, "held", chen.want(200, "GET", ordersPath+other.No, nil)["status"], "the amount did not fit")

	online, pay, _ := k.place(k.one, "work", "fakepay")
	said["payment_no"], said["reference"] = pay.No, "BANK-3"
	require.Equal(t, "payment_not_offline", chen.want(409, "POST", ordersPath+online.No+"/transfer", said)["code"])
	k.checked()
}

// refundByHand gives a transfer back: the shop cannot, so that a person does and
// says so on the hold desk.
func (k *kit) refundByHand(by *owner, orderNo string) {
	k.t.Helper()
	by.want(200, "POST", ordersPath+orderNo+"/refund", object{"reason": "broken"})
	v, err := k.checkout.OrderForStaff(k.ctx(), k.one, orderNo)
	require.NoError(k.t, err)
	require.NoError(k.t, k.checkout.SendRefund(k.ctx(), jobs.Job{MerchantID: k.one, SubjectID: v.Refunds[0].ID}))
	require.Equal(k.t, "held", by.want(200, "GET", ordersPath+orderNo, nil)["status"])
	hold := by.want(200, "GET", "/console/api/v1/holds", nil)["items"].([]any)[0].(map[string]any)
	require.Equal(k.t, "refund_failed", hold["reason"])
	by.want(204, "POST", "/console/api/v1/holds/"+hold["id"].(string)+"/resolve", object{"action": "dismiss", "note": "sent back by bank"})
	require.Equal(k.t, "refunded", by.want(200, "GET", ordersPath+orderNo, nil)["status"])
}

func TestLostPaymentIsMadeUpByThePlatformsWord(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	chen := k.owner(k.one, "chen")
	chen.product("work", "manual")
	o, pay, account := k.place(k.one, "work", "fakepay")
	ask := func() (state, status any) {
		out := chen.want(200, "POST", ordersPath+o.No+"/ask", object{"reason": "the buyer has a receipt"})
		answer := out["answers"].([]any)[0].(map[string]any)
		return answer["outcome"], out["order"].(map[string]any)["status"]
	}
	outcome, status := ask()
	require.Equal(t, []any{"ignored", "pending"}, []any{outcome, status})
	k.word = k.paid(pay, account, 4900)
	outcome, status = ask()
	require.Equal(t, []any{"settled", "paid"}, []any{outcome, status})
	outcome, _ = ask()
	require.Equal(t, "repeated", outcome)
	trail, err := audit.NewReader(k.db).Of(t.Context(), k.one, o.ID)
	require.NoError(t, err)
	asked := 0
	for _, r := range trail {
		if r.Action == "order.platforms_asked" && r.Detail["reason"] != "" && r.Actor.Kind == "staff" {
			asked++
		}
	}
	require.Equal(t, 3, asked)
	k.checked()
}
