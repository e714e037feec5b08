package alipay_test

import (
	"crypto/md5"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/alipay"
	"panshi/internal/money"
	"panshi/internal/payment"
)

func yuan(fen int64) money.Amount { return money.Of(fen, money.CNY) }

func request(method string) payment.Request {
	return payment.Request{
		PaymentNo: payNo, Method: method, Description: "磐石 订单&特殊=字符", Amount: yuan(1), NotifyURL: "https://shop.example/notify/alipay/1",
		ReturnURL: "https://shop.example/orders/1", ExpiresAt: now.Add(15 * time.Minute),
	}
}

func TestPrecreate(t *testing.T) {
	p := newPlatform(t)
	p.answer = func(form url.Values, content map[string]any) string {
		require.Equal(t, "alipay.trade.precreate", form.Get("method"))
		require.Equal(t, "2026-05-04 11:02:01", form.Get("timestamp"))
		require.Equal(t, "https://shop.example/notify/alipay/1", form.Get("notify_url"))
		require.Equal(t, map[string]any{
			"out_trade_no": payNo, "total_amount": "0.01", "subject": "磐石 订单&特殊=字符",
			"product_code": "FACE_TO_FACE_PAYMENT", "time_expire": "2026-05-04 11:17:01",
		}, content)
		return `{"code":"10000","msg":"Success","out_trade_no":"` + payNo + `","qr_code":"https://qr.alipay.com/bax1"}`
	}
	got, err := p.account(config()).Create(t.Context(), request(alipay.Precreate))
	require.NoError(t, err)
	require.Equal(t, payment.Instruction{Kind: "qr", CodeURL: "https://qr.alipay.com/bax1"}, got)
}

// A page is an address that the buyer opens; its signature covers every
// parameter, and nothing was asked of the platform.
func TestPagesAreSignedAddresses(t *testing.T) {
	for method, want := range map[string]string{alipay.Wap: "alipay.trade.wap.pay", alipay.Page: "alipay.trade.page.pay"} {
		got, err := account(t, config(), client()).Create(t.Context(), request(method))
		require.NoError(t, err)
		require.Equal(t, "redirect", got.Kind)
		u, err := url.Parse(got.URL)
		require.NoError(t, err)
		require.Equal(t, alipay.ProductionURL, u.Scheme+"://"+u.Host+u.Path)
		form := u.Query()
		require.Equal(t, want, form.Get("method"))
		require.Equal(t, "https://shop.example/orders/1", form.Get("return_url"))
		require.Equal(t, sign(keys().app, signable(form, "sign")), form.Get("sign"))
		require.Contains(t, form.Get("biz_content"), `"time_expire":"2026-05-04 11:17:01"`)
	}
}

func TestCertificateModeNamesItsCertificates(t *testing.T) {
	p := newPlatform(t)
	p.more = `"alipay_cert_sn":"` + serialOf(t, keys().alipayCert) + `",`
	p.answer = func(form url.Values, _ map[string]any) string {
		require.Equal(t, serialOf(t, keys().appCert), form.Get("app_cert_sn"))
		require.Equal(t, serialOf(t, keys().rootCerts), form.Get("alipay_root_cert_sn"))
		return queryAnswer("TRADE_SUCCESS", "88.88", "2026-05-04 11:00:00")
	}
	_, err := p.account(certConfig()).Query(t.Context(), payNo)
	require.NoError(t, err)
	p.more = `"alipay_cert_sn":"` + strings.Repeat("0", 32) + `",`
	_, err = p.account(certConfig()).Query(t.Context(), payNo)
	require.ErrorIs(t, err, payment.ErrProviderBusy)
	require.ErrorContains(t, err, "another certificate")
}

// serialOf is the platform's rule, written independently of the package.
func serialOf(t *testing.T, text string) string {
	block, _ := pem.Decode([]byte(text))
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	sum := md5.Sum([]byte(cert.Issuer.String() + cert.SerialNumber.Text(10)))
	return hex.EncodeToString(sum[:])
}

func queryAnswer(status, total, paidAt string) string {
	return fmt.Sprintf(`{"code":"10000","msg":"Success","out_trade_no":%q,"trade_no":%q,"trade_status":%q,"total_amount":%q,"send_pay_date":%q}`,
		payNo, tradeNo, status, total, paidAt)
}

func TestQuery(t *testing.T) {
	for _, c := range []struct {
		status, total, paidAt string
		state                 payment.State
		fen                   int64
	}{
		{"WAIT_BUYER_PAY", "88.88", "", payment.StateOpen, 8888},
		{"TRADE_SUCCESS", "88.88", "2026-05-04 11:00:00", payment.StatePaid, 8888},
		{"TRADE_FINISHED", "0.01", "2026-05-04 11:00:00", payment.StatePaid, 1},
		{"TRADE_CLOSED", "100", "", payment.StateClosed, 10000},
		{"TRADE_CLOSED", "100.5", "2026-05-04 11:00:00", payment.StatePaid, 10050}, // paid, then given back
	} {
		p := newPlatform(t)
		p.answer = always(queryAnswer(c.status, c.total, c.paidAt))
		got, err := p.account(config()).Query(t.Context(), payNo)
		require.NoError(t, err)
		require.Equal(t, c.state, got.State, c.status)
		require.Equal(t, c.fen == 10050, got.GivenBack, c.status)
		require.Equal(t, yuan(c.fen), got.Amount)
		require.Equal(t, []string{payNo, tradeNo, sellerID, appID}, []string{got.PaymentNo, got.TransactionID, got.MerchantRef, got.AppID})
		if c.paidAt != "" {
			require.Equal(t, time.Date(2026, 5, 4, 3, 0, 0, 0, time.UTC), got.PaidAt)
		}
	}
}

// What is signed and makes no sense leaves the outcome unknown.
func TestAnswersThatCannotBeMeant(t *testing.T) {
	for name, node := range map[string]string{
		"other number":   strings.Replace(queryAnswer("TRADE_SUCCESS", "1.00", ""), payNo, "P2", 1),
		"no trade":       strings.Replace(queryAnswer("TRADE_SUCCESS", "1.00", ""), tradeNo, "", 1),
		"paid nothing":   queryAnswer("TRADE_SUCCESS", "0.00", ""),
		"negative":       queryAnswer("TRADE_SUCCESS", "-1.00", ""),
		"three decimals": queryAnswer("TRADE_SUCCESS", "1.001", ""),
		"exponent":       queryAnswer("TRADE_SUCCESS", "1e3", ""),
		"new state":      queryAnswer("TRADE_PENDING", "1.00", ""),
		"other time":     queryAnswer("TRADE_SUCCESS", "1.00", "2026-05-04T11:00:00Z"),
		"an array":       `[]`,
	} {
		p := newPlatform(t)
		p.answer = always(node)
		_, err := p.account(config()).Query(t.Context(), payNo)
		require.ErrorIs(t, err, payment.ErrProviderBusy, name)
	}
}

func TestRefusalsAreSorted(t *testing.T) {
	for sub, want := range map[string]error{
		"40004 ACQ.TRADE_NOT_EXIST": payment.ErrNotFound, "40004 ACQ.TRADE_HAS_SUCCESS": payment.ErrAlreadyPaid,
		"40004 ACQ.SYSTEM_ERROR": payment.ErrProviderBusy, "20000 isp.unknow-error": payment.ErrProviderBusy,
		"20000 aop.ACQ.SYSTEM_ERROR": payment.ErrProviderBusy, "40004 ACQ.INVALID_PARAMETER": payment.ErrRejected,
		"40006 isv.insufficient-isv-permissions": payment.ErrRejected, "10003 ": payment.ErrProviderBusy,
		"40005 isv.app-call-limited": payment.ErrProviderBusy,
	} {
		code, sub, _ := strings.Cut(sub, " ")
		p := newPlatform(t)
		p.answer = always(fmt.Sprintf(`{"code":%q,"msg":"secret words","sub_code":%q,"sub_msg":"secret words"}`, code, sub))
		_, err := p.account(config()).Create(t.Context(), request(alipay.Precreate))
		require.ErrorIs(t, err, want, sub)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestUnsignedAnswersAreNotBelieved(t *testing.T) {
	node := queryAnswer("TRADE_SUCCESS", "88.88", "")
	for name, raw := range map[string]string{
		"unsigned":       `{"alipay_trade_query_response":` + node + `}`,
		"stranger":       `{"alipay_trade_query_response":` + node + `,"sign":"` + sign(keys().stranger, node) + `"}`,
		"changed":        `{"alipay_trade_query_response":` + strings.Replace(node, "88.88", "99.99", 1) + `,"sign":"` + sign(keys().alipay, node) + `"}`,
		"reformatted":    `{"alipay_trade_query_response": ` + strings.Replace(node, `,`, `, `, 1) + `,"sign":"` + sign(keys().alipay, node) + `"}`,
		"other method's": `{"alipay_trade_close_response":` + node + `,"sign":"` + sign(keys().alipay, node) + `"}`,
		"garbage":        `<html>`,
		"empty":          ``,
	} {
		p := newPlatform(t)
		p.raw = func(w http.ResponseWriter) bool { _, _ = w.Write([]byte(raw)); return true }
		_, err := p.account(config()).Query(t.Context(), payNo)
		require.ErrorIs(t, err, payment.ErrProviderBusy, name)
		require.Len(t, p.asked(), 1, name)
	}
}

func TestClose(t *testing.T) {
	closeSays := func(sub, query string) func(url.Values, map[string]any) string {
		return func(form url.Values, _ map[string]any) string {
			if form.Get("method") == "alipay.trade.query" {
				return query
			}
			return `{"code":"40004","sub_code":"` + sub + `"}`
		}
	}
	for name, c := range map[string]struct {
		answer func(url.Values, map[string]any) string
		want   error
	}{
		"closed":         {always(`{"code":"10000","out_trade_no":"` + payNo + `"}`), nil},
		"never opened":   {closeSays("ACQ.TRADE_NOT_EXIST", ""), nil},
		"closed before":  {closeSays("ACQ.TRADE_HAS_CLOSE", ""), nil},
		"buyer faster":   {closeSays("ACQ.TRADE_STATUS_ERROR", queryAnswer("TRADE_SUCCESS", "1.00", "")), payment.ErrAlreadyPaid},
		"closed in race": {closeSays("ACQ.REASON_TRADE_STATUS_INVALID", queryAnswer("TRADE_CLOSED", "1.00", "")), nil},
		"still open":     {closeSays("ACQ.REASON_ILLEGAL_STATUS", queryAnswer("WAIT_BUYER_PAY", "1.00", "")), payment.ErrRejected},
		"platform down":  {closeSays("ACQ.SYSTEM_ERROR", ""), payment.ErrProviderBusy},
	} {
		p := newPlatform(t)
		p.answer = c.answer
		err := p.account(config()).Close(t.Context(), payNo)
		if c.want == nil {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, c.want, name)
	}
}

func TestRefunds(t *testing.T) {
	p := newPlatform(t)
	moved := "Y"
	p.answer = func(form url.Values, content map[string]any) string {
		if form.Get("method") == "alipay.trade.refund" {
			require.Equal(t, map[string]any{
				"out_trade_no": payNo, "out_request_no": refundNo, "refund_amount": "12.30", "refund_reason": "sold out",
			}, content)
			return `{"code":"10000","out_trade_no":"` + payNo + `","trade_no":"` + tradeNo + `","refund_fee":"20.00","fund_change":"` + moved + `"}`
		}
		require.Equal(t, refundNo, content["out_request_no"])
		require.Equal(t, payNo, content["out_trade_no"])
		return `{"code":"10000","out_trade_no":"` + payNo + `","trade_no":"` + tradeNo + `","out_request_no":"` + refundNo +
			`","refund_amount":"12.30","refund_status":"REFUND_SUCCESS","gmt_refund_pay":"2026-05-04 11:01:00"}`
	}
	a := p.account(config())
	r := payment.RefundRequest{RefundNo: refundNo, PaymentNo: payNo, Amount: yuan(1230), Total: yuan(5000), Reason: "sold out"}
	got, err := a.Refund(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, payment.RefundReport{State: payment.RefundSucceeded, RefundNo: refundNo, RefundID: tradeNo + "-" + refundNo, Amount: yuan(1230), DoneAt: now}, got)
	moved = "N"
	got, err = a.Refund(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, payment.RefundProcessing, got.State, "no money moved by this call: ask")
	got, err = a.QueryRefund(t.Context(), payNo, refundNo)
	require.NoError(t, err)
	require.Equal(t, payment.RefundSucceeded, got.State)
	require.Equal(t, yuan(1230), got.Amount)
	p.answer = always(`{"code":"10000","msg":"Success"}`)
	_, err = a.QueryRefund(t.Context(), payNo, refundNo)
	require.ErrorIs(t, err, payment.ErrNotFound)
}

// Only a question is asked again after the network failed.
func TestRepeatsAfterANetworkError(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(a *alipay.Account) error
		asks int
	}{
		"query":     {func(a *alipay.Account) error { _, err := a.Query(t.Context(), payNo); return err }, 2},
		"precreate": {func(a *alipay.Account) error { _, err := a.Create(t.Context(), request(alipay.Precreate)); return err }, 1},
		"close":     {func(a *alipay.Account) error { return a.Close(t.Context(), payNo) }, 1},
		"refund": {func(a *alipay.Account) error {
			_, err := a.Refund(t.Context(), payment.RefundRequest{RefundNo: refundNo, PaymentNo: payNo, Amount: yuan(1), Total: yuan(1)})
			return err
		}, 1},
	} {
		p := newPlatform(t)
		p.raw = func(http.ResponseWriter) bool { panic(http.ErrAbortHandler) }
		err := c.do(p.account(config()))
		require.ErrorIs(t, err, payment.ErrProviderBusy, name)
		require.NotContains(t, err.Error(), "sign=", name)
		require.Len(t, p.asked(), c.asks, name)
	}
}

func TestRequestsThatCannotBeValidAreNotSent(t *testing.T) {
	p := newPlatform(t)
	a := p.account(config())
	for name, change := range map[string]func(*payment.Request){
		"no number": func(r *payment.Request) { r.PaymentNo = "" }, "odd number": func(r *payment.Request) { r.PaymentNo = "P-1" },
		"nothing": func(r *payment.Request) { r.Amount = yuan(0) }, "too much": func(r *payment.Request) { r.Amount = yuan(10_000_000_001) },
		"dollars": func(r *payment.Request) { r.Amount.Currency = "USD" }, "method": func(r *payment.Request) { r.Method = "native" },
		"notify": func(r *payment.Request) { r.NotifyURL = "/notify" }, "words": func(r *payment.Request) { r.Description = " \n" },
	} {
		r := request(alipay.Precreate)
		change(&r)
		_, err := a.Create(t.Context(), r)
		require.ErrorIs(t, err, payment.ErrRejected, name)
	}
	require.Empty(t, p.asked())
}

func TestConfigRefusedByField(t *testing.T) {
	for field, spoil := range map[string]func(*alipay.Config){
		"base_url":          func(c *alipay.Config) { c.BaseURL = "http://openapi.alipay.com/gateway.do" },
		"app_id":            func(c *alipay.Config) { c.AppID = "" },
		"seller_id":         func(c *alipay.Config) { c.SellerID = "a b" },
		"app_key_pem":       func(c *alipay.Config) { c.AppKeyPEM = c.PublicKey },
		"alipay_public_key": func(c *alipay.Config) { c.PublicKey = "nonsense" },
		"alipay_cert": func(c *alipay.Config) {
			*c = certConfig()
			c.AlipayCert = keys().rootCerts + "x"
			c.RootCert = keys().alipayCert
		},
		"alipay_root_cert": func(c *alipay.Config) { *c = certConfig(); c.RootCert = "" },
		"app_cert":         func(c *alipay.Config) { *c = certConfig(); c.AppCert = "" },
	} {
		c := config()
		spoil(&c)
		require.ErrorContains(t, c.Validate(), "("+field+")", field)
	}
	both := certConfig()
	both.PublicKey = config().PublicKey
	require.ErrorContains(t, both.Validate(), "one or the other")
	var c alipay.Config
	require.Error(t, json.Unmarshal([]byte(`{"app_id":"x","app_key":"s3cret"}`), &c))
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", config(), config(), config(), config()), config().AppKeyPEM[:20])
}
