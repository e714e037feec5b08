package web

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOperationAnswers(t *testing.T) {
	t.Parallel()
	_, mux := newTestAPI(t)
	h := wrapped(t, DefaultConfig(), mux, io.Discard)

	w := request{body: goodBody("")}.do(h)
	require.Equal(t, 201, w.Code, w.Body.String())
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.JSONEq(t, `{"order_no":"A1","key":"k1"}`, w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))

	w = request{method: "GET", target: "/api/v1/products?q=a&limit=5"}.do(h)
	require.JSONEq(t, `{"limit":5,"q":"a"}`, w.Body.String())
	w = request{method: "GET", target: "/api/v1/products"}.do(h)
	require.JSONEq(t, `{"limit":20,"q":""}`, w.Body.String())

	for _, body := range []string{"", "{}", " { } "} {
		w = request{target: "/api/v1/orders/A1/cancel", body: body, header: map[string]string{"Authorization": "Bearer x"}}.do(h)
		require.Equal(t, http.StatusNoContent, w.Code, w.Body.String())
		require.Empty(t, w.Body.String())
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	_, mux := newTestAPI(t)
	h := wrapped(t, DefaultConfig(), mux, io.Discard)
	lines := func(l string) string { return `{"lines":` + l + `,"contact":{}}` }
	oneLine := func(l string) string { return lines(`[{"sku_id":"` + goodSKU + `",` + l + `}]`) }
	products, cancel := "/api/v1/products", "/api/v1/orders/A1/cancel"

	for name, c := range map[string]struct {
		request
		status      int
		code, field string
	}{
		"empty body":           {request{body: ""}, 400, "malformed_body", ""},
		"cut off":              {request{body: `{"lines":[`}, 400, "malformed_body", ""},
		"two documents":        {request{body: goodBody("") + "{}"}, 400, "malformed_body", ""},
		"raw NUL":              {request{body: "{\"a\":\"\x00\"}"}, 400, "malformed_body", ""},
		"not JSON":             {request{body: goodBody(""), header: map[string]string{"Content-Type": "text/plain"}}, 415, "unsupported_media_type", ""},
		"no type":              {request{body: goodBody(""), header: map[string]string{"Content-Type": ""}}, 415, "unsupported_media_type", ""},
		"other charset":        {request{body: goodBody(""), header: map[string]string{"Content-Type": "application/json; charset=gbk"}}, 415, "unsupported_media_type", ""},
		"array body":           {request{body: `[]`}, 422, "invalid_type", "body"},
		"string body":          {request{body: `"x"`}, 422, "invalid_type", "body"},
		"null body":            {request{body: `null`}, 422, "invalid_type", "body"},
		"missing lines":        {request{body: `{"contact":{}}`}, 422, "required", "lines"},
		"null lines":           {request{body: lines(`null`)}, 422, "invalid_type", "lines"},
		"no lines":             {request{body: lines(`[]`)}, 422, "too_short", "lines"},
		"51 lines":             {request{body: lines(`[` + strings.Repeat(`{"sku_id":"`+goodSKU+`","quantity":1},`, 50) + `{"sku_id":"` + goodSKU + `","quantity":1}]`)}, 422, "too_long", "lines"},
		"quantity 0":           {request{body: oneLine(`"quantity":0`)}, 422, "out_of_range", "lines[0].quantity"},
		"quantity -1":          {request{body: oneLine(`"quantity":-1`)}, 422, "out_of_range", "lines[0].quantity"},
		"quantity 1000":        {request{body: oneLine(`"quantity":1000`)}, 422, "out_of_range", "lines[0].quantity"},
		"quantity huge":        {request{body: oneLine(`"quantity":99999999999999999999`)}, 422, "out_of_range", "lines[0].quantity"},
		"quantity 1e0":         {request{body: oneLine(`"quantity":1e0`)}, 422, "invalid_type", "lines[0].quantity"},
		"quantity 1.5":         {request{body: oneLine(`"quantity":1.5`)}, 422, "invalid_type", "lines[0].quantity"},
		"quantity text":        {request{body: oneLine(`"quantity":"1"`)}, 422, "invalid_type", "lines[0].quantity"},
		"quantity null":        {request{body: oneLine(`"quantity":null`)}, 422, "invalid_type", "lines[0].quantity"},
		"quantity missing":     {request{body: lines(`[{"sku_id":"` + goodSKU + `"}]`)}, 422, "required", "lines[0].quantity"},
		"quantity in capitals": {request{body: oneLine(`"quantity":1,"Quantity":5000`)}, 422, "unknown_field", "lines[0].Quantity"},
		"quantity twice":       {request{body: oneLine(`"quantity":1,"quantity":5000`)}, 422, "duplicate_field", "lines[0].quantity"},
		"kelvin sign key":      {request{body: oneLine("\"quantity\":1,\"s\u212Au_id\":1")}, 422, "unknown_field", `lines[0].s\u212au_id`},
		"bad sku":              {request{body: lines(`[{"sku_id":"zz","quantity":1}]`)}, 422, "invalid_id", "lines[0].sku_id"},
		"unknown field":        {request{body: goodBody(`,"price":1`)}, 422, "unknown_field", "price"},
		"unknown in line":      {request{body: oneLine(`"quantity":1,"price":1`)}, 422, "unknown_field", "lines[0].price"},
		"bad email":            {request{body: `{"lines":[{"sku_id":"` + goodSKU + `","quantity":1}],"contact":{"email":"a"}}`}, 422, "invalid_email", "contact.email"},
		"bad phone":            {request{body: `{"lines":[{"sku_id":"` + goodSKU + `","quantity":1}],"contact":{"phone":"abc"}}`}, 422, "invalid_format", "contact.phone"},
		"long coupon":          {request{body: goodBody(`,"coupon_code":"123456789"`)}, 422, "too_long", "coupon_code"},
		"escaped NUL":          {request{body: goodBody(`,"coupon_code":"a\u0000"`)}, 422, "invalid_utf8", "coupon_code"},
		"half surrogate":       {request{body: goodBody(`,"coupon_code":"a\ud800"`)}, 422, "invalid_utf8", "coupon_code"},
		"invalid UTF-8":        {request{body: goodBody(",\"coupon_code\":\"a\xff\"")}, 422, "invalid_utf8", "coupon_code"},
		"invalid UTF-8 in key": {request{body: goodBody(",\"a\xff\":\"a\"")}, 422, "invalid_utf8", `a\xff`},
		"int8 overflow":        {request{body: goodBody(`,"small":300`)}, 422, "out_of_range", "small"},
		"too deep":             {request{body: goodBody(`,"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40))}, 422, "malformed_body", "a" + strings.Repeat("[0]", 32)},
		"no key":               {request{body: goodBody(""), header: map[string]string{"Idempotency-Key": ""}}, 422, "idempotency_key_missing", "Idempotency-Key"},
		"long key":             {request{body: goodBody(""), header: map[string]string{"Idempotency-Key": strings.Repeat("k", 129)}}, 422, "idempotency_key_invalid", "Idempotency-Key"},
		"key with space":       {request{body: goodBody(""), header: map[string]string{"Idempotency-Key": "a b"}}, 422, "idempotency_key_invalid", "Idempotency-Key"},
		"too large":            {request{body: goodBody(`,"coupon_code":"` + strings.Repeat("x", 64<<10) + `"`)}, 413, "body_too_large", ""},
		"unknown parameter":    {request{method: "GET", target: products + "?debug=1"}, 422, "unknown_parameter", "debug"},
		"limit text":           {request{method: "GET", target: products + "?limit=x"}, 422, "invalid_type", "limit"},
		"limit 0":              {request{method: "GET", target: products + "?limit=0"}, 422, "out_of_range", "limit"},
		"limit 10^6":           {request{method: "GET", target: products + "?limit=1000000"}, 422, "out_of_range", "limit"},
		"limit twice":          {request{method: "GET", target: products + "?limit=1&limit=2"}, 422, "duplicate_field", "limit"},
		"kind":                 {request{method: "GET", target: products + "?kind=gold"}, 422, "invalid_choice", "kind"},
		"q long":               {request{method: "GET", target: products + "?q=" + strings.Repeat("q", 21)}, 422, "too_long", "q"},
		"q with NUL":           {request{method: "GET", target: products + "?q=%00"}, 422, "invalid_utf8", "q"},
		"q not UTF-8":          {request{method: "GET", target: products + "?q=%ff"}, 422, "invalid_utf8", "q"},
		"query broken":         {request{method: "GET", target: products + "?q=%zz"}, 400, "malformed_query", ""},
		"order with NUL":       {request{target: "/api/v1/orders/a%00/cancel"}, 422, "invalid_utf8", "order_no"},
		"order too long":       {request{target: "/api/v1/orders/" + strings.Repeat("a", 33) + "/cancel"}, 422, "too_long", "order_no"},
		"body not wanted":      {request{target: cancel, body: `{"a":1}`}, 422, "unknown_field", "body"},
		"no token":             {request{target: cancel}, 401, "unauthenticated", ""},
		"wrong scheme":         {request{target: cancel, header: map[string]string{"Authorization": "Basic x"}}, 401, "unauthenticated", ""},
		"nothing there":        {request{method: "GET", target: "/api/v1/nothing"}, 404, "not_found", ""},
		"dot git":              {request{method: "GET", target: "/.git/config"}, 404, "not_found", ""},
		"wrong method":         {request{method: "DELETE", target: products}, 405, "method_not_allowed", ""},
		"TRACE":                {request{method: "TRACE", target: products}, 405, "method_not_allowed", ""},
		"OPTIONS":              {request{method: "OPTIONS", target: products}, 405, "method_not_allowed", ""},
		"cross origin":         {request{body: goodBody(""), header: map[string]string{"Sec-Fetch-Site": "cross-site"}}, 403, "cross_origin", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := c.do(h)
			require.Equal(t, c.status, w.Code, w.Body.String())
			p := problemIn(t, w)
			require.Equal(t, c.code, p.Code)
			require.Equal(t, w.Header().Get("X-Request-Id"), p.Instance)
			if c.field == "" {
				require.Empty(t, p.Errors)
				return
			}
			require.Len(t, p.Errors, 1)
			require.Equal(t, c.field, p.Errors[0].Field)
			require.Equal(t, c.code, p.Errors[0].Code)
		})
	}
}

func TestSeveralFieldsAtOnce(t *testing.T) {
	t.Parallel()
	_, mux := newTestAPI(t)
	h := wrapped(t, DefaultConfig(), mux, io.Discard)
	for range 20 { // huma walks maps in random order; the answer must not
		p := problemIn(t, request{body: `{"lines":[{"sku_id":"zz","quantity":0}],"contact":{},"x":1,"a":2}`}.do(h))
		require.Equal(t, "invalid_input", p.Code)
		var got []string
		for _, e := range p.Errors {
			got = append(got, e.Field+" "+e.Code)
		}
		require.Equal(t, []string{"a unknown_field", "lines[0].quantity out_of_range", "lines[0].sku_id invalid_id", "x unknown_field"}, got)
	}
	p := problemIn(t, request{body: goodBody(`,"coupon_code":"two"`)}.do(h))
	require.Len(t, p.Errors, 2)
	require.Equal(t, 422, p.Status)
}

func TestHandlerErrors(t *testing.T) {
	t.Parallel()
	_, mux := newTestAPI(t)
	var log bytes.Buffer
	h := wrapped(t, DefaultConfig(), mux, &log)

	w := request{body: goodBody(`,"coupon_code":"soldout"`), header: map[string]string{"Accept-Language": "en"}}.do(h)
	p := problemIn(t, w)
	require.Equal(t, 409, p.Status)
	require.Equal(t, "sold_out", p.Code)
	require.Equal(t, "Sorry, this is sold out.", p.Detail)
	require.NotContains(t, log.String(), "cause")
	p = problemIn(t, request{body: goodBody(`,"coupon_code":"soldout"`)}.do(h))
	require.Equal(t, "手慢了，已经售罄。", p.Detail)

	for _, coupon := range []string{"boom", "plain"} {
		log.Reset()
		w = request{body: goodBody(`,"coupon_code":"` + coupon + `"`)}.do(h)
		answer := w.Body.String()
		p = problemIn(t, w)
		require.Equal(t, "internal", p.Code)
		require.Equal(t, 500, p.Status)
		require.NotContains(t, answer, "hunter2")
		require.NotContains(t, answer, "secret place")
		require.NotContains(t, answer, "db_down")
		var line map[string]any
		require.NoError(t, json.Unmarshal(log.Bytes(), &line))
		require.Contains(t, line["cause"], "10.1.2.3")
		require.Equal(t, p.Instance, line["request_id"])
		require.Equal(t, "ERROR", line["level"])
	}
}
