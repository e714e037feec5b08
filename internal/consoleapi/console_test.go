package consoleapi

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOwnerRunsAShop(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	require.Len(t, o.recovery, 10)
	me := o.want(200, "GET", sessionPath, nil)
	require.Equal(t, "owner", me["role"])
	require.Contains(t, me["permissions"], "orders.refund")

	o.want(200, "PUT", "/console/api/v1/categories/games", object{"title": "游戏", "title_en": "Games", "position": 3})
	require.Equal(t, []any{map[string]any{"slug": "games", "title": "游戏", "title_en": "Games", "position": 3.0}},
		o.want(200, "GET", "/console/api/v1/categories", nil)["items"])
	made := o.want(200, "PUT", "/console/api/v1/products/card-50", object{
		"kind": "card", "title": "点卡", "category": "games", "on": true, "per_order_limit": 5,
		"skus": []object{{"code": "C50", "price": 4900, "on": true}, {"code": "C100", "price": 9900, "on": false}},
	})
	require.Equal(t, "games", made["category"])
	require.Len(t, made["skus"], 2)
	changed := o.want(200, "PATCH", "/console/api/v1/products/card-50", object{"on": false, "skus": []object{{"code": "C50", "price": 4500}}})
	require.Equal(t, false, changed["on"])
	require.Equal(t, 4500.0, changed["skus"].([]any)[0].(map[string]any)["price"])
	require.Equal(t, 9900.0, changed["skus"].([]any)[1].(map[string]any)["price"])
	o.want(200, "PATCH", "/console/api/v1/products/card-50", object{"on": true})
	require.Equal(t, changed["title"], o.want(200, "GET", "/console/api/v1/products/card-50", nil)["title"])

	dry := k.want(200, ask{method: "POST", path: "/console/api/v1/skus/C50/cards?dry_run=true", kind: "text/plain", body: "K1\nK2\nK1\n", bearer: o.token})
	require.Equal(t, []any{2.0, 1.0, ""}, []any{dry["accepted"], dry["duplicates"], dry["batch_id"]})
	stored := k.want(200, ask{method: "POST", path: "/console/api/v1/skus/C50/cards?file_name=keys.txt", kind: "text/plain", body: "K1\nK2\nK1\n", bearer: o.token})
	require.Equal(t, []any{2.0, 1.0, 0.0}, []any{stored["accepted"], stored["duplicates"], stored["bad"]})
	require.Equal(t, 3.0, stored["findings"].([]any)[0].(map[string]any)["line"])
	require.Contains(t, stored["findings"].([]any)[0].(map[string]any)["text"], "店里已有这个卡密")
	level := o.want(200, "GET", "/console/api/v1/skus/C50/stock", nil)
	require.Equal(t, []any{"cards", 2.0, 0.0, 0.0}, []any{level["stock"], level["available"], level["held"], level["sold"]})
	o.want(409, "PUT", "/console/api/v1/skus/C50/stock", object{"limited": true, "available": 5})

	o.want(204, "DELETE", sessionPath, nil)
	o.want(401, "GET", sessionPath, nil)
}

func TestOrdersAndHolds(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	o.product("work", "manual")
	o.want(200, "PUT", "/console/api/v1/skus/work-1/stock", object{"limited": true, "available": 10})
	paid := k.buy(k.one, "work", 4900)
	path := "/console/api/v1/orders/" + paid.No

	view := o.want(200, "GET", path, nil)
	require.Equal(t, "paid", view["status"])
	require.Equal(t, map[string]any{"kind": "email", "masked": "b***@example.com"}, view["contact"])
	require.NotContains(t, jsonOf(view), "buyer.of.things")
	require.Equal(t, "callback", view["payments"].([]any)[0].(map[string]any)["settled_by"])

	shown := o.want(200, "POST", path+"/contact/reveal", nil)
	require.Equal(t, "buyer.of.things@example.com", shown["value"])
	done := o.want(200, "POST", path+"/deliver", object{"line_no": 1, "content": "the account is ready"})
	require.Equal(t, "delivered", done["status"])
	require.NotContains(t, jsonOf(done), "the account is ready")
	o.want(409, "POST", path+"/deliver", object{"line_no": 1, "content": "again"})
	back := o.want(200, "POST", path+"/refund", object{"reason": "buyer asked"})
	require.Equal(t, "refunding", back["status"])
	require.Len(t, back["refunds"], 1)
	o.want(409, "POST", path+"/refund", object{"reason": "again"})
	var staff, actions []string
	for _, e := range back["history"].([]any) {
		event := e.(map[string]any)
		actions = append(actions, event["action"].(string))
		if event["actor_kind"] == "staff" {
			staff = append(staff, event["actor"].(string))
			require.NotEmpty(t, event["request_id"])
		}
	}
	require.Subset(t, actions, []string{"order.settled", "order.contact_revealed", "order.delivered_by_hand", "order.refund_ordered"})
	require.GreaterOrEqual(t, len(staff), 3)

	wrong := k.buy(k.one, "work", 4800)
	require.Equal(t, "held", o.want(200, "GET", "/console/api/v1/orders/"+wrong.No, nil)["status"])
	held := o.want(200, "GET", "/console/api/v1/orders?status=held", nil)["items"].([]any)
	require.Len(t, held, 1)
	holds := o.want(200, "GET", "/console/api/v1/holds", nil)["items"].([]any)
	require.Len(t, holds, 1)
	resolve := "/console/api/v1/holds/" + holds[0].(map[string]any)["id"].(string) + "/resolve"
	o.want(422, "POST", resolve, object{"action": "dismiss"})
	o.want(204, "POST", resolve, object{"action": "refund", "note": "wrong amount"})
	o.want(404, "POST", resolve, object{"action": "refund"})
	require.Empty(t, o.want(200, "GET", "/console/api/v1/holds", nil)["items"])
}

func TestOrdersPage(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	o.product("work", "manual")
	var want []string
	for range 5 {
		want = append([]string{k.buy(k.one, "work", 4900).No}, want...)
	}
	var got []string
	cursor := ""
	for page := 0; page == 0 || cursor != ""; page++ {
		require.Less(t, page, 4)
		answer := o.want(200, "GET", "/console/api/v1/orders?limit=2&cursor="+cursor, nil)
		for _, item := range answer["items"].([]any) {
			got = append(got, item.(map[string]any)["order_no"].(string))
		}
		cursor = answer["next_cursor"].(string)
	}
	require.Equal(t, want, got)
}

func TestCookieSession(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	k.clock.Advance(time.Minute)
	w := k.do(ask{
		method: "POST", path: sessionPath, body: jsonOf(object{"login": "chen", "password": goodPassword, "code": o.code()}),
		header: map[string]string{"Sec-Fetch-Site": "same-origin"},
	})
	require.Equal(t, 200, w.Code, w.Body.String())
	require.NotContains(t, w.Body.String(), `"token"`)
	set := w.Header().Get("Set-Cookie")
	for _, part := range []string{"panshi_console=", "Path=/console", "HttpOnly", "SameSite=Strict", "Max-Age=43200"} {
		require.Contains(t, set, part)
	}
	require.NotContains(t, set, "Secure")
	token := strings.TrimPrefix(strings.Split(set, ";")[0], "panshi_console=")
	k.want(200, ask{path: sessionPath, cookie: token})

	put := ask{method: "PUT", path: "/console/api/v1/categories/a", cookie: token, body: `{"title":"a"}`}
	require.Equal(t, 403, k.do(put).Code, "a browser that says nothing")
	for header, status := range map[string]int{
		"Sec-Fetch-Site:cross-site": 403, "Sec-Fetch-Site:same-site": 403, "Origin:https://evil.example": 403, "Origin:null": 403,
		"Sec-Fetch-Site:same-origin": 200, "Origin:http://example.com": 200, // httptest's host
	} {
		name, value, _ := strings.Cut(header, ":")
		put.header = map[string]string{name: value}
		w := k.do(put)
		require.Equal(t, status, w.Code, "%s: %s", header, w.Body.String())
	}
	k.want(200, ask{method: "PUT", path: put.path, bearer: token, body: put.body}) // a script has no origin

	// Signing in again rotates: the cookie that was sent ends.
	k.clock.Advance(time.Minute)
	w = k.do(ask{method: "POST", path: sessionPath, cookie: token, body: jsonOf(object{"login": "chen", "password": goodPassword, "code": o.code()})})
	require.Equal(t, 200, w.Code)
	k.want(401, ask{path: sessionPath, cookie: token})
	next := strings.TrimPrefix(strings.Split(w.Header().Get("Set-Cookie"), ";")[0], "panshi_console=")
	w = k.do(ask{method: "DELETE", path: sessionPath, cookie: next, header: map[string]string{"Sec-Fetch-Site": "same-origin"}})
	require.Equal(t, 204, w.Code)
	require.Contains(t, w.Header().Get("Set-Cookie"), "Max-Age=0")
	k.want(401, ask{path: sessionPath, cookie: next})
}

func TestSecureCookie(t *testing.T) {
	t.Parallel()
	a := &api{deps: Deps{Secure: true}}
	require.Contains(t, a.cookie("x", time.Hour), "; Secure")
}

func TestTwoStepsAndDelayOverHTTP(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	k.clock.Advance(time.Minute)
	in := object{"login": "chen", "password": goodPassword}
	require.Equal(t, "second_factor_required", k.want(401, ask{method: "POST", path: sessionPath, body: jsonOf(in)})["code"])
	in["password"] = "not the password"
	require.Equal(t, "sign_in_failed", k.want(401, ask{method: "POST", path: sessionPath, body: jsonOf(in)})["code"])
	w := k.do(ask{method: "POST", path: sessionPath, body: jsonOf(in), header: map[string]string{"Accept-Language": "en"}})
	require.Equal(t, 429, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.Contains(t, w.Body.String(), "wait 1 seconds")
	k.clock.Advance(time.Minute)
	in["password"], in["code"] = goodPassword, o.code()
	k.want(200, ask{method: "POST", path: sessionPath, body: jsonOf(in)})
}

func TestPasswordOverHTTP(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	k.clock.Advance(time.Minute)
	change := func(status int, next string) object {
		return o.want(status, "POST", "/console/api/v1/password", object{"password": goodPassword, "code": o.code(), "new_password": next})
	}
	problem := change(422, "password1234")
	require.Equal(t, "password_common", problem["code"])
	require.Equal(t, "new_password", problem["errors"].([]any)[0].(map[string]any)["field"])
	change(204, "teapot orbit 42 saffron")
	o.want(401, "GET", sessionPath, nil)
}

func TestUploads(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	o.product("card", "card")
	o.product("work", "manual")
	path := "/console/api/v1/skus/card-1/cards"
	form := func(names ...string) (kind, body string) {
		var buf bytes.Buffer
		w := multipart.NewWriter(&buf)
		for _, name := range names {
			part, err := w.CreateFormFile(name, "../keys.txt")
			require.NoError(t, err)
			_, err = part.Write([]byte("F-1\r\nF-2\r\n\r\nF-3"))
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		return w.FormDataContentType(), buf.String()
	}
	kind, body := form("file")
	report := k.want(200, ask{method: "POST", path: path, kind: kind, body: body, bearer: o.token})
	require.Equal(t, 3.0, report["accepted"])

	other, otherBody := form("card")
	double, doubleBody := form("file", "file")
	for name, c := range map[string]struct {
		path, kind, body string
		status           int
		code             string
	}{
		"JSON":            {path, "application/json", "{}", 415, "unsupported_media_type"},
		"no type":         {path, "", "", 415, "unsupported_media_type"},
		"empty":           {path, "text/plain", "", 422, "file_empty"},
		"binary":          {path, "text/plain", "PK\x03\x04\x00\x00\x00", 422, "file_not_text"},
		"other part":      {path, other, otherBody, 422, "unknown_field"},
		"two parts":       {path, double, doubleBody, 422, "unknown_field"},
		"cut off":         {path, kind, body[:len(body)-20], 400, "malformed_body"},
		"no boundary":     {path, "multipart/form-data", body, 400, "malformed_body"},
		"unknown SKU":     {"/console/api/v1/skus/nope/cards", "text/plain", "x", 404, "sku_not_found"},
		"no cards":        {"/console/api/v1/skus/work-1/cards", "text/plain", "x", 422, "sku_not_cards"},
		"dry_run=1":       {path + "?dry_run=1", "text/plain", "x", 422, "invalid_type"},
		"twice":           {path + "?dry_run=true&dry_run=true", "text/plain", "x", 422, "duplicate_field"},
		"unknown":         {path + "?merchant_id=x", "text/plain", "x", 422, "unknown_parameter"},
		"bad query":       {path + "?%zz", "text/plain", "x", 400, "malformed_query"},
		"long file name":  {path + "?file_name=" + strings.Repeat("x", 201), "text/plain", "x", 422, "too_long"},
		"code with a NUL": {"/console/api/v1/skus/a%00b/cards", "text/plain", "x", 422, "invalid_format"},
	} {
		t.Run(name, func(t *testing.T) {
			w := k.do(ask{method: "POST", path: c.path, kind: c.kind, body: c.body, bearer: o.token})
			require.Equal(t, c.status, w.Code, w.Body.String())
			require.Contains(t, w.Body.String(), `"code":"`+c.code+`"`)
		})
	}
	require.Equal(t, 3.0, o.want(200, "GET", "/console/api/v1/skus/card-1/stock", nil)["available"])

	w := k.do(ask{method: "POST", path: path, kind: "text/plain", body: strings.Repeat("x", maxUpload+1), bearer: o.token})
	require.Equal(t, 413, w.Code)
}

// TestPaymentAccounts: they are listed without secrets and with their health;
// approved rules change what is named alone and are checked before anybody is
// asked; stopping an account needs nobody.
func TestPaymentAccounts(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	account := func() object {
		list := o.want(200, "GET", "/console/api/v1/payment_accounts", nil)
		require.NotContains(t, fmt.Sprint(list), "config")
		return list["items"].([]any)[0].(map[string]any)
	}
	acc := account()
	require.Equal(t, map[string]any{"score": 100.0, "errors": 0.0, "latency_ms": 0.0, "breaker": "closed"}, acc["health"])
	path := "/console/api/v1/payment_accounts/" + acc["id"].(string)
	require.Equal(t, false, o.want(200, "POST", path+"/stop", nil)["on"])
	asked := o.want(201, "POST", path+"/rules", object{"on": true, "max_amount": 5000, "reason": "new contract"})
	require.Equal(t, false, account()["on"])
	o.alone(asked)
	acc = account()
	require.Equal(t, []any{true, 5000.0, 0.0}, []any{acc["on"], acc["max_amount"], acc["min_amount"]})
	o.alone(o.want(201, "POST", path+"/rules", object{"hours": "sat 10:00-12:00", "reason": "weekend"}))
	acc = account()
	require.Equal(t, []any{true, 5000.0, "sat 10:00-12:00"}, []any{acc["on"], acc["max_amount"], acc["hours"]})
	o.want(422, "POST", path+"/rules", object{"hours": "always", "reason": "x"})
}
