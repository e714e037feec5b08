package wechatpay_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/wechatpay"
)

const (
	payNo    = "P20260504000001"
	refundNo = "R20260504000001"
)

func order() payment.Request {
	return payment.Request{
		PaymentNo: payNo, Method: "native", Description: "点卡 100 元", Amount: money.Of(1999, money.CNY),
		NotifyURL: "https://shop.example/notify/wechatpay/1", ExpiresAt: now.Add(15*time.Minute + 900*time.Millisecond), ClientIP: "203.0.113.7",
	}
}

func refundRequest() payment.RefundRequest {
	return payment.RefundRequest{RefundNo: refundNo, PaymentNo: payNo, Amount: money.Of(999, money.CNY), Total: money.Of(1999, money.CNY), Reason: "缺货"}
}

func always(status int, body string) func(*http.Request, map[string]any) reply {
	return func(*http.Request, map[string]any) reply { return reply{status, body} }
}

func failing(status int, code string) func(*http.Request, map[string]any) reply {
	return always(status, `{"code":"`+code+`","message":"the-platforms-own-words"}`)
}

func TestCreate(t *testing.T) {
	var got map[string]any
	var uri string
	p := newPlatform(t, func(r *http.Request, body map[string]any) reply {
		got, uri = body, r.Method+" "+r.RequestURI
		return reply{200, `{"code_url":"weixin://wxpay/bizpayurl?pr=p4lpSuKzz"}`}
	})
	in, err := p.account().Create(t.Context(), order())
	require.NoError(t, err)
	require.Equal(t, payment.Instruction{Kind: "qr", CodeURL: "weixin://wxpay/bizpayurl?pr=p4lpSuKzz"}, in)
	require.Equal(t, "POST /v3/pay/transactions/native", uri)
	require.Equal(t, map[string]any{
		"appid": appID, "mchid": mchID, "description": "点卡 100 元", "out_trade_no": payNo,
		"time_expire": "2026-05-04T11:17:01+08:00", "notify_url": "https://shop.example/notify/wechatpay/1",
		"amount": map[string]any{"total": 1999.0, "currency": "CNY"}, "scene_info": map[string]any{"payer_client_ip": "203.0.113.7"},
	}, got)
}

func TestCreateRefusedBeforeItIsSent(t *testing.T) {
	p := newPlatform(t, always(200, `{"code_url":"weixin://x"}`))
	a := p.account()
	for name, spoil := range map[string]func(*payment.Request){
		"method":          func(r *payment.Request) { r.Method = "app" },
		"no payer":        func(r *payment.Request) { r.Method = wechatpay.JSAPI },
		"no address":      func(r *payment.Request) { r.Method, r.ClientIP = wechatpay.H5, "" },
		"number short":    func(r *payment.Request) { r.PaymentNo = "12345" },
		"number long":     func(r *payment.Request) { r.PaymentNo = strings.Repeat("1", 33) },
		"number charset":  func(r *payment.Request) { r.PaymentNo = "P2026/0504" },
		"no amount":       func(r *payment.Request) { r.Amount = money.Of(0, money.CNY) },
		"negative amount": func(r *payment.Request) { r.Amount = money.Of(-1, money.CNY) },
		"amount too big":  func(r *payment.Request) { r.Amount = money.Of(1<<53, money.CNY) },
		"currency":        func(r *payment.Request) { r.Amount = money.Of(1, "USD") },
		"description":     func(r *payment.Request) { r.Description = " \x00\xff" },
		"notify query":    func(r *payment.Request) { r.NotifyURL += "?a=b" },
		"notify relative": func(r *payment.Request) { r.NotifyURL = "/notify" },
	} {
		r := order()
		spoil(&r)
		_, err := a.Create(t.Context(), r)
		require.ErrorIs(t, err, payment.ErrRejected, name)
	}
	require.Zero(t, p.calls.Load())
}

func TestNumbersWithPunctuationAreSignedAsSent(t *testing.T) {
	const odd = "P_2-0|2*6"
	p := newPlatform(t, func(r *http.Request, _ map[string]any) reply {
		require.Equal(t, "/v3/pay/transactions/out-trade-no/"+odd, r.URL.Path)
		require.Equal(t, mchID, r.URL.Query().Get("mchid"))
		return reply{200, strings.Replace(paidPlain, payNo, odd, 1)}
	})
	got, err := p.account().Query(t.Context(), odd)
	require.NoError(t, err)
	require.Equal(t, odd, got.PaymentNo)
}

func TestBasePathPrefix(t *testing.T) {
	p := newPlatform(t, func(r *http.Request, _ map[string]any) reply {
		require.True(t, strings.HasPrefix(r.RequestURI, "/wechat/v3/pay/"))
		return reply{200, paidPlain}
	})
	cfg := config()
	cfg.BaseURL = p.URL + "/wechat/"
	_, err := account(t, cfg, p.Client(), now).Query(t.Context(), payNo)
	require.NoError(t, err)
}

func TestQueryStates(t *testing.T) {
	for state, want := range map[string]payment.State{
		"SUCCESS": payment.StatePaid, "REFUND": payment.StatePaid, "NOTPAY": payment.StateOpen, "USERPAYING": payment.StateOpen,
		"CLOSED": payment.StateClosed, "REVOKED": payment.StateReversed, "PAYERROR": payment.StateFailed,
	} {
		p := newPlatform(t, always(200, strings.Replace(paidPlain, `"SUCCESS"`, `"`+state+`"`, 1)))
		got, err := p.account().Query(t.Context(), payNo)
		require.NoError(t, err, state)
		require.Equal(t, want, got.State, state)
		require.Equal(t, money.Of(1999, money.CNY), got.Amount)
		require.Equal(t, mchID, got.MerchantRef)
		require.Equal(t, state == "REFUND", got.GivenBack, state)
	}
	p := newPlatform(t, always(200, `{"out_trade_no":"`+payNo+`","trade_state":"NOTPAY","amount":{"total":1999,"payer_currency":"CNY"}}`))
	got, err := p.account().Query(t.Context(), payNo)
	require.NoError(t, err)
	require.Equal(t, payment.Report{State: payment.StateOpen, PaymentNo: payNo, Amount: money.Of(1999, money.CNY)}, got)
}

func TestQueryGarbage(t *testing.T) {
	for name, body := range map[string]string{
		"empty": "", "not JSON": "<html>", "null": "null", "list": "[]",
		"another order":    strings.Replace(paidPlain, payNo, "P20260504000002", 1),
		"unknown state":    strings.Replace(paidPlain, `"SUCCESS"`, `"ACCEPTED"`, 1),
		"paid, no amount":  strings.Replace(paidPlain, `"total":1999,`, "", 1),
		"paid, no number":  strings.Replace(paidPlain, `"transaction_id"`, `"x"`, 1),
		"paid, no mchid":   strings.Replace(paidPlain, `"mchid"`, `"x"`, 1),
		"amount as double": strings.Replace(paidPlain, `1999`, `1999.5`, 1),
	} {
		p := newPlatform(t, always(200, body))
		got, err := p.account().Query(t.Context(), payNo)
		require.ErrorIs(t, err, payment.ErrProviderBusy, name)
		require.Zero(t, got)
		wantNoSecret(t, err, body)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   *errs.Error
	}{
		{400, "PARAM_ERROR", payment.ErrRejected},
		{403, "NO_AUTH", payment.ErrRejected},
		{403, "OUT_TRADE_NO_USED", payment.ErrRejected},
		{400, "ORDER_CLOSED", payment.ErrRejected},
		{401, "SIGN_ERROR", payment.ErrRejected},
		{400, "ORDERPAID", payment.ErrAlreadyPaid},
		{403, "ORDER_PAID", payment.ErrAlreadyPaid},
		{404, "ORDER_NOT_EXIST", payment.ErrNotFound},
		{404, "ORDERNOTEXIST", payment.ErrNotFound},
		{404, "RESOURCE_NOT_EXISTS", payment.ErrNotFound},
		{403, "FREQUENCY_LIMITED", payment.ErrProviderBusy},
		{429, "RATELIMIT_EXCEEDED", payment.ErrProviderBusy},
		{429, "WHATEVER", payment.ErrProviderBusy},
		{500, "SYSTEM_ERROR", payment.ErrProviderBusy},
		{502, "BANK_ERROR", payment.ErrProviderBusy},
		{202, "USERPAYING", payment.ErrProviderBusy},
		{302, "MOVED", payment.ErrProviderBusy},
		{404, "", payment.ErrProviderBusy},
		{404, `no such\nthing`, payment.ErrProviderBusy},
	} {
		p := newPlatform(t, failing(c.status, c.code))
		_, err := p.account().Create(t.Context(), order())
		require.ErrorIs(t, err, c.want, "%d %s", c.status, c.code)
		require.Equal(t, c.want.Kind, errs.KindOf(err))
		require.EqualValues(t, 1, p.calls.Load())
		require.ErrorContains(t, err, fmt.Sprintf("HTTP %d", c.status))
		if c.want == payment.ErrRejected {
			require.ErrorContains(t, err, c.code)
			require.ErrorContains(t, err, "08F78BB5AF0610D302189F")
		}
		wantNoSecret(t, err, "the-platforms-own-words")
	}
}

func TestClose(t *testing.T) {
	isClose := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/close") }
	then := func(status int, code string, query reply) func(*http.Request, map[string]any) reply {
		return func(r *http.Request, body map[string]any) reply {
			if !isClose(r) {
				return query
			}
			require.Equal(t, map[string]any{"mchid": mchID}, body)
			if status == http.StatusNoContent {
				return reply{204, ""}
			}
			return reply{status, `{"code":"` + code + `"}`}
		}
	}
	state := func(s string) reply { return reply{200, strings.Replace(paidPlain, `"SUCCESS"`, `"`+s+`"`, 1)} }
	for name, c := range map[string]struct {
		handle func(*http.Request, map[string]any) reply
		want   error
		calls  int32
	}{
		"closed":             {then(204, "", reply{}), nil, 1},
		"closed already":     {then(400, "ORDER_CLOSED", reply{}), nil, 1},
		"closed, old code":   {then(400, "ORDERCLOSED", reply{}), nil, 1},
		"unknown":            {then(404, "ORDER_NOT_EXIST", reply{}), nil, 1},
		"unknown, old code":  {then(404, "ORDERNOTEXIST", reply{}), nil, 1},
		"paid":               {then(400, "ORDERPAID", reply{}), payment.ErrAlreadyPaid, 1},
		"paid, by query":     {then(400, "INVALID_REQUEST", state("SUCCESS")), payment.ErrAlreadyPaid, 2},
		"closed, by query":   {then(400, "INVALID_REQUEST", state("CLOSED")), nil, 2},
		"unknown, by query":  {then(400, "INVALID_REQUEST", reply{404, `{"code":"ORDER_NOT_EXIST"}`}), nil, 2},
		"open, really no":    {then(400, "INVALID_REQUEST", state("NOTPAY")), payment.ErrRejected, 2},
		"no, nor query":      {then(403, "NO_AUTH", reply{500, `{"code":"SYSTEM_ERROR"}`}), payment.ErrRejected, 2},
		"platform down":      {then(500, "SYSTEM_ERROR", reply{}), payment.ErrProviderBusy, 1},
		"buyer is paying":    {then(202, "USERPAYING", reply{}), payment.ErrProviderBusy, 1},
		"200 instead of 204": {always(200, "{}"), payment.ErrProviderBusy, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t, c.handle)
			require.ErrorIs(t, p.account().Close(t.Context(), payNo), c.want)
			require.Equal(t, c.calls, p.calls.Load())
		})
	}
}

func TestRefundAndQueryRefund(t *testing.T) {
	answer := func(status string) string {
		return `{"refund_id":"503","out_refund_no":"` + refundNo + `","out_trade_no":"` + payNo + `","channel":"ORIGINAL","success_time":"2026-05-04T11:01:58+08:00","status":"` + status + `","amount":{"total":1999,"refund":999,"currency":"CNY"}}`
	}
	for status, want := range map[string]payment.RefundState{
		"SUCCESS": payment.RefundSucceeded, "PROCESSING": payment.RefundProcessing, "CLOSED": payment.RefundFailed, "ABNORMAL": payment.RefundFailed,
	} {
		p := newPlatform(t, func(r *http.Request, body map[string]any) reply {
			if r.Method == http.MethodPost {
				require.Equal(t, "/v3/refund/domestic/refunds", r.RequestURI)
				require.Equal(t, map[string]any{
					"out_trade_no": payNo, "out_refund_no": refundNo, "reason": "缺货",
					"amount": map[string]any{"total": 1999.0, "refund": 999.0, "currency": "CNY"},
				}, body)
			} else {
				require.Equal(t, "/v3/refund/domestic/refunds/"+refundNo, r.RequestURI)
			}
			return reply{200, answer(status)}
		})
		for range 2 { // repeatable
			got, err := p.account().Refund(t.Context(), refundRequest())
			require.NoError(t, err)
			require.Equal(t, want, got.State)
			require.Equal(t, refundNo, got.RefundNo)
			require.Equal(t, money.Of(999, money.CNY), got.Amount)
		}
		got, err := p.account().QueryRefund(t.Context(), "P1", refundNo)
		require.NoError(t, err)
		require.Equal(t, want, got.State)
	}
}

func TestRefundFailures(t *testing.T) {
	p := newPlatform(t, failing(403, "NOT_ENOUGH"))
	_, err := p.account().Refund(t.Context(), refundRequest())
	require.ErrorIs(t, err, payment.ErrRejected)
	require.ErrorContains(t, err, "NOT_ENOUGH")
	p = newPlatform(t, failing(404, "RESOURCE_NOT_EXISTS"))
	_, err = p.account().QueryRefund(t.Context(), "P1", refundNo)
	require.ErrorIs(t, err, payment.ErrNotFound)
	for name, body := range map[string]string{
		"another refund": `{"refund_id":"503","out_refund_no":"R2","status":"PROCESSING","amount":{"refund":999}}`,
		"no state":       `{"refund_id":"503","out_refund_no":"` + refundNo + `","amount":{"refund":999}}`,
		"not JSON":       `refunded`,
	} {
		p = newPlatform(t, always(200, body))
		_, err = p.account().Refund(t.Context(), refundRequest())
		require.ErrorIs(t, err, payment.ErrProviderBusy, name)
	}
	p = newPlatform(t, always(200, "{}"))
	for name, spoil := range map[string]func(*payment.RefundRequest){
		"more than paid": func(r *payment.RefundRequest) { r.Amount = money.Of(2000, money.CNY) },
		"nothing":        func(r *payment.RefundRequest) { r.Amount = money.Of(0, money.CNY) },
		"other currency": func(r *payment.RefundRequest) { r.Amount = money.Of(1, "USD") },
		"number":         func(r *payment.RefundRequest) { r.RefundNo = strings.Repeat("R", 65) },
		"no number":      func(r *payment.RefundRequest) { r.RefundNo = "" },
		"payment number": func(r *payment.RefundRequest) { r.PaymentNo = "" },
	} {
		r := refundRequest()
		spoil(&r)
		_, err = p.account().Refund(t.Context(), r)
		require.ErrorIs(t, err, payment.ErrRejected, name)
	}
	require.Zero(t, p.calls.Load())
}
