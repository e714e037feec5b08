package sandbox

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMerchantsAreIdempotentByName(t *testing.T) {
	r := newRig(t, nil)
	a, again, b := r.shop("a"), r.shop("a"), r.shop("b")
	require.Equal(t, a.id, again.id)
	require.NotEqual(t, a.id.MchID, b.id.MchID)
	require.Regexp(t, `^[0-9]{10}$`, a.id.MchID)
	require.Regexp(t, `^wx[0-9a-f]{16}$`, a.id.AppID)
	require.Len(t, a.id.APIKey, 32)
	require.Regexp(t, `^PUB_KEY_ID_[0-9]+$`, a.id.PublicKeyID)
	require.Equal(t, r.url, a.id.BaseURL)
}

func TestMerchantsMayShareAnApplication(t *testing.T) {
	r := newRig(t, nil)
	a := r.shop("a")
	b := r.dev("POST", "/simulate/merchants", `{"name":"b","app_of":"a"}`)
	require.Equal(t, 200, b.status)
	require.Equal(t, a.id.AppID, b.body["app_id"])
	require.NotEqual(t, a.id.MchID, b.body["mchid"])
	stranger := r.dev("POST", "/simulate/merchants", `{"name":"c","app_of":"nobody"}`)
	require.Equal(t, 400, stranger.status)
	require.Equal(t, "PARAM_ERROR", stranger.body["code"])
}

func TestDeveloperBadInput(t *testing.T) {
	r := newRig(t, nil)
	r.shop("demo")
	r.plant("ORDER0001")
	for _, c := range []struct{ method, path, body, field string }{
		{"POST", "/simulate/merchants", `{}`, "name"},
		{"POST", "/simulate/merchants", `{"name":"a\u0000b"}`, "name"},
		{"POST", "/simulate/merchants", `{"name":"a","x":1}`, "x"},
		{"POST", "/simulate/pay", `{}`, "out_trade_no"},
		{"POST", "/simulate/pay", `{"out_trade_no":"a","code_url":"b"}`, "out_trade_no"},
		{"POST", "/simulate/pay", `{"code_url":"http://example.com/"}`, "code_url"},
		{"POST", "/simulate/pay", `{"out_trade_no":7}`, "out_trade_no"},
		{"POST", "/simulate/pay", `nonsense`, "body"},
		{"POST", "/simulate/callback", `{"out_trade_no":"ORDER0001","forge":"magic"}`, "forge"},
		{"POST", "/simulate/callback", `{"out_trade_no":"ORDER0001","times":101}`, "times"},
		{"POST", "/simulate/callback", `{"out_trade_no":"ORDER0001","times":-1}`, "times"},
		{"GET", "/simulate/trades?limit=0", "", "limit"},
		{"GET", "/simulate/trades?limit=x", "", "limit"},
		{"GET", "/simulate/trades?status=PAID", "", "status"},
		{"GET", "/simulate/trades?cursor=-1", "", "cursor"},
		{"GET", "/simulate/refunds?status=CLOSED", "", "status"},
		{"PUT", "/simulate/faults", `{"callbacks":{"repeat":101}}`, "callbacks.repeat"},
		{"PUT", "/simulate/faults", `{"callbacks":{"delay_ms":-1}}`, "callbacks.delay_ms"},
		{"PUT", "/simulate/faults", `{"callbacks":{"forge":"magic"}}`, "callbacks.forge"},
		{"PUT", "/simulate/faults", `{"callbacks":{"drop":"yes"}}`, "callbacks.drop"},
		{"PUT", "/simulate/faults", `{"api":{"status_5xx":-1}}`, "api.status_5xx"},
		{"PUT", "/simulate/faults", `{"api":{"status_5xx":1.5}}`, "api.status_5xx"},
		{"PUT", "/simulate/faults", `{"api":{"hang_ms":600001}}`, "api.hang_ms"},
		{"PUT", "/simulate/faults", `{"api":{"error":"MAGIC"}}`, "api.error"},
		{"PUT", "/simulate/faults", `{"api":{"paths":["pay"]}}`, "api.paths"},
		{"PUT", "/simulate/faults", `{"surprise":1}`, "surprise"},
	} {
		t.Run(c.path+" "+c.body, func(t *testing.T) {
			got := r.dev(c.method, c.path, c.body)
			require.Equal(t, 400, got.status, "%s", got.raw)
			require.Equal(t, "PARAM_ERROR", got.body["code"])
			require.Equal(t, c.field, got.body["detail"].(map[string]any)["field"])
		})
	}
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/simulate/pay", `{"out_trade_no":"UNKNOWN1"}`},
		{"POST", "/simulate/pay", `{"code_url":"weixin://wxpay/bizpayurl?pr=unknown"}`},
		{"POST", "/simulate/pay", `{"out_trade_no":"ORDER0001","mchid":"1"}`},
		{"POST", "/simulate/callback", `{"out_trade_no":"ORDER0001","out_refund_no":"R1"}`},
		{"GET", "/simulate/trades/UNKNOWN1", ""},
		{"GET", "/simulate/nothing", ""},
		{"DELETE", "/simulate/pay", ""},
		{"GET", "/v3/nothing", ""},
	} {
		got := r.dev(c.method, c.path, c.body)
		require.Equal(t, 404, got.status, "%s %s: %s", c.method, c.path, got.raw)
		require.NotEmpty(t, got.body["code"])
	}
	require.Equal(t, 200, r.dev("GET", "/healthz", "").status)
}

func TestListing(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	for i := range 5 {
		r.plant(fmt.Sprintf("ORDER%04d", i))
	}
	r.pay("ORDER0003")
	first := r.dev("GET", "/simulate/trades?limit=2&mchid="+s.id.MchID, "")
	require.Equal(t, []string{"ORDER0004", "ORDER0003"}, numbersOf(first))
	second := r.dev("GET", "/simulate/trades?limit=2&cursor="+first.body["next_cursor"].(string), "")
	require.Equal(t, []string{"ORDER0002", "ORDER0001"}, numbersOf(second))
	last := r.dev("GET", "/simulate/trades?limit=2&cursor="+second.body["next_cursor"].(string), "")
	require.Equal(t, []string{"ORDER0000"}, numbersOf(last))
	require.Empty(t, last.body["next_cursor"])
	require.Equal(t, []string{"ORDER0003"}, numbersOf(r.dev("GET", "/simulate/trades?status=SUCCESS", "")))
	require.Empty(t, numbersOf(r.dev("GET", "/simulate/trades?mchid=1", "")))
	require.NotContains(t, string(first.raw), s.id.APIKey)
	require.NotContains(t, string(first.raw), "PRIVATE KEY")
}

func numbersOf(r reply) (out []string) {
	for _, item := range r.body["items"].([]any) {
		out = append(out, item.(map[string]any)["out_trade_no"].(string))
	}
	return out
}

func TestAPIFaults(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	set := func(body string) {
		t.Helper()
		got := r.dev("PUT", "/simulate/faults", body)
		require.Equal(t, 200, got.status, "%s", got.raw)
		require.Equal(t, got.body, r.dev("GET", "/simulate/faults", "").body)
	}
	native := func(no string) reply {
		return do(t, s.request("POST", "/v3/pay/transactions/native", s.nativeBody(no, nil)))
	}

	set(`{"api":{"status_5xx":2,"paths":["native"]}}`)
	require.Equal(t, 404, s.call("GET", "/v3/pay/transactions/out-trade-no/ORDER0001?mchid="+s.id.MchID, "").status)
	require.Equal(t, 500, native("ORDER0001").status)
	require.Equal(t, 500, native("ORDER0001").status)
	require.Equal(t, 200, native("ORDER0001").status, "two were asked for")

	set(`{"api":{"status_5xx":1,"after":true}}`)
	require.Equal(t, 500, native("ORDER0002").status)
	require.Equal(t, "NOTPAY", s.state("ORDER0002"), "failed, but persisted")

	set(`{"api":{"status_5xx":1,"error":"NOT_ENOUGH"}}`)
	got := native("ORDER0003")
	require.Equal(t, 403, got.status)
	require.Equal(t, "NOT_ENOUGH", got.body["code"])

	set(`{"api":{"garbage":true}}`)
	got = native("ORDER0003")
	require.Equal(t, 200, got.status)
	require.Error(t, proves(s.plat, got.header, got.raw))

	set(`{"api":{"hang_ms":50}}`)
	start := time.Now()
	require.Equal(t, 200, native("ORDER0004").status)
	require.GreaterOrEqual(t, time.Since(start), 50*time.Millisecond)

	set(`{"api":{"status_5xx":0.999999999}}`)
	require.Equal(t, 500, native("ORDER0004").status)
	set(`{}`)
	require.Equal(t, 200, native("ORDER0004").status)
}
