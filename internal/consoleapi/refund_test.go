package consoleapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/access"
	"panshi/internal/jobs"
)

// refund asks for a refund with a key.
func (o *owner) refund(status int, orderNo, key string, body object) object {
	o.k.t.Helper()
	body["reason"] = "buyer asked"
	return o.k.want(status, ask{
		method: "POST", path: ordersPath + orderNo + "/refund", body: jsonOf(body), bearer: o.token,
		header: map[string]string{"Idempotency-Key": key},
	})
}

func first(list any) map[string]any { return list.([]any)[0].(map[string]any) }

// TestRefundInParts gives an order back by line, by amount and at last whole,
// with every request repeated, and looks at what staff is shown.
func TestRefundInParts(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	chen := k.owner(k.one, "chen")
	chen.product("work", "manual")
	no := k.buy(k.one, "work", 4900).No

	require.EqualValues(t, 4900, chen.want(200, "GET", ordersPath+no, nil)["refundable"])
	for code, body := range map[string]object{
		"refund_too_much":       {"amount": 4901},
		"refund_line_too_much":  {"lines": []object{{"line_no": 1, "quantity": 2}}},
		"refund_line_unknown":   {"lines": []object{{"line_no": 2, "quantity": 1}}},
		"duplicate_line":        {"lines": []object{{"line_no": 1, "quantity": 1}, {"line_no": 1, "quantity": 1}}},
		"refund_part_ambiguous": {"amount": 1, "lines": []object{{"line_no": 1, "quantity": 1}}},
	} {
		require.Equal(t, code, first(chen.refund(422, no, "refused", body)["errors"])["code"])
	}

	for range 2 {
		part := chen.refund(200, no, "a", object{"amount": 900})
		require.Equal(t, "paid", part["status"])
		require.EqualValues(t, 900, part["refunded"])
		require.EqualValues(t, 4000, part["refundable"])
		require.Len(t, part["refunds"], 1)
		require.EqualValues(t, 0, first(part["lines"])["refundable"], "the rest is not enough for the line")
	}
	require.Equal(t, "idempotency_conflict", chen.refund(409, no, "a", object{"amount": 901})["code"])
	for range 2 {
		whole := chen.refund(200, no, "b", object{})
		require.Equal(t, "refunding", whole["status"])
		require.EqualValues(t, 4900, whole["refunded"])
		require.Len(t, whole["refunds"], 2)
	}

	no = k.buy(k.one, "work", 4900).No
	line := chen.refund(200, no, "a", object{"lines": []object{{"line_no": 1, "quantity": 1}}})
	require.Equal(t, "refunding", line["status"], "the only line was all of it")
	refund := first(line["refunds"])
	require.Equal(t, map[string]any{"line_no": 1.0, "quantity": 1.0, "amount": 4900.0}, first(refund["lines"]))
	require.Equal(t, []any{true, "requested"}, []any{refund["by_staff"], refund["status"]})
	require.Equal(t, []any{1.0, 1.0}, []any{first(line["lines"])["refunded"], first(line["lines"])["withdrawn"]})
	k.checked()
}

// TestSmallRefundsDoNotPassBelowTheLimit: what one order gives back adds up,
// and what is above the limit is asked for and allowed to the fen.
func TestSmallRefundsDoNotPassBelowTheLimit(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	chen, wu := k.owner(k.one, "chen"), k.colleague("wu-two", access.Operator)
	chen.signInNow()
	chen.product("work", "manual")
	no := k.buy(k.one, "work", 4900).No
	wu.approve(200, chen.want(201, "POST", "/console/api/v1/refund_limit", object{"refund_limit": 1000, "reason": "careful"}))

	chen.refund(200, no, "1", object{"amount": 600})
	require.Equal(t, "approval_required", chen.refund(409, no, "2", object{"amount": 401})["code"])
	chen.refund(200, no, "2", object{"amount": 400})
	require.Equal(t, "approval_required", chen.refund(409, no, "3", object{"amount": 1})["code"])
	require.Len(t, chen.want(200, "GET", ordersPath+no, nil)["refunds"], 2, "what was refused wrote nothing")

	path := ordersPath + no + "/refund/request"
	require.Equal(t, "refund_too_much", first(chen.want(422, "POST", path, object{"reason": "x", "amount": 3901})["errors"])["code"])
	asked := chen.want(201, "POST", path, object{"reason": "broken", "amount": 1500})
	require.EqualValues(t, 1500, asked["amount"])
	wu.approve(200, asked)
	v := chen.want(200, "GET", ordersPath+no, nil)
	require.Equal(t, []any{"paid", 2500.0, 2400.0}, []any{v["status"], v["refunded"], v["refundable"]})
	require.Equal(t, "approval_required", chen.refund(409, no, "4", object{"amount": 1})["code"])

	asked = chen.want(201, "POST", path, object{"reason": "broken"})
	require.EqualValues(t, 2400, asked["amount"])
	wu.approve(200, asked)
	require.Equal(t, "refunding", chen.want(200, "GET", ordersPath+no, nil)["status"])
	k.checked()
}

// TestRefusedPartCountsOnTheHoldDesk: a refund that the platform refused may be
// made again only within the limit of the whole order.
func TestRefusedPartCountsOnTheHoldDesk(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	chen, wu := k.owner(k.one, "chen"), k.colleague("wu-two", access.Operator)
	chen.signInNow()
	chen.product("work", "manual")
	put := object{"provider": "offline", "settings": object{"instructions": "ICBC 6222"}, "name": "转账", "on": true, "reason": "new"}
	wu.approve(200, chen.want(201, "POST", "/console/api/v1/payment_accounts", put))
	wu.approve(200, chen.want(201, "POST", "/console/api/v1/refund_limit", object{"refund_limit": 1000, "reason": "careful"}))
	o, pay, _ := k.place(k.one, "work", "offline")
	wu.approve(200, chen.want(201, "POST", ordersPath+o.No+"/transfer", object{
		"payment_no": pay.No, "reference": "BANK-1", "received": 4900, "reason": "seen",
	}))

	chen.refund(200, o.No, "1", object{"amount": 900})
	v, err := k.checkout.OrderForStaff(k.ctx(), k.one, o.No)
	require.NoError(t, err)
	require.NoError(t, k.checkout.SendRefund(k.ctx(), jobs.Job{MerchantID: k.one, SubjectID: v.Refunds[0].ID}))
	shown := chen.refund(200, o.No, "2", object{"amount": 900})
	require.Equal(t, []any{"paid", 900.0, 3100.0}, []any{shown["status"], shown["refunded"], shown["refundable"]},
		"the refused part lies aside, the order goes on")
	hold := first(chen.want(200, "GET", "/console/api/v1/holds", nil)["items"])
	path := "/console/api/v1/holds/" + hold["id"].(string)
	require.Equal(t, "approval_required", chen.want(409, "POST", path+"/resolve", object{"action": "refund", "note": "again"})["code"])
	wu.approve(200, chen.want(201, "POST", path+"/refund/request", object{"reason": "again"}))
	require.EqualValues(t, 1800, chen.want(200, "GET", ordersPath+o.No, nil)["refunded"])
	k.checked()
}
