package consoleapi

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/access"
	"panshi/internal/checkout"
	"panshi/internal/id"
	"panshi/internal/payment"
)

const creditsPath = "/console/api/v1/credits/"

// grant grants credit at once, under a key.
func (o *owner) grant(status int, key string, body object) object {
	o.k.t.Helper()
	return o.k.want(status, ask{
		method: "POST", path: creditsPath + "grants", bearer: o.token, body: jsonOf(body), header: map[string]string{"Idempotency-Key": key},
	})
}

// payCredit pays an order from an account, with a code that is issued for it.
func (k *kit) payCredit(by *owner, slug, creditID string) (orderNo string, err error) {
	o, _, _ := k.place(k.one, slug, "fakepay")
	accounts, err := k.accounts.Channels(k.ctx(), k.one)
	require.NoError(k.t, err)
	channel := accounts[len(accounts)-1]
	require.Equal(k.t, payment.Balance, channel.Provider)
	issued := by.want(200, "POST", creditsPath+creditID+"/code", object{"reason": "for the buyer"})
	_, err = k.checkout.StartPayment(k.ctx(), checkout.PayRequest{
		MerchantID: k.one, OrderNo: o.No, Token: k.checkout.Access(o.ID), Key: "credit", BodyDigest: []byte("x"), Channel: channel.ID,
		Credit: checkout.CreditProof{Number: issued["number"].(string), Code: issued["code"].(string)},
	})
	return o.No, err
}

// creditChannel switches paying by credit on, as two people do.
func (k *kit) creditChannel() {
	_, err := k.accounts.Put(k.ctx(), payment.Account{
		MerchantID: k.one, Provider: payment.Balance, Method: payment.MethodCredit, ExternalRef: "balance", Name: "余额", On: true, Position: 9,
	}, []byte(`{}`))
	require.NoError(k.t, err)
}

func TestStoreCreditByTwo(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.creditChannel()
	chen, wu := k.owner(k.one, "chen"), k.colleague("wu-two", access.Operator)
	chen.signInNow()
	chen.product("work", "manual")

	large := object{"email": "Zhang@example.com", "amount": checkout.DefaultRefundLimit + 1, "reason": "broken twice"}
	require.Equal(t, "approval_required", chen.grant(409, "1", large)["code"])
	require.Empty(t, chen.want(200, "GET", "/console/api/v1/credits", nil)["items"], "no account was opened")
	asked := chen.want(201, "POST", creditsPath+"grants/request", large)
	require.Equal(t, "z***@example.com", asked["detail"].(map[string]any)["contact"])
	require.Equal(t, "approval_self", chen.approve(403, asked)["code"])
	wu.approve(200, asked)
	require.Equal(t, "approval_decided", wu.approve(409, asked)["code"])

	found := chen.want(200, "POST", creditsPath+"find", object{"email": "zhang@EXAMPLE.com"})["items"].([]any)
	require.Len(t, found, 1)
	creditID := found[0].(map[string]any)["id"].(string)
	shown := chen.want(200, "GET", creditsPath+creditID, nil)
	require.EqualValues(t, checkout.DefaultRefundLimit+1, shown["balance"])
	require.Equal(t, asked["id"], shown["movements"].([]any)[0].(map[string]any)["approval_id"])
	require.NotContains(t, jsonOf(chen.want(200, "GET", "/console/api/v1/credits", nil)), shown["number"].(string), "a list shows its end alone")
	require.Len(t, chen.want(200, "POST", creditsPath+"find", object{"number": shown["number"]})["items"], 1)

	orderNo, err := k.payCredit(chen, "work", creditID)
	require.NoError(t, err)
	order := chen.want(200, "GET", ordersPath+orderNo, nil)
	require.Equal(t, "paid", order["status"])
	chen.refund(200, orderNo, "all", object{})
	order = chen.want(200, "GET", ordersPath+orderNo, nil)
	require.Equal(t, "refunded", order["status"])
	require.Equal(t, creditID, order["refunds"].([]any)[0].(map[string]any)["credit_id"])

	page := chen.want(200, "GET", creditsPath+creditID+"?limit=2", nil)
	require.Len(t, page["movements"], 2)
	page = chen.want(200, "GET", creditsPath+creditID+"?limit=2&cursor="+page["next_cursor"].(string), nil)
	require.Len(t, page["movements"], 1)
	require.Empty(t, page["next_cursor"])
	k.takeBack(chen, wu, creditID)
	k.checked()
}

// takeBack takes nearly all back, and not more than there is.
func (k *kit) takeBack(chen, wu *owner, creditID string) {
	k.t.Helper()
	take := func(status int, amount int64) object {
		return chen.want(status, "POST", creditsPath+creditID+"/take_back/request", object{"amount": amount, "reason": "a mistake"})
	}
	require.Equal(k.t, "credit_insufficient", take(409, checkout.DefaultRefundLimit+2)["code"])
	asked := take(201, checkout.DefaultRefundLimit)
	orderNo, err := k.payCredit(chen, "work", creditID)
	require.NoError(k.t, err)
	require.Equal(k.t, "credit_insufficient", wu.approve(409, asked)["code"], "spent meanwhile")
	chen.refund(200, orderNo, "all", object{})
	wu.approve(200, asked)
	require.EqualValues(k.t, 1, chen.want(200, "GET", creditsPath+creditID, nil)["balance"])
	require.Equal(k.t, "credit_state", chen.want(409, "POST", creditsPath+creditID+"/state", object{"state": "closed", "reason": "x"})["code"])
	require.Equal(k.t, "frozen", chen.want(200, "POST", creditsPath+creditID+"/state", object{"state": "frozen", "reason": "x"})["state"])
}

func TestRefundBecomesCreditAboveTheLimit(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	chen, wu := k.owner(k.one, "chen"), k.colleague("wu-two", access.Operator)
	chen.signInNow()
	chen.product("work", "manual")
	wu.approve(200, chen.want(201, "POST", "/console/api/v1/refund_limit", object{"refund_limit": 4899, "reason": "careful"}))
	o := k.buy(k.one, "work", 4900)
	refund := object{"reason": "broken", "to": "credit"}
	require.Equal(t, "approval_required", chen.refund(409, o.No, "all", refund)["code"])
	refund["credit_id"] = id.New().String()
	require.Equal(t, "credit_unknown", chen.want(404, "POST", ordersPath+o.No+"/refund/request", refund)["code"])
	delete(refund, "credit_id")
	asked := chen.want(201, "POST", ordersPath+o.No+"/refund/request", refund)
	require.Equal(t, "credit", asked["detail"].(map[string]any)["to"])
	wu.approve(200, asked)
	require.Equal(t, "refunded", chen.want(200, "GET", ordersPath+o.No, nil)["status"])
	found := chen.want(200, "POST", creditsPath+"find", object{"email": "buyer.of.things@example.com"})["items"].([]any)
	require.EqualValues(t, 4900, found[0].(map[string]any)["balance"])

	o = k.buy(k.one, "work", 4900)
	part := object{"reason": "half", "amount": 2450, "to": "credit", "credit_id": first(found)["id"]}
	wu.approve(200, chen.want(201, "POST", ordersPath+o.No+"/refund/request", part))
	shown := chen.refund(200, o.No, "little", object{"amount": 50, "to": "payer"})
	require.Equal(t, []any{"paid", 2500.0, 2400.0}, []any{shown["status"], shown["refunded"], shown["refundable"]})
	require.EqualValues(t, 7350, chen.want(200, "GET", creditsPath+first(found)["id"].(string), nil)["balance"])
	k.checked()
}

func TestBadCreditInput(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code, field        string
	}{
		"credit: unknown":        {"GET", "/console/api/v1/credits/0198f3a0-0000-7000-8000-000000000001", "", 404, "credit_unknown", ""},
		"credit: nobody":         {"POST", "/console/api/v1/credits/find", `{}`, 422, "required", "contact"},
		"credit: number":         {"POST", "/console/api/v1/credits/find", `{"number":"C0000000000"}`, 404, "credit_unknown", ""},
		"grant: no key":          {"POST", "/console/api/v1/credits/grants", `{"email":"a@example.com","amount":1,"reason":"x"}`, 422, "idempotency_key_missing", "Idempotency-Key"},
		"grant: nothing":         {"POST", "/console/api/v1/credits/grants/request", `{"email":"a@example.com","amount":0,"reason":"x"}`, 422, "out_of_range", "amount"},
		"grant: to two":          {"POST", "/console/api/v1/credits/grants/request", `{"credit_id":"0198f3a0-0000-7000-8000-000000000001","email":"a@example.com","amount":1,"reason":"x"}`, 422, "contact_not_taken", "credit_id"},
		"credit: state":          {"POST", "/console/api/v1/credits/0198f3a0-0000-7000-8000-000000000001/state", `{"state":"gone","reason":"x"}`, 422, "invalid_choice", "state"},
		"refund: credit of whom": {"POST", "/console/api/v1/orders/20260101AAAA/refund", `{"reason":"x","credit_id":"0198f3a0-0000-7000-8000-000000000001"}`, 422, "credit_not_taken", "credit_id"},
	} {
		w := k.do(ask{
			method: c.method, path: c.path, body: c.body, kind: "application/json", bearer: o.token,
			keyless: strings.HasSuffix(name, "no key"),
		})
		require.Equal(t, c.status, w.Code, "%s: %s", name, w.Body.String())
		require.Equal(t, c.code, codeOf(w.Body.Bytes()), name)
		if c.field != "" {
			require.Contains(t, w.Body.String(), `"field":"`+c.field+`"`, name)
		}
	}
}
