package sandbox

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOrderFromNativeToRefund(t *testing.T) {
	r := newRig(t, func(c *Config) { c.RefundDelay = time.Hour })
	s := r.shop("demo")
	url := s.order("ORDER0001", nil)
	require.Regexp(t, `^weixin://wxpay/bizpayurl\?pr=[0-9A-Za-z]+$`, url)
	require.Equal(t, "NOTPAY", s.state("ORDER0001"))

	receipt := r.pay("ORDER0001")
	require.EqualValues(t, 1234, receipt["amount"])
	query := s.call("GET", "/v3/pay/transactions/id/"+receipt["transaction_id"].(string)+"?mchid="+s.id.MchID, "")
	require.Equal(t, 200, query.status)
	require.Equal(t, "SUCCESS", query.body["trade_state"])
	require.Equal(t, receipt["transaction_id"], query.body["transaction_id"])
	require.EqualValues(t, 1234, query.body["amount"].(map[string]any)["payer_total"])

	body := `{"out_trade_no":"ORDER0001","out_refund_no":"R1","amount":{"refund":1000,"total":1234,"currency":"CNY"}}`
	first := s.call("POST", "/v3/refund/domestic/refunds", body)
	require.Equal(t, 200, first.status, "%s", first.raw)
	require.Equal(t, "PROCESSING", first.body["status"])
	again := s.call("POST", "/v3/refund/domestic/refunds", body)
	require.Equal(t, first.body["refund_id"], again.body["refund_id"], "a repeated refund is the same refund")
	require.Equal(t, "REFUND", s.state("ORDER0001"))

	over := s.call("POST", "/v3/refund/domestic/refunds", strings.Replace(body, "R1", "R2", 1))
	require.Equal(t, 400, over.status)
	require.Equal(t, "INVALID_REQUEST", over.body["code"], "1000 of 1234 is refunded, 1000 more is too much")
	rest := s.call("POST", "/v3/refund/domestic/refunds",
		`{"transaction_id":"`+receipt["transaction_id"].(string)+`","out_refund_no":"R3","amount":{"refund":234,"total":1234,"currency":"CNY"}}`)
	require.Equal(t, 200, rest.status, "%s", rest.raw)
	require.Equal(t, 404, s.call("GET", "/v3/refund/domestic/refunds/R2", "").status)
	require.Equal(t, 200, s.call("GET", "/v3/refund/domestic/refunds/R3", "").status)
}

func TestRefundSucceedsAfterDelay(t *testing.T) {
	now := time.Now()
	r := newRig(t, func(c *Config) { c.RefundDelay = time.Minute; c.Now = func() time.Time { return now } })
	s := r.shop("demo")
	s.order("ORDER0001", nil)
	r.pay("ORDER0001")
	s.call("POST", "/v3/refund/domestic/refunds",
		`{"out_trade_no":"ORDER0001","out_refund_no":"R1","amount":{"refund":1,"total":1234,"currency":"CNY"}}`)
	require.Equal(t, "PROCESSING", s.call("GET", "/v3/refund/domestic/refunds/R1", "").body["status"])
	now = now.Add(time.Minute)
	require.Equal(t, "SUCCESS", s.call("GET", "/v3/refund/domestic/refunds/R1", "").body["status"])
}

func TestNativeRepeats(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	url := s.order("ORDER0001", nil)
	require.Equal(t, url, s.order("ORDER0001", nil))

	other := s.call("POST", "/v3/pay/transactions/native", s.nativeBody("ORDER0001", map[string]any{"description": "other"}))
	require.Equal(t, 403, other.status)
	require.Equal(t, "OUT_TRADE_NO_USED", other.body["code"])

	r.pay("ORDER0001")
	paid := s.call("POST", "/v3/pay/transactions/native", s.nativeBody("ORDER0001", nil))
	require.Equal(t, "ORDERPAID", paid.body["code"])
}

func TestClose(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	s.order("ORDER0001", nil)
	body := `{"mchid":"` + s.id.MchID + `"}`
	for range 2 {
		require.Equal(t, 204, s.call("POST", "/v3/pay/transactions/out-trade-no/ORDER0001/close", body).status)
	}
	require.Equal(t, "CLOSED", s.state("ORDER0001"))
	require.Equal(t, true, r.dev("GET", "/simulate/trades/ORDER0001", "").body["closed"])
	pay := r.dev("POST", "/simulate/pay", `{"out_trade_no":"ORDER0001"}`)
	require.Equal(t, 400, pay.status)
	require.Equal(t, "ORDER_CLOSED", pay.body["code"])

	s.order("ORDER0002", nil)
	r.pay("ORDER0002")
	paid := s.call("POST", "/v3/pay/transactions/out-trade-no/ORDER0002/close", body)
	require.Equal(t, 400, paid.status)
	require.Equal(t, "ORDERPAID", paid.body["code"])
	require.Equal(t, 404, s.call("POST", "/v3/pay/transactions/out-trade-no/ORDER0003/close", body).status)
}

func TestExpiry(t *testing.T) {
	now := time.Now()
	r := newRig(t, func(c *Config) { c.Now = func() time.Time { return now } })
	s := r.shop("demo")
	s.order("ORDER0001", map[string]any{"time_expire": now.Add(time.Minute).Format(time.RFC3339)})
	require.Equal(t, "NOTPAY", s.state("ORDER0001"))
	now = now.Add(time.Minute)
	require.Equal(t, "CLOSED", s.state("ORDER0001"))
	pay := r.dev("POST", "/simulate/pay", `{"out_trade_no":"ORDER0001"}`)
	require.Equal(t, "ORDER_CLOSED", pay.body["code"])
	require.Equal(t, false, r.dev("GET", "/simulate/trades/ORDER0001", "").body["closed"], "time ended it")
}

func TestRefusesBadSignatures(t *testing.T) {
	r := newRig(t, nil)
	s, stranger := r.shop("demo"), r.shop("stranger")
	target := "/v3/pay/transactions/out-trade-no/ORDER0001?mchid=" + s.id.MchID
	good := s.authorization("GET", target, "", time.Now())
	for name, header := range map[string]string{
		"none":             "",
		"other scheme":     strings.Replace(good, "WECHATPAY2", "WECHATPAY1", 1),
		"malformed":        strings.Replace(good, `mchid="`, `mchid=`, 1),
		"repeated":         good + `,mchid="1"`,
		"unknown merchant": strings.Replace(good, s.id.MchID, "1234567890", 1),
		"other merchant":   strings.Replace(good, s.id.MchID, stranger.id.MchID, 1),
		"other serial":     strings.Replace(good, s.id.Serial, stranger.id.Serial, 1),
		"other nonce":      strings.Replace(good, "nonce123", "nonce124", 1),
		"other method":     s.authorization("POST", target, "", time.Now()),
		"other target":     s.authorization("GET", target+"0", "", time.Now()),
		"other body":       s.authorization("GET", target, "{}", time.Now()),
		"old":              s.authorization("GET", target, "", time.Now().Add(-6*time.Minute)),
		"future":           s.authorization("GET", target, "", time.Now().Add(6*time.Minute)),
	} {
		t.Run(name, func(t *testing.T) {
			req := s.request("GET", target, "")
			req.Header.Set("Authorization", header)
			got := do(t, req)
			require.Equal(t, 401, got.status, "%s", got.raw)
			require.Equal(t, "SIGN_ERROR", got.body["code"])
			require.NoError(t, proves(s.plat, got.header, got.raw), "refusals are signed too")
		})
	}
	require.Equal(t, 404, s.call("GET", target, "").status, "the good signature gets through")
}

func TestMerchantsAreApart(t *testing.T) {
	r := newRig(t, nil)
	a, b := r.shop("a"), r.shop("b")
	a.order("ORDER0001", nil)
	require.Equal(t, 404, b.call("GET", "/v3/pay/transactions/out-trade-no/ORDER0001?mchid="+b.id.MchID, "").status)
	require.Equal(t, 400, b.call("GET", "/v3/pay/transactions/out-trade-no/ORDER0001?mchid="+a.id.MchID, "").status)
	b.order("ORDER0001", nil)
	unclear := r.dev("POST", "/simulate/pay", `{"out_trade_no":"ORDER0001"}`)
	require.Equal(t, "AMBIGUOUS", unclear.body["code"])
	require.Equal(t, 200, r.dev("POST", "/simulate/pay", `{"out_trade_no":"ORDER0001","mchid":"`+b.id.MchID+`"}`).status)
	require.Equal(t, "NOTPAY", a.state("ORDER0001"))
	require.Equal(t, "SUCCESS", b.state("ORDER0001"))
}

func TestCertificates(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	got := s.call("GET", "/v3/certificates", "")
	require.Equal(t, 200, got.status)
	item := got.body["data"].([]any)[0].(map[string]any)
	box := item["encrypt_certificate"].(map[string]any)
	plain, err := s.open(box["associated_data"].(string), box["nonce"].(string), box["ciphertext"].(string))
	require.NoError(t, err)
	block, _ := pem.Decode(plain)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	require.Equal(t, item["serial_no"], strings.ToUpper(cert.SerialNumber.Text(16)))

	req := s.request("GET", "/v3/certificates", "")
	req.Header.Set("Wechatpay-Serial", item["serial_no"].(string))
	signed := do(t, req)
	require.Equal(t, item["serial_no"], signed.header.Get("Wechatpay-Serial"))
	require.NoError(t, proves(cert.PublicKey.(*rsa.PublicKey), signed.header, signed.raw))
}

func TestNativeBadInput(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	for name, c := range map[string]struct {
		change map[string]any
		field  string
	}{
		"no appid":            {map[string]any{"appid": nil}, "appid"},
		"foreign appid":       {map[string]any{"appid": "wx0000000000000000"}, "appid"},
		"foreign mchid":       {map[string]any{"mchid": "1"}, "mchid"},
		"no description":      {map[string]any{"description": nil}, "description"},
		"long description":    {map[string]any{"description": strings.Repeat("卡", 128)}, "description"},
		"NUL in description":  {map[string]any{"description": "a\x00b"}, "description"},
		"short number":        {map[string]any{"out_trade_no": "A1"}, "out_trade_no"},
		"long number":         {map[string]any{"out_trade_no": strings.Repeat("1", 33)}, "out_trade_no"},
		"number with slash":   {map[string]any{"out_trade_no": "ORDER/0001"}, "out_trade_no"},
		"number is no string": {map[string]any{"out_trade_no": 1}, "out_trade_no"},
		"no notify_url":       {map[string]any{"notify_url": nil}, "notify_url"},
		"notify_url scheme":   {map[string]any{"notify_url": "ftp://example.com/"}, "notify_url"},
		"notify_url query":    {map[string]any{"notify_url": "http://example.com/?a=b"}, "notify_url"},
		"zero":                {map[string]any{"amount": map[string]any{"total": 0}}, "amount.total"},
		"negative":            {map[string]any{"amount": map[string]any{"total": -1}}, "amount.total"},
		"fraction":            {map[string]any{"amount": map[string]any{"total": 1.5}}, "amount.total"},
		"yuan text":           {map[string]any{"amount": map[string]any{"total": "12.34"}}, "amount.total"},
		"currency":            {map[string]any{"amount": map[string]any{"total": 1, "currency": "USD"}}, "amount.currency"},
		"expiry form":         {map[string]any{"time_expire": "tomorrow"}, "time_expire"},
		"expired at birth":    {map[string]any{"time_expire": "2020-01-01T00:00:00+08:00"}, "time_expire"},
		"long attach":         {map[string]any{"attach": strings.Repeat("a", 129)}, "attach"},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.call("POST", "/v3/pay/transactions/native", s.nativeBody("ORDER0001", c.change))
			require.Equal(t, 400, got.status, "%s", got.raw)
			require.Equal(t, c.field, got.body["detail"].(map[string]any)["field"], "%s", got.raw)
		})
	}
	for name, body := range map[string]string{
		"empty": "", "array": "[]", "no JSON": "{", "two": "{}{}", "null": "null", "latin1": "{\"a\":\"\xff\"}",
	} {
		t.Run(name, func(t *testing.T) {
			got := s.call("POST", "/v3/pay/transactions/native", body)
			require.Equal(t, 400, got.status, "%s", got.raw)
		})
	}
	huge := s.call("POST", "/v3/pay/transactions/native", `{"a":"`+strings.Repeat("a", maxBody)+`"}`)
	require.Equal(t, http.StatusRequestEntityTooLarge, huge.status)
	require.Equal(t, []any{}, r.dev("GET", "/simulate/trades", "").body["items"], "nothing bad was recorded")
}

func TestRefundBadInput(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	s.order("ORDER0001", nil)
	s.order("ORDER0002", nil)
	r.pay("ORDER0001")
	const amount = `"amount":{"refund":1,"total":1234,"currency":"CNY"}`
	for body, code := range map[string]string{
		`{"out_refund_no":"R1",` + amount + `}`:                                                                    "PARAM_ERROR",
		`{"out_trade_no":"ORDER0001",` + amount + `}`:                                                              "PARAM_ERROR",
		`{"out_trade_no":"ORDER0001","transaction_id":"1","out_refund_no":"R1",` + amount + `}`:                    "PARAM_ERROR",
		`{"out_trade_no":"ORDER0001","out_refund_no":"R 1",` + amount + `}`:                                        "PARAM_ERROR",
		`{"out_trade_no":"ORDER0001","out_refund_no":"R1","amount":{"refund":0,"total":1234,"currency":"CNY"}}`:    "PARAM_ERROR",
		`{"out_trade_no":"ORDER0001","out_refund_no":"R1","amount":{"refund":1,"total":1234}}`:                     "PARAM_ERROR",
		`{"out_trade_no":"ORDER0001","out_refund_no":"R1","amount":{"refund":1,"total":9999,"currency":"CNY"}}`:    "PARAM_ERROR",
		`{"out_trade_no":"ORDER0001","out_refund_no":"R1","notify_url":"javascript:1",` + amount + `}`:             "PARAM_ERROR",
		`{"out_trade_no":"ORDER0001","out_refund_no":"R1","amount":{"refund":1235,"total":1234,"currency":"CNY"}}`: "INVALID_REQUEST",
		`{"out_trade_no":"ORDER0002","out_refund_no":"R1",` + amount + `}`:                                         "INVALID_REQUEST",
		`{"out_trade_no":"ORDER0003","out_refund_no":"R1",` + amount + `}`:                                         "RESOURCE_NOT_EXISTS",
		`{"transaction_id":"4200000000000000000000000000","out_refund_no":"R1",` + amount + `}`:                    "RESOURCE_NOT_EXISTS",
	} {
		got := s.call("POST", "/v3/refund/domestic/refunds", body)
		require.Equal(t, code, got.body["code"], "%s gave %s", body, got.raw)
	}
	require.Equal(t, "SUCCESS", s.state("ORDER0001"))
}
