package shopapi

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/checkout"
	"panshi/internal/id"
	"panshi/internal/web"
)

// bad is one refusal: what is asked, and status, code and field of the answer.
type bad struct {
	ask
	status      int
	code, field string
}

func check(t *testing.T, h http.Handler, cases map[string]bad) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := c.do(h)
			require.Equal(t, c.status, w.Code, w.Body.String())
			require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			p := decode[web.Problem](t, w)
			require.Equal(t, c.status, p.Status)
			require.Equal(t, c.code, p.Code, w.Body.String())
			require.NotEmpty(t, p.Detail)
			require.NotEmpty(t, p.Instance)
			if c.field == "" {
				require.Empty(t, p.Errors)
				return
			}
			var fields []string
			for _, e := range p.Errors {
				fields = append(fields, e.Field)
			}
			require.Equal(t, c.field, strings.Join(fields, " "))
		})
	}
}

const (
	ordersPath = "/api/v1/orders"
	onePath    = ordersPath + "/" + orderNo
)

func lineJSON(quantity string) string {
	return fmt.Sprintf(`{"sku_id":%q,"quantity":%s}`, skuID, quantity)
}

func placeJSON(lines, contact string) string {
	return `{"lines":[` + lines + `],"contact":` + contact + `}`
}

const mail = `{"email":"buyer@example.com"}`

// post is a POST whose headers come in pairs.
func post(target, body string, headers ...string) ask {
	h := map[string]string{}
	for i := 0; i+1 < len(headers); i += 2 {
		h[headers[i]] = headers[i+1]
	}
	return ask{method: http.MethodPost, target: target, body: body, header: h}
}

func get(target string) ask { return ask{method: http.MethodGet, target: target} }

func TestBadPlaceOrder(t *testing.T) {
	t.Parallel()
	f := &fakes{place: func(checkout.PlaceRequest) (checkout.Placed, error) {
		t.Error("a bad request reached checkout")
		return checkout.Placed{}, nil
	}}
	good := placeJSON(lineJSON("1"), mail)
	with := func(contact string) ask { return post(ordersPath, placeJSON(lineJSON("1"), contact)) }
	line := func(l string) ask { return post(ordersPath, placeJSON(l, mail)) }
	many := strings.TrimSuffix(strings.Repeat(lineJSON("1")+",", 51), ",")
	check(t, server(t, f, io.Discard), map[string]bad{
		"no body":             {post(ordersPath, ""), 400, "malformed_body", ""},
		"cut off":             {post(ordersPath, good[:30]), 400, "malformed_body", ""},
		"trailing data":       {post(ordersPath, good+"{}"), 400, "malformed_body", ""},
		"comment":             {post(ordersPath, "/*x*/"+good), 400, "malformed_body", ""},
		"wrong content type":  {post(ordersPath, good, "Content-Type", "text/plain"), 415, "unsupported_media_type", ""},
		"no content type":     {post(ordersPath, good, "Content-Type", ""), 415, "unsupported_media_type", ""},
		"form":                {post(ordersPath, "lines=1", "Content-Type", "application/x-www-form-urlencoded"), 415, "unsupported_media_type", ""},
		"too large":           {post(ordersPath, good+strings.Repeat(" ", 64<<10)), 413, "body_too_large", ""},
		"array":               {post(ordersPath, "["+good+"]"), 422, "invalid_type", "body"},
		"null":                {post(ordersPath, "null"), 422, "invalid_type", "body"},
		"empty object":        {post(ordersPath, "{}"), 422, "required", "contact lines"},
		"no contact":          {post(ordersPath, `{"lines":[`+lineJSON("1")+`]}`), 422, "required", "contact"},
		"empty contact":       {with(`{}`), 422, "required", "contact"},
		"null contact":        {with(`null`), 422, "invalid_type", "contact"},
		"contact is text":     {with(`"buyer@example.com"`), 422, "invalid_type", "contact"},
		"both contacts":       {with(`{"email":"a@example.com","phone":"13800138000"}`), 422, "contact_ambiguous", "contact"},
		"bad email":           {with(`{"email":"nobody"}`), 422, "invalid_email", "contact.email"},
		"email with name":     {with(`{"email":"A <a@example.com>"}`), 422, "invalid_email", "contact.email"},
		"email header split":  {with(`{"email":"a@example.com\r\nBcc: b@example.com"}`), 422, "invalid_email", "contact.email"},
		"email too long":      {with(`{"email":"` + strings.Repeat("a", 250) + `@example.com"}`), 422, "too_long", "contact.email"},
		"email number":        {with(`{"email":1}`), 422, "invalid_type", "contact.email"},
		"bad phone":           {with(`{"phone":"12345"}`), 422, "invalid_phone", "contact.phone"},
		"phone letters":       {with(`{"phone":"1380013800x"}`), 422, "invalid_phone", "contact.phone"},
		"phone too long":      {with(`{"phone":"` + strings.Repeat("1", 33) + `"}`), 422, "too_long", "contact.phone"},
		"unknown in contact":  {with(`{"email":"a@example.com","wechat":"x"}`), 422, "unknown_field", "contact.wechat"},
		"NUL":                 {with(`{"email":"a\u0000@example.com"}`), 422, "invalid_utf8", "contact.email"},
		"raw NUL":             {with("{\"email\":\"a\x00@example.com\"}"), 400, "malformed_body", ""},
		"invalid UTF-8":       {with("{\"email\":\"a\xff@example.com\"}"), 422, "invalid_utf8", "contact.email"},
		"half surrogate":      {with(`{"email":"a\ud800@example.com"}`), 422, "invalid_utf8", "contact.email"},
		"unknown field":       {post(ordersPath, `{"total":1,`+good[1:]), 422, "unknown_field", "total"},
		"coupon":              {post(ordersPath, `{"coupon_code":"X",`+good[1:]), 422, "unknown_field", "coupon_code"},
		"address":             {post(ordersPath, `{"address_id":"X",`+good[1:]), 422, "unknown_field", "address_id"},
		"status assigned":     {post(ordersPath, `{"status":"paid",`+good[1:]), 422, "unknown_field", "status"},
		"other language":      {post(ordersPath, `{"lang":"fr",`+good[1:]), 422, "invalid_choice", "lang"},
		"field twice":         {post(ordersPath, `{"contact":{"phone":"13800138000"},`+good[1:]), 422, "duplicate_field", "contact"},
		"no lines":            {post(ordersPath, placeJSON("", mail)), 422, "too_short", "lines"},
		"null lines":          {post(ordersPath, `{"lines":null,"contact":`+mail+`}`), 422, "invalid_type", "lines"},
		"51 lines":            {line(many), 422, "too_long", "lines"},
		"line is null":        {line("null"), 422, "invalid_type", "lines[0]"},
		"quantity 0":          {line(lineJSON("0")), 422, "out_of_range", "lines[0].quantity"},
		"quantity -1":         {line(lineJSON("-1")), 422, "out_of_range", "lines[0].quantity"},
		"quantity 1000":       {line(lineJSON("1000")), 422, "out_of_range", "lines[0].quantity"},
		"quantity 2^64":       {line(lineJSON("18446744073709551616")), 422, "out_of_range", "lines[0].quantity"},
		"quantity half":       {line(lineJSON("0.5")), 422, "invalid_type", "lines[0].quantity"},
		"quantity text":       {line(lineJSON(`"1"`)), 422, "invalid_type", "lines[0].quantity"},
		"quantity null":       {line(lineJSON("null")), 422, "invalid_type", "lines[0].quantity"},
		"quantity missing":    {line(fmt.Sprintf(`{"sku_id":%q}`, skuID)), 422, "required", "lines[0].quantity"},
		"price in line":       {line(fmt.Sprintf(`{"sku_id":%q,"quantity":1,"price":1}`, skuID)), 422, "unknown_field", "lines[0].price"},
		"capital key":         {line(fmt.Sprintf(`{"sku_id":%q,"quantity":1,"Quantity":9999}`, skuID)), 422, "unknown_field", "lines[0].Quantity"},
		"bad uuid":            {line(`{"sku_id":"zz","quantity":1}`), 422, "invalid_id", "lines[0].sku_id"},
		"uuid without dashes": {line(`{"sku_id":"0198f3a0000070008000000000000002","quantity":1}`), 422, "invalid_id", "lines[0].sku_id"},
		"uuid empty":          {line(`{"sku_id":"","quantity":1}`), 422, "invalid_id", "lines[0].sku_id"},
		"second uuid and mail": {
			post(ordersPath, placeJSON(lineJSON("1")+`,{"sku_id":"0198f3a0000070008000000000000002","quantity":1}`, `{"email":"x"}`)),
			422, "invalid_input", "lines[1].sku_id contact.email",
		},
		"no key":            {post(ordersPath, good, "Idempotency-Key", ""), 422, "idempotency_key_missing", "Idempotency-Key"},
		"key of 129":        {post(ordersPath, good, "Idempotency-Key", strings.Repeat("k", 129)), 422, "idempotency_key_invalid", "Idempotency-Key"},
		"key with a blank":  {post(ordersPath, good, "Idempotency-Key", "a b"), 422, "idempotency_key_invalid", "Idempotency-Key"},
		"key not ASCII":     {post(ordersPath, good, "Idempotency-Key", "钥匙"), 422, "idempotency_key_invalid", "Idempotency-Key"},
		"unknown parameter": {post(ordersPath+"?dry_run=1", good), 422, "unknown_parameter", "dry_run"},
		"broken query":      {post(ordersPath+"?a=%zz", good), 400, "malformed_query", ""},
		"other site":        {post(ordersPath, good, "Sec-Fetch-Site", "cross-site"), 403, "cross_origin", ""},
		"no such shop":      {ask{method: "POST", target: "http://nobody.example/api/v1/orders", body: good}, 404, "merchant_not_found", ""},
		"wrong method":      {ask{method: "PUT", target: ordersPath, body: good}, 405, "method_not_allowed", ""},
		"TRACE":             {ask{method: "TRACE", target: ordersPath}, 405, "method_not_allowed", ""},
	})
}

func TestBadReads(t *testing.T) {
	t.Parallel()
	products := "/api/v1/products"
	check(t, server(t, &fakes{}, io.Discard), map[string]bad{
		"limit 0":             {get(products + "?limit=0"), 422, "out_of_range", "limit"},
		"limit 101":           {get(products + "?limit=101"), 422, "out_of_range", "limit"},
		"limit 10^6":          {get(products + "?limit=1000000"), 422, "out_of_range", "limit"},
		"limit -1":            {get(products + "?limit=-1"), 422, "out_of_range", "limit"},
		"limit text":          {get(products + "?limit=ten"), 422, "invalid_type", "limit"},
		"limit 2^64":          {get(products + "?limit=18446744073709551616"), 422, "invalid_type", "limit"},
		"limit twice":         {get(products + "?limit=1&limit=2"), 422, "duplicate_field", "limit"},
		"cursor too long":     {get(products + "?cursor=" + strings.Repeat("c", 257)), 422, "too_long", "cursor"},
		"cursor NUL":          {get(products + "?cursor=%00"), 422, "invalid_utf8", "cursor"},
		"q too long":          {get(products + "?q=" + strings.Repeat("q", 51)), 422, "too_long", "q"},
		"q NUL":               {get(products + "?q=a%00b"), 422, "invalid_utf8", "q"},
		"q invalid UTF-8":     {get(products + "?q=%ff%fe"), 422, "invalid_utf8", "q"},
		"category too long":   {get(products + "?category=" + strings.Repeat("c", 81)), 422, "too_long", "category"},
		"unknown parameter":   {get(products + "?include_off=true"), 422, "unknown_parameter", "include_off"},
		"broken query":        {get(products + "?q=%zz"), 400, "malformed_query", ""},
		"wrong method":        {ask{method: "DELETE", target: products}, 405, "method_not_allowed", ""},
		"body too large":      {post(onePath+"/cancel", strings.Repeat(" ", 64<<10+1)), 413, "body_too_large", ""},
		"bad product id":      {get(products + "/zz"), 422, "invalid_id", "id"},
		"slug as product id":  {get(products + "/game-50"), 422, "invalid_id", "id"},
		"id without dashes":   {get(products + "/0198f3a0000070008000000000000001"), 422, "invalid_id", "id"},
		"id too long":         {get(products + "/" + strings.Repeat("a", 40)), 422, "invalid_input", "id id"},
		"id NUL":              {get(products + "/a%00"), 422, "invalid_utf8", "id"},
		"product unknown":     {get(products + "/" + id.New().String()), 404, "product_not_found", ""},
		"product zero":        {get(products + "/00000000-0000-0000-0000-000000000000"), 404, "product_not_found", ""},
		"product off sale":    {get(products + "/" + hiddenID.String()), 404, "product_not_found", ""},
		"product of another":  {get("http://other.example" + products + "/" + productID.String()), 404, "product_not_found", ""},
		"product parameter":   {get(products + "/" + productID.String() + "?x=1"), 422, "unknown_parameter", "x"},
		"categories method":   {post("/api/v1/categories", "{}"), 405, "method_not_allowed", ""},
		"categories query":    {get("/api/v1/categories?limit=1"), 422, "unknown_parameter", "limit"},
		"channels method":     {post("/api/v1/payment_channels", "{}"), 405, "method_not_allowed", ""},
		"channels query":      {get("/api/v1/payment_channels?kind=x"), 422, "unknown_parameter", "kind"},
		"shop unknown":        {get("http://nobody.example/api/v1/categories"), 404, "merchant_not_found", ""},
		"nothing there":       {get("/api/v1/admin"), 404, "not_found", ""},
		"orders are no list":  {get(ordersPath), 405, "method_not_allowed", ""},
		"reveal is no GET":    {get(onePath + "/deliveries/reveal"), 405, "method_not_allowed", ""},
		"path with traversal": {get(products + "/..%2f..%2fetc"), 422, "invalid_id", "id"},
	})
}

// TestBadOrderAccess puts the same questions to every operation on an order.
func TestBadOrderAccess(t *testing.T) {
	t.Parallel()
	h := server(t, &fakes{}, io.Discard)
	for _, op := range []struct{ method, suffix, body string }{
		{"GET", "", ""},
		{"POST", "/cancel", ""},
		{"POST", "/deliveries/reveal", ""},
		{"POST", "/payments", `{"channel":"` + accountID.String() + `"}`},
	} {
		at := func(no, suffix string, headers ...string) ask {
			q := post(ordersPath+"/"+no+op.suffix+suffix, op.body, headers...)
			q.method = op.method
			if op.method == "GET" {
				q.header["Content-Type"] = ""
			}
			return q
		}
		elsewhere := at(orderNo, "")
		elsewhere.target = "http://other.example" + elsewhere.target
		t.Run(op.method+op.suffix, func(t *testing.T) {
			t.Parallel()
			check(t, h, map[string]bad{
				"no token":           {at(orderNo, "", "Authorization", ""), 401, "unauthenticated", ""},
				"no scheme":          {at(orderNo, "", "Authorization", goodToken), 401, "unauthenticated", ""},
				"other scheme":       {at(orderNo, "", "Authorization", "Basic "+goodToken), 401, "unauthenticated", ""},
				"empty token":        {at(orderNo, "", "Authorization", "Bearer "), 401, "unauthenticated", ""},
				"wrong token":        {at(orderNo, "", "Authorization", "Bearer wrong"), 404, "order_not_found", ""},
				"two tokens":         {at(orderNo, "", "Authorization", "Bearer "+goodToken+" x"), 404, "order_not_found", ""},
				"token too long":     {at(orderNo, "", "Authorization", "Bearer "+strings.Repeat("a", 512)), 422, "too_long", "Authorization"},
				"unknown order":      {at("20260504ZZZZZZZZZZZZZZZZ", ""), 404, "order_not_found", ""},
				"order of another":   {elsewhere, 404, "order_not_found", ""},
				"number too long":    {at(strings.Repeat("A", 33), ""), 422, "too_long", "order_no"},
				"number with signs":  {at("A-1", ""), 422, "invalid_format", "order_no"},
				"number with NUL":    {at("A%00", ""), 422, "invalid_utf8", "order_no"},
				"number not UTF-8":   {at("A%ff", ""), 422, "invalid_utf8", "order_no"},
				"token in the query": {at(orderNo, "?access_token="+goodToken, "Authorization", ""), 422, "unknown_parameter", "access_token"},
				"wrong method":       {ask{method: "PATCH", target: onePath + op.suffix}, 405, "method_not_allowed", ""},
			})
			if op.method == "POST" {
				check(t, h, map[string]bad{
					"unwanted field": {post(onePath+op.suffix, `{"force":true}`), 422, unwantedCode(op.body), unwantedField(op.body)},
					"malformed body": {post(onePath+op.suffix, `{`), 400, "malformed_body", ""},
					"other site":     {post(onePath+op.suffix, op.body, "Sec-Fetch-Site", "cross-site"), 403, "cross_origin", ""},
				})
			}
		})
	}
}

// An operation that has a body misses its own field as well.
func unwantedCode(body string) string {
	if body == "" {
		return "unknown_field"
	}
	return "invalid_input"
}

func unwantedField(body string) string {
	if body == "" {
		return "body"
	}
	return "channel force"
}

func TestBadPayment(t *testing.T) {
	t.Parallel()
	target := onePath + "/payments"
	good := `{"channel":"` + accountID.String() + `"}`
	check(t, server(t, &fakes{}, io.Discard), map[string]bad{
		"no body":          {post(target, ""), 400, "malformed_body", ""},
		"empty object":     {post(target, "{}"), 422, "required", "channel"},
		"channel empty":    {post(target, `{"channel":""}`), 422, "too_short", "channel"},
		"channel number":   {post(target, `{"channel":1}`), 422, "invalid_type", "channel"},
		"channel null":     {post(target, `{"channel":null}`), 422, "invalid_type", "channel"},
		"channel long":     {post(target, `{"channel":"`+strings.Repeat("c", 121)+`"}`), 422, "too_long", "channel"},
		"channel NUL":      {post(target, `{"channel":"a\u0000"}`), 422, "invalid_utf8", "channel"},
		"channel unknown":  {post(target, `{"channel":"paypal"}`), 422, "channel_not_found", "channel"},
		"channel other id": {post(target, `{"channel":"`+skuID.String()+`"}`), 422, "channel_not_found", "channel"},
		"channel zero id":  {post(target, `{"channel":"00000000-0000-0000-0000-000000000000"}`), 422, "channel_not_found", "channel"},
		"amount":           {post(target, `{"amount":1,`+good[1:]), 422, "unknown_field", "amount"},
		"no key":           {post(target, good, "Idempotency-Key", ""), 422, "idempotency_key_missing", "Idempotency-Key"},
		"key of 129":       {post(target, good, "Idempotency-Key", strings.Repeat("k", 129)), 422, "idempotency_key_invalid", "Idempotency-Key"},
		"content type":     {post(target, good, "Content-Type", "text/json"), 415, "unsupported_media_type", ""},
		"trailing data":    {post(target, good+"x"), 400, "malformed_body", ""},
		"too large":        {post(target, good+strings.Repeat(" ", 64<<10)), 413, "body_too_large", ""},
	})
}
