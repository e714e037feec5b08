package consoleapi

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/access"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// sample is a request that fits every row of the table.
type sample struct {
	path, body, kind string
	object           bool // it names an object of merchant one
}

// sampled are the things of merchant one that samples name.
type sampled struct{ orderNo, hold, account, approval, alert, day, reconcileCase, credit, colleague string }

// samples are by method and pattern. Bodies change nothing that a later row
// needs, or fail late.
func samples(of sampled) map[string]sample {
	order, hold := "/console/api/v1/orders/"+of.orderNo, "/console/api/v1/holds/"+of.hold
	account, approval := "/console/api/v1/payment_accounts/"+of.account, "/console/api/v1/approvals/"+of.approval
	credit := "/console/api/v1/credits/" + of.credit
	return map[string]sample{
		"GET /console/api/v1/credits":                              {path: "/console/api/v1/credits"},
		"POST /console/api/v1/credits/find":                        {path: "/console/api/v1/credits/find", body: `{"email":"buyer@example.com"}`},
		"GET /console/api/v1/credits/{id}":                         {path: credit, object: true},
		"POST /console/api/v1/credits/grants":                      {path: "/console/api/v1/credits/grants", body: `{"email":"buyer@example.com","amount":1,"reason":"x"}`},
		"POST /console/api/v1/credits/grants/request":              {path: "/console/api/v1/credits/grants/request", body: `{"credit_id":"` + of.credit + `","amount":1,"reason":"x"}`, object: true},
		"POST /console/api/v1/credits/{id}/take_back/request":      {path: credit + "/take_back/request", body: `{"amount":1,"reason":"x"}`, object: true},
		"POST /console/api/v1/credits/{id}/state":                  {path: credit + "/state", body: `{"state":"frozen","reason":"x"}`, object: true},
		"POST /console/api/v1/credits/{id}/code":                   {path: credit + "/code", body: `{"reason":"x"}`, object: true},
		"GET /console/api/v1/session":                              {path: sessionPath},
		"DELETE /console/api/v1/session":                           {path: sessionPath},
		"POST /console/api/v1/password":                            {path: "/console/api/v1/password", body: `{"password":"no","code":"123456","new_password":"teapot orbit 42 saffron"}`},
		"GET /console/api/v1/products":                             {path: "/console/api/v1/products"},
		"GET /console/api/v1/products/{slug}":                      {path: "/console/api/v1/products/work", object: true},
		"PUT /console/api/v1/products/{slug}":                      {path: "/console/api/v1/products/work", body: `{"kind":"manual","title":"mine","on":true,"skus":[]}`},
		"PATCH /console/api/v1/products/{slug}":                    {path: "/console/api/v1/products/card", body: `{"on":true}`, object: true},
		"GET /console/api/v1/categories":                           {path: "/console/api/v1/categories"},
		"PUT /console/api/v1/categories/{slug}":                    {path: "/console/api/v1/categories/games", body: `{"title":"mine"}`},
		"GET /console/api/v1/skus/{code}/stock":                    {path: "/console/api/v1/skus/card-1/stock", object: true},
		"PUT /console/api/v1/skus/{code}/stock":                    {path: "/console/api/v1/skus/work-1/stock", body: `{"limited":true,"available":7}`, object: true},
		"POST /console/api/v1/skus/{code}/cards":                   {path: "/console/api/v1/skus/card-1/cards?dry_run=true", body: "X-1", kind: "text/plain", object: true},
		"GET /console/api/v1/orders":                               {path: "/console/api/v1/orders"},
		"GET /console/api/v1/orders/{order_no}":                    {path: order, object: true},
		"POST /console/api/v1/orders/{order_no}/contact/reveal":    {path: order + "/contact/reveal", object: true},
		"POST /console/api/v1/orders/{order_no}/deliver":           {path: order + "/deliver", body: `{"line_no":2,"content":"x"}`, object: true},
		"POST /console/api/v1/orders/{order_no}/refund":            {path: order + "/refund", body: `{"reason":"x"}`, object: true},
		"GET /console/api/v1/reconcile/days":                       {path: "/console/api/v1/reconcile/days"},
		"GET /console/api/v1/reconcile/days/{id}":                  {path: "/console/api/v1/reconcile/days/" + of.day, object: true},
		"GET /console/api/v1/reconcile/days/{id}/cases":            {path: "/console/api/v1/reconcile/days/" + of.day + "/cases", object: true},
		"GET /console/api/v1/reconcile/cases/{id}":                 {path: "/console/api/v1/reconcile/cases/" + of.reconcileCase, object: true},
		"POST /console/api/v1/reconcile/cases/{id}/resolve":        {path: "/console/api/v1/reconcile/cases/" + of.reconcileCase + "/resolve", body: `{"decision":"accept_fee","reason":"x"}`, object: true},
		"POST /console/api/v1/reconcile/cases/{id}/adjust":         {path: "/console/api/v1/reconcile/cases/" + of.reconcileCase + "/adjust", body: `{"decision":"write_off","amount":0,"reason":"x"}`, object: true},
		"POST /console/api/v1/reconcile/cases/{id}/adjust/request": {path: "/console/api/v1/reconcile/cases/" + of.reconcileCase + "/adjust/request", body: `{"decision":"write_off","amount":0,"reason":"x"}`, object: true},
		"POST /console/api/v1/orders/{order_no}/refund/request":    {path: order + "/refund/request", body: `{"reason":"x"}`, object: true},
		"POST /console/api/v1/orders/{order_no}/transfer":          {path: order + "/transfer", body: `{"payment_no":"P1","reference":"r","received":1,"reason":"x"}`, object: true},
		"POST /console/api/v1/orders/{order_no}/ask":               {path: order + "/ask", body: `{"reason":"x"}`, object: true},
		"POST /console/api/v1/holds/{id}/refund/request":           {path: hold + "/refund/request", body: `{"reason":"x"}`, object: true},
		"GET /console/api/v1/refund_limit":                         {path: "/console/api/v1/refund_limit"},
		"POST /console/api/v1/refund_limit":                        {path: "/console/api/v1/refund_limit", body: `{"refund_limit":5,"reason":"x"}`},
		"GET /console/api/v1/payment_accounts":                     {path: "/console/api/v1/payment_accounts"},
		"POST /console/api/v1/payment_accounts":                    {path: "/console/api/v1/payment_accounts", body: `{"provider":"offline","settings":{"instructions":"x"},"name":"x","on":true,"reason":"x"}`},
		"POST /console/api/v1/payment_accounts/{id}/rules":         {path: account + "/rules", body: `{"hours":"mon-sun 00:00-24:00","reason":"x"}`, object: true},
		"POST /console/api/v1/payment_accounts/{id}/stop":          {path: account + "/stop", object: true},
		"GET /console/api/v1/approvals":                            {path: "/console/api/v1/approvals"},
		"GET /console/api/v1/approvals/{id}":                       {path: approval, object: true},
		"POST /console/api/v1/approvals/{id}/approve":              {path: approval + "/approve", body: `{"code":"123456","digest":"` + strings.Repeat("0", 64) + `"}`, object: true},
		"POST /console/api/v1/approvals/{id}/reject":               {path: approval + "/reject", body: `{}`, object: true},
		"POST /console/api/v1/approvals/{id}/withdraw":             {path: approval + "/withdraw", object: true},
		"GET /console/api/v1/holds":                                {path: "/console/api/v1/holds"},
		"POST /console/api/v1/holds/{id}/resolve":                  {path: hold + "/resolve", body: `{"action":"dismiss"}`, object: true},
		"GET /console/api/v1/backup/checklist":                     {path: "/console/api/v1/backup/checklist"},
		"GET /console/api/v1/backup/status":                        {path: "/console/api/v1/backup/status"},
		"GET /console/api/v1/backup/proofs":                        {path: "/console/api/v1/backup/proofs"},
		"GET /console/api/v1/alerts":                               {path: "/console/api/v1/alerts"},
		"POST /console/api/v1/alerts/{id}/acknowledge":             {path: "/console/api/v1/alerts/" + of.alert + "/acknowledge", object: true},
		"GET /console/api/v1/audit":                                {path: "/console/api/v1/audit"},
		"GET /console/api/v1/staff":                                {path: "/console/api/v1/staff"},
		"POST /console/api/v1/staff/invitations":                   {path: "/console/api/v1/staff/invitations", body: `{"role":"operator","reason":"x"}`},
		"POST /console/api/v1/staff/{id}/disable":                  {path: "/console/api/v1/staff/" + of.colleague + "/disable", object: true},
		"POST /console/api/v1/cards/find":                          {path: "/console/api/v1/cards/find", body: `{"content":"CARD-OF-ONE"}`, object: true},
		"GET /console/api/v1/overview":                             {path: "/console/api/v1/overview"},
	}
}

// shop is a kit with an order, a held order and things of merchant one.
func shop(t *testing.T) (k *kit, o *owner, table map[string]sample) {
	k = newKit(t)
	o = k.owner(k.one, "chen")
	o.product("work", "manual")
	o.product("card", "card")
	o.want(200, "PUT", "/console/api/v1/categories/games", object{"title": "游戏"})
	k.want(200, ask{method: "POST", path: "/console/api/v1/skus/card-1/cards", body: "CARD-OF-ONE", kind: "text/plain", bearer: o.token})
	paid := k.buy(k.one, "work", 4900)
	k.buy(k.one, "work", 4800)
	holds := o.want(200, "GET", "/console/api/v1/holds", nil)["items"].([]any)
	alerts := o.want(200, "GET", "/console/api/v1/alerts", nil)["items"].([]any)
	account := o.want(200, "GET", "/console/api/v1/payment_accounts", nil)["items"].([]any)[0].(map[string]any)["id"].(string)
	asked := o.want(201, "POST", "/console/api/v1/payment_accounts/"+account+"/rules", object{"on": false, "reason": "x"})
	dayID, caseID := k.day(k.one)
	credit := o.grant(201, "shop", object{"email": "buyer@example.com", "amount": 5, "reason": "x"})["id"].(string)
	return k, o, samples(sampled{
		orderNo: paid.No, hold: holds[0].(map[string]any)["id"].(string), account: account, approval: asked["id"].(string),
		alert: alerts[0].(map[string]any)["id"].(string), day: dayID.String(), reconcileCase: caseID.String(), credit: credit, colleague: k.member(k.one),
	})
}

// staffRows are the rows that want a session.
func (k *kit) staffRows() []web.Route {
	var out []web.Route
	for _, row := range k.mux.Rows() {
		if row.Route.Permission != perm.Anyone {
			out = append(out, row.Route)
		}
	}
	return out
}

func TestOpenRowsAreTheseAlone(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	var open []string
	for _, row := range k.mux.Rows() {
		if row.Route.Permission == perm.Anyone {
			open = append(open, row.Route.Method+" "+row.Route.Pattern)
		}
	}
	slices.Sort(open)
	require.Equal(t, []string{
		"GET /app/{path...}", "GET /console/app/{name...}", "GET /console/assets/{name...}", "GET /console/openapi.json", "GET /setup", "GET /{$}",
		"POST /console/api/v1/session", "POST /console/api/v1/setup", "POST /console/api/v1/setup/complete",
	}, open)
}

func TestRouteByRoleMatrix(t *testing.T) {
	t.Parallel()
	k, o, table := shop(t)
	rows := k.staffRows()
	require.Len(t, table, len(rows))
	for _, role := range access.Roles() {
		for _, row := range rows {
			name := row.Method + " " + row.Pattern
			s, ok := table[name]
			require.True(t, ok, name)
			q := ask{method: row.Method, path: s.path, body: s.body, kind: s.kind, bearer: o.token}
			o.setRole(role)
			w := k.do(q)
			code := codeOf(w.Body.Bytes())
			if slices.Contains(role.Permissions(), row.Permission) {
				require.NotContains(t, []string{"forbidden", "unauthenticated", "not_found"}, code, "%s as %s", name, role)
				require.Less(t, w.Code, 500, "%s as %s: %s", name, role, w.Body.String())
			} else {
				require.Equal(t, "forbidden", code, "%s as %s", name, role)
				require.Equal(t, 403, w.Code)
			}
			if w.Code == http.StatusNoContent && row.Method == http.MethodDelete {
				o.setRole(access.Owner)
				o.signIn()
			}
		}
	}
}

func TestAnonymousGetsNothing(t *testing.T) {
	t.Parallel()
	k, _, table := shop(t)
	for _, row := range k.staffRows() {
		s := table[row.Method+" "+row.Pattern]
		for _, token := range []string{"", "x", strings.Repeat("A", 43), "null", "../"} {
			w := k.do(ask{method: row.Method, path: s.path, body: s.body, kind: s.kind, bearer: token})
			require.Equal(t, 401, w.Code, "%s %s: %s", row.Method, row.Pattern, w.Body.String())
			w = k.do(ask{method: row.Method, path: s.path, body: s.body, kind: s.kind, cookie: token, header: map[string]string{"Sec-Fetch-Site": "same-origin"}})
			require.Equal(t, 401, w.Code, "%s %s by cookie: %s", row.Method, row.Pattern, w.Body.String())
		}
	}
}

func TestOtherMerchantsOwnerFindsNothing(t *testing.T) {
	t.Parallel()
	k, chen, table := shop(t)
	before := jsonOf(chen.want(200, "GET", "/console/api/v1/products", nil)) + jsonOf(chen.want(200, "GET", "/console/api/v1/categories", nil))
	wu := k.owner(k.two, "wu-two")
	for _, row := range k.staffRows() {
		s := table[row.Method+" "+row.Pattern]
		if s.object {
			w := k.do(ask{method: row.Method, path: s.path, body: s.body, kind: s.kind, bearer: wu.token})
			require.Equal(t, 404, w.Code, "%s %s: %s", row.Method, row.Pattern, w.Body.String())
		}
	}
	for _, list := range []string{"products", "categories", "orders", "holds", "approvals", "alerts", "credits"} {
		require.Empty(t, wu.want(200, "GET", "/console/api/v1/"+list, nil)["items"], list)
	}
	wu.want(200, "PUT", "/console/api/v1/products/work", object{"kind": "card", "title": "theirs", "on": false, "skus": []object{}})
	wu.want(200, "PUT", "/console/api/v1/categories/games", object{"title": "theirs"})
	wu.want(422, "PUT", "/console/api/v1/products/next", object{"kind": "card", "title": "x", "on": true, "category": "tools", "skus": []object{}})
	chen.signIn()
	require.Equal(t, before, jsonOf(chen.want(200, "GET", "/console/api/v1/products", nil))+
		jsonOf(chen.want(200, "GET", "/console/api/v1/categories", nil)), "what has the same name is another object")
}

func codeOf(body []byte) string {
	var p struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(body, &p) // an answer without a body has no code
	return p.Code
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	k, o, _ := shop(t)
	long := strings.Repeat("x", 70_000)
	product := func(more string) string { return `{"kind":"card","title":"t","on":true,"skus":[]` + more + `}` }
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code, field        string
	}{
		"sign in: empty":         {"POST", sessionPath, ``, 400, "malformed_body", ""},
		"sign in: cut off":       {"POST", sessionPath, `{"login":`, 400, "malformed_body", ""},
		"sign in: huge":          {"POST", sessionPath, `{"login":"` + long + `"}`, 413, "body_too_large", ""},
		"sign in: no login":      {"POST", sessionPath, `{"password":"x"}`, 422, "required", "login"},
		"sign in: number":        {"POST", sessionPath, `{"login":1,"password":"x"}`, 422, "invalid_type", "login"},
		"sign in: unknown":       {"POST", sessionPath, `{"login":"a","password":"x","role":"owner"}`, 422, "unknown_field", "role"},
		"sign in: NUL":           {"POST", sessionPath, `{"login":"a\u0000","password":"x"}`, 422, "invalid_utf8", "login"},
		"sign in: invalid UTF-8": {"POST", sessionPath, "{\"login\":\"\xff\",\"password\":\"x\"}", 422, "invalid_utf8", "login"},
		"sign in: mode":          {"POST", sessionPath, `{"login":"a","password":"x","mode":"root"}`, 422, "invalid_choice", "mode"},
		"set up: token":          {"POST", "/console/api/v1/setup", `{"token":"x"}`, 403, "setup_link_invalid", ""},
		"set up: merchant":       {"POST", "/console/api/v1/setup", `{"token":"x","merchant_id":"y"}`, 422, "unknown_field", "merchant_id"},
		"complete: role":         {"POST", "/console/api/v1/setup/complete", `{"token":"x","handle":"x","login":"abc","password":"` + goodPassword + `","code":"1","role":"owner"}`, 422, "unknown_field", "role"},
		"complete: weak":         {"POST", "/console/api/v1/setup/complete", `{"token":"x","handle":"x","login":"abc","password":"password1234","code":"1"}`, 422, "password_common", "password"},
		"complete: login":        {"POST", "/console/api/v1/setup/complete", `{"token":"x","handle":"x","login":"a@b.example","password":"` + goodPassword + `","code":"1"}`, 422, "invalid_login", "login"},
		"list: limit 0":          {"GET", "/console/api/v1/products?limit=0", "", 422, "out_of_range", "limit"},
		"list: limit 101":        {"GET", "/console/api/v1/orders?limit=101", "", 422, "out_of_range", "limit"},
		"list: cursor":           {"GET", "/console/api/v1/orders?cursor=x", "", 422, "invalid_cursor", "cursor"},
		"list: holds cursor":     {"GET", "/console/api/v1/holds?cursor=zz", "", 422, "invalid_cursor", "cursor"},
		"list: alerts cursor":    {"GET", "/console/api/v1/alerts?cursor=zz", "", 422, "invalid_cursor", "cursor"},
		"list: products cursor":  {"GET", "/console/api/v1/products?cursor=zz", "", 422, "invalid_cursor", "cursor"},
		"list: status":           {"GET", "/console/api/v1/orders?status=any", "", 422, "invalid_choice", "status"},
		"list: merchant":         {"GET", "/console/api/v1/orders?merchant_id=x", "", 422, "unknown_parameter", "merchant_id"},
		"product: merchant":      {"PUT", "/console/api/v1/products/x", product(`,"merchant_id":"y"`), 422, "unknown_field", "merchant_id"},
		"product: kind":          {"PUT", "/console/api/v1/products/x", `{"kind":"gold","title":"t","on":true,"skus":[]}`, 422, "invalid_choice", "kind"},
		"product: kind fixed":    {"PUT", "/console/api/v1/products/work", product(""), 422, "kind_fixed", "kind"},
		"product: slug":          {"PUT", "/console/api/v1/products/a%20b", product(""), 422, "invalid_slug", "slug"},
		"product: category":      {"PUT", "/console/api/v1/products/x", product(`,"category":"none"`), 422, "category_not_found", "category"},
		"product: long title":    {"PUT", "/console/api/v1/products/x", `{"kind":"card","title":"` + strings.Repeat("x", 201) + `","on":true,"skus":[]}`, 422, "too_long", "title"},
		"product: null skus":     {"PUT", "/console/api/v1/products/x", `{"kind":"card","title":"t","on":true,"skus":null}`, 422, "invalid_type", "skus"},
		"product: price 0":       {"PUT", "/console/api/v1/products/x", `{"kind":"card","title":"t","on":true,"skus":[{"code":"a","price":0,"on":true}]}`, 422, "out_of_range", "skus[0].price"},
		"product: price 1.5":     {"PUT", "/console/api/v1/products/x", `{"kind":"card","title":"t","on":true,"skus":[{"code":"a","price":1.5,"on":true}]}`, 422, "", "skus[0].price"},
		"product: other's SKU":   {"PUT", "/console/api/v1/products/x", `{"kind":"card","title":"t","on":true,"skus":[{"code":"work-1","price":5,"on":true}]}`, 422, "sku_code_taken", ""},
		"product: unknown":       {"GET", "/console/api/v1/products/none", "", 404, "product_not_found", ""},
		"patch: unknown SKU":     {"PATCH", "/console/api/v1/products/work", `{"skus":[{"code":"none","price":1}]}`, 422, "sku_not_found", "skus[0].code"},
		"patch: stock":           {"PATCH", "/console/api/v1/products/work", `{"available":5}`, 422, "unknown_field", "available"},
		"stock: unknown":         {"GET", "/console/api/v1/skus/none/stock", "", 404, "sku_not_found", ""},
		"stock: negative":        {"PUT", "/console/api/v1/skus/work-1/stock", `{"limited":true,"available":-1}`, 422, "out_of_range", "available"},
		"order: unknown":         {"GET", "/console/api/v1/orders/20260101AAAA", "", 404, "order_not_found", ""},
		"order: shape":           {"GET", "/console/api/v1/orders/a-b", "", 422, "invalid_format", "order_no"},
		"deliver: empty":         {"POST", "/console/api/v1/orders/20260101AAAA/deliver", `{"line_no":1,"content":""}`, 422, "too_short", "content"},
		"deliver: line 0":        {"POST", "/console/api/v1/orders/20260101AAAA/deliver", `{"line_no":0,"content":"x"}`, 422, "out_of_range", "line_no"},
		"refund: no reason":      {"POST", "/console/api/v1/orders/20260101AAAA/refund/request", `{}`, 422, "required", "reason"},
		"refund: amount 0":       {"POST", "/console/api/v1/orders/20260101AAAA/refund/request", `{"reason":"x","amount":0}`, 422, "out_of_range", "amount"},
		"refund: no lines":       {"POST", "/console/api/v1/orders/20260101AAAA/refund/request", `{"reason":"x","lines":[]}`, 422, "too_short", "lines"},
		"refund: none of a line": {"POST", "/console/api/v1/orders/20260101AAAA/refund/request", `{"reason":"x","lines":[{"line_no":1,"quantity":0}]}`, 422, "out_of_range", "lines[0].quantity"},
		"refund: no key":         {"POST", "/console/api/v1/orders/20260101AAAA/refund", `{"reason":"x"}`, 422, "idempotency_key_missing", "Idempotency-Key"},
		"hold: id":               {"POST", "/console/api/v1/holds/x/resolve", `{"action":"refund"}`, 422, "", "id"},
		"hold: unknown":          {"POST", "/console/api/v1/holds/0198f3a0-0000-7000-8000-000000000001/resolve", `{"action":"refund"}`, 404, "hold_unknown", ""},
		"hold: action":           {"POST", "/console/api/v1/holds/0198f3a0-0000-7000-8000-000000000001/resolve", `{"action":"keep"}`, 422, "invalid_choice", "action"},
		"no such address":        {"GET", "/console/api/v1/nothing", "", 404, "not_found", ""},
		"method":                 {"DELETE", "/console/api/v1/products", "", 405, "method_not_allowed", ""},
		"reveal is no GET":       {"GET", "/console/api/v1/orders/20260101AAAA/contact/reveal", "", 405, "method_not_allowed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := k.do(ask{method: c.method, path: c.path, body: c.body, kind: "application/json", bearer: o.token, keyless: true})
			require.Equal(t, c.status, w.Code, w.Body.String())
			require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			if c.code != "" {
				require.Equal(t, c.code, codeOf(w.Body.Bytes()), w.Body.String())
			}
			if c.field != "" {
				require.Contains(t, w.Body.String(), `"field":"`+c.field+`"`)
			}
		})
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for path, words := range map[string][2]string{
		"/setup": {"设置账号", "Set your account"},
	} {
		for i, lang := range []string{"zh-CN", "en"} {
			w := k.do(ask{path: path, header: map[string]string{"Accept-Language": lang}})
			require.Equal(t, 200, w.Code)
			page := w.Body.String()
			require.Contains(t, page, words[i])
			require.Contains(t, page, `<html lang="`+lang+`">`)
			require.NotContains(t, page, "console.setup.", "a text is missing")
			require.NotRegexp(t, `(?i)<script[^>]*>[^<]|<style|\son\w+=|https?://`, page, "nothing inline, nothing from elsewhere")
			require.Contains(t, w.Header().Get("Content-Security-Policy"), "script-src 'self'")
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			for _, file := range regexp.MustCompile(`/console/assets/[\w.-]+`).FindAllString(page, -1) {
				require.Equal(t, 200, k.do(ask{path: file}).Code, file)
			}
		}
	}
}

func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	o.product("work", "manual")
	paid := k.buy(k.one, "work", 4900)
	o.want(200, "POST", "/console/api/v1/orders/"+paid.No+"/contact/reveal", nil)
	o.want(200, "POST", "/console/api/v1/orders/"+paid.No+"/deliver", object{"line_no": 1, "content": "delivered-content-77"})
	used := o.code()
	for _, body := range []object{
		{"login": "chen", "password": "guess-of-a-password", "code": "918273"},
		{"login": "nobody-here", "password": "guess-of-a-password", "code": "918273"},
		{"login": "chen", "password": 5},
	} {
		w := k.do(ask{method: "POST", path: sessionPath, body: jsonOf(body)})
		require.NotEqual(t, 200, w.Code)
		require.NotContains(t, w.Body.String(), "guess-of-a-password")
	}
	k.do(ask{path: "/console/api/v1/orders?token=" + o.token, bearer: o.token})
	k.do(ask{path: "/console/api/v1/" + o.token})
	log := k.log.String()
	require.Contains(t, log, "sign_in_failed")
	secrets := []string{
		goodPassword, o.secret, o.link, o.handle, o.token, used, "guess-of-a-password", "918273",
		"buyer.of.things", "delivered-content-77", "nobody-here", "otpauth",
	}
	for _, code := range o.recovery {
		secrets = append(secrets, code.(string))
	}
	for _, secret := range secrets {
		require.NotContains(t, log, secret)
	}
}

func FuzzSignInBody(f *testing.F) {
	for _, seed := range []string{
		`{"login":"chen","password":"x"}`, `{}`, `[]`, `{"login":"chen","password":"x","code":"123456","mode":"bearer"}`,
		`{"login":"\u0000","password":"\ud800"}`, "{\"login\":\"\xff\"}", `{"login":"a","login":"b","password":"x"}`, strings.Repeat("[", 100),
	} {
		f.Add(seed)
	}
	k := newKit(f)
	k.owner(k.one, "chen")
	f.Fuzz(func(t *testing.T, body string) {
		own := *k
		own.t = t
		w := own.do(ask{method: "POST", path: sessionPath, body: body, kind: "application/json"})
		require.GreaterOrEqual(t, w.Code, 400)
		require.Less(t, w.Code, 500, w.Body.String())
		require.Empty(t, w.Header().Get("Set-Cookie"))
		require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	})
}
