package shopapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/audit"
	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/web"
)

func in(lang string, q ask) ask {
	q.header = map[string]string{"Accept-Language": lang}
	return q
}

func TestProductsAreLocalised(t *testing.T) {
	t.Parallel()
	h := server(t, &fakes{}, io.Discard)
	w := in("en-GB", get("/api/v1/products")).do(h)
	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, `{"items":[{"id":"0198f3a0-0000-7000-8000-000000000001","slug":"game-50","title":"Game card",
		"summary":"自动发货","kind":"card","image":"/media/game.svg","price":4900,"currency":"CNY","available":7}],
		"next_cursor":"bmV4dA"}`, w.Body.String())
	require.Contains(t, get("/api/v1/products").do(h).Body.String(), "游戏点卡")

	w = in("en", get("/api/v1/products/"+productID.String())).do(h)
	require.JSONEq(t, `{"id":"0198f3a0-0000-7000-8000-000000000001","slug":"game-50","title":"Game card",
		"summary":"自动发货","kind":"card","image":"/media/game.svg","price":4900,"currency":"CNY","available":7,
		"description":"说明","per_order_limit":0,"per_contact_limit":0,
		"skus":[{"id":"0198f3a0-0000-7000-8000-000000000002","title":"Fifty","price":4900,"currency":"CNY","available":7}]}`,
		w.Body.String(), "the SKU that is off sale must not show")

	w = in("en", get("/api/v1/categories")).do(h)
	require.JSONEq(t, `{"items":[{"id":"0198f3a0-0000-7000-8000-000000000003","slug":"games","title":"Games","products":8}]}`, w.Body.String())
	w = in("en", get("/api/v1/payment_channels")).do(h)
	require.JSONEq(t, `{"items":[{"id":"0198f3a0-0000-7000-8000-000000000004","name":"WeChat Pay","kind":"wechatpay_native","available":true}]}`, w.Body.String())
	require.Contains(t, get("/api/v1/payment_channels").do(h).Body.String(), "微信支付")
	require.JSONEq(t, `{"items":[],"next_cursor":""}`, get("http://other.example/api/v1/products").do(h).Body.String(), "a list is never null")
}

func TestListTakesItsParameters(t *testing.T) {
	t.Parallel()
	var asked []catalog.ListQuery
	f := &fakes{list: func(q catalog.ListQuery) (catalog.Page, error) {
		asked = append(asked, q)
		return catalog.Page{}, nil
	}}
	h := server(t, f, io.Discard)
	for _, query := range []string{"", "?q=%E5%8D%A1&category=games&cursor=abc&limit=100"} {
		require.Equal(t, http.StatusOK, get("/api/v1/products"+query).do(h).Code)
	}
	require.Equal(t, []catalog.ListQuery{{Limit: 20}, {Text: "卡", Category: "games", Cursor: "abc", Limit: 100}}, asked)
}

func TestPlaceOrder(t *testing.T) {
	t.Parallel()
	var asked []checkout.PlaceRequest
	f := &fakes{place: func(r checkout.PlaceRequest) (checkout.Placed, error) {
		asked = append(asked, r)
		return checkout.Placed{Order: anOrder(), AccessToken: goodToken}, nil
	}}
	h := server(t, f, io.Discard)
	send := func(body string, headers ...string) {
		w := post(ordersPath, body, headers...).do(h)
		require.Equal(t, http.StatusCreated, w.Code, w.Body.String())
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.JSONEq(t, `{"order_no":"20260504M7KQ2Z8R4T6V0XWY","status":"pending","total":4900,"currency":"CNY",
			"created_at":"2026-05-04T03:02:01.123Z","expires_at":"2026-05-04T03:17:01.123Z","access_token":"a-good-token"}`, w.Body.String())
	}
	one := lineJSON("2")
	send(placeJSON(one, mail))
	send(` { "contact" : {"email":"  Buyer@Example.COM "}, "lines":[`+one+`], "lang":"en"}`, "Accept-Language", "en")
	send(placeJSON(lineJSON("3"), mail))
	send(placeJSON(one, `{"phone":"+86 138-0013-8000"}`), "Accept-Language", "en", "Idempotency-Key", "another")

	require.Equal(t, "key-1", asked[0].Key)
	require.Equal(t, shopID, asked[0].MerchantID)
	require.Equal(t, []checkout.PlaceLine{{SKUID: skuID, Quantity: 2}}, asked[0].Lines)
	require.Equal(t, order.Contact{Kind: order.Email, Value: "buyer@example.com"}, asked[0].Contact)
	require.Equal(t, []string{"zh-CN", "en", "zh-CN", "en"}, []string{asked[0].Lang, asked[1].Lang, asked[2].Lang, asked[3].Lang})
	require.Equal(t, order.Contact{Kind: order.Phone, Value: "13800138000"}, asked[3].Contact)
	require.Equal(t, "another", asked[3].Key)
	require.Equal(t, asked[0].BodyDigest, asked[1].BodyDigest, "the same meaning")
	require.NotEqual(t, asked[0].BodyDigest, asked[2].BodyDigest, "another quantity")
	require.NotEqual(t, asked[0].BodyDigest, asked[3].BodyDigest, "another contact")
}

func TestDigestTellsRequestsApart(t *testing.T) {
	t.Parallel()
	a, b := skuID, productID
	mailTo := order.Contact{Kind: order.Email, Value: "a@example.com"}
	all := [][]byte{
		placeDigest([]checkout.PlaceLine{{SKUID: a, Quantity: 1}}, mailTo),
		placeDigest([]checkout.PlaceLine{{SKUID: b, Quantity: 1}}, mailTo),
		placeDigest([]checkout.PlaceLine{{SKUID: a, Quantity: 1}, {SKUID: b, Quantity: 1}}, mailTo),
		placeDigest([]checkout.PlaceLine{{SKUID: b, Quantity: 1}, {SKUID: a, Quantity: 1}}, mailTo),
		placeDigest([]checkout.PlaceLine{{SKUID: a, Quantity: 256}}, mailTo),
		placeDigest([]checkout.PlaceLine{{SKUID: a, Quantity: 1}}, order.Contact{Kind: order.Phone, Value: mailTo.Value}),
		placeDigest([]checkout.PlaceLine{{SKUID: a, Quantity: 1}}, order.Contact{Kind: order.Email, Value: "a@example.co"}),
		placeDigest(nil, order.Contact{}),
		payDigest(a, "", creditProof{}), payDigest(b, "", creditProof{}), payDigest(id.ID{}, "", creditProof{}), payDigest(a, "payer", creditProof{}),
		payDigest(a, "", creditProof{"C1", "x"}), payDigest(a, "", creditProof{"C1x", ""}), payDigest(a, "", creditProof{"C1", "y"}),
	}
	seen := map[string]int{}
	for i, d := range all {
		require.Len(t, d, 32)
		other, twice := seen[string(d)]
		require.False(t, twice, "%d and %d", i, other)
		seen[string(d)] = i
	}
}

func TestServiceErrorsReachTheBuyer(t *testing.T) {
	t.Parallel()
	soldOut := errs.New(errs.Conflict, "sold_out", "sold out")
	soldOut.Field = "lines[0].sku_id"
	unknown := errs.Field("lines[0].sku_id", "sku_not_found", "no such SKU")
	cases := map[string]struct {
		err    error
		status int
		code   string
	}{
		"sold out":  {soldOut, 409, "sold_out"},
		"unknown":   {unknown, 422, "sku_not_found"},
		"key again": {errs.New(errs.Conflict, "idempotency_conflict", "x"), 409, "idempotency_conflict"},
		"closing":   {errs.New(errs.Unavailable, "shutting_down", "x"), 503, "shutting_down"},
		"broken":    {errors.New("disk 0xdeadbeef on fire"), 500, "internal"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			f := &fakes{place: func(checkout.PlaceRequest) (checkout.Placed, error) { return checkout.Placed{}, c.err }}
			w := post(ordersPath, placeJSON(lineJSON("1"), mail)).do(server(t, f, &log))
			require.Equal(t, c.status, w.Code)
			require.Equal(t, c.code, decode[web.Problem](t, w).Code)
			require.NotContains(t, w.Body.String(), "0xdeadbeef")
			require.NotContains(t, log.String(), "buyer@example.com")
			require.Equal(t, c.status == 503, w.Header().Get("Retry-After") != "")
		})
	}
}

func fullView() checkout.View {
	o := anOrder()
	o.Status, o.PaidAt = order.Refunding, placedAt.Add(time.Minute)
	open, paid := aPayment(), aPayment()
	paid.Status = payment.Paid
	return checkout.View{
		Order: o,
		Lines: []checkout.LineView{{Line: order.Line{
			No: 1, ProductID: productID, SKUID: skuID, Kind: "card", Title: "Game card", Quantity: 2,
			UnitPrice: money.Of(2450, money.CNY), Amount: money.Of(4900, money.CNY),
		}, Delivered: 1, Refunded: 1}},
		Refunded: money.Of(4900, money.CNY),
		Payments: []payment.Payment{open, paid},
		Refunds: []payment.Refund{
			{No: "R1", Status: payment.RefundDone, Amount: money.Of(2450, money.CNY), Reason: "internal", CreatedAt: placedAt, DoneAt: placedAt.Add(time.Minute)},
			{No: "R2", Status: payment.RefundPending, Amount: money.Of(2450, money.CNY), Reason: "internal", CreatedAt: placedAt},
		},
	}
}

func TestOrderShowsWhatItsBuyerMaySee(t *testing.T) {
	t.Parallel()
	w := get(onePath).do(server(t, &fakes{view: fullView()}, io.Discard))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.JSONEq(t, `{"order_no":"20260504M7KQ2Z8R4T6V0XWY","status":"refunding","total":4900,"currency":"CNY",
		"created_at":"2026-05-04T03:02:01.123Z","expires_at":"2026-05-04T03:17:01.123Z","paid_at":"2026-05-04T03:03:01.123Z",
		"lines":[{"line_no":1,"sku_id":"0198f3a0-0000-7000-8000-000000000002","product_id":"0198f3a0-0000-7000-8000-000000000001",
			"title":"Game card","kind":"card","quantity":2,"unit_price":2450,"amount":4900,"delivered":1,"refunded":1}],"refunded":4900,
		"payments":[{"payment_no":"P20260504M7KQ2Z8R4T6V0XWY","status":"open","channel":"0198f3a0-0000-7000-8000-000000000004",
			"amount":4900,"currency":"CNY","instruction":{"kind":"qr","code_url":"weixin://wxpay/x"}},
			{"payment_no":"P20260504M7KQ2Z8R4T6V0XWY","status":"paid","channel":"0198f3a0-0000-7000-8000-000000000004",
			"amount":4900,"currency":"CNY"}],
		"refunds":[{"refund_no":"R1","status":"succeeded","amount":2450,"currency":"CNY",
			"created_at":"2026-05-04T03:02:01.123Z","done_at":"2026-05-04T03:03:01.123Z"},
			{"refund_no":"R2","status":"processing","amount":2450,"currency":"CNY","created_at":"2026-05-04T03:02:01.123Z"}]}`, w.Body.String())
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := post(onePath+"/cancel", "").do(server(t, &fakes{}, io.Discard))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	got := decode[orderView](t, w)
	require.Equal(t, "closed", got.Status)
	require.NotNil(t, got.ClosedAt)
	require.Contains(t, w.Body.String(), `"payments":[]`, "a list is never null")

	w = post(onePath+"/cancel", "{}").do(server(t, &fakes{view: fullView()}, io.Discard))
	require.Equal(t, http.StatusConflict, w.Code)
	require.Equal(t, "order_state", decode[web.Problem](t, w).Code)
}

func TestReveal(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	w := post(onePath+"/deliveries/reveal", "").do(server(t, &fakes{}, &log))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.JSONEq(t, `{"deliveries":[
		{"line_no":1,"sku_id":"0198f3a0-0000-7000-8000-000000000002","title":"Game card","kind":"card","content":"CARD-KEY-7788"},
		{"line_no":2,"sku_id":"0198f3a0-0000-7000-8000-000000000002","title":"By hand","kind":"text","content":"done"}]}`, w.Body.String())
	require.NotContains(t, log.String(), secretKey)
	require.NotContains(t, log.String(), goodToken)
}

func TestStartPayment(t *testing.T) {
	t.Parallel()
	var asked []checkout.PayRequest
	f := &fakes{pay: func(r checkout.PayRequest) (payment.Payment, error) {
		asked = append(asked, r)
		return aPayment(), nil
	}}
	h := server(t, f, io.Discard)
	for _, channel := range []string{accountID.String(), "wechatpay_native", "微信支付", "WeChat Pay"} {
		w := post(onePath+"/payments", fmt.Sprintf(`{"channel":%q}`, channel)).do(h)
		require.Equal(t, http.StatusCreated, w.Code, w.Body.String())
		require.JSONEq(t, `{"payment_no":"P20260504M7KQ2Z8R4T6V0XWY","status":"open","channel":"0198f3a0-0000-7000-8000-000000000004",
			"amount":4900,"currency":"CNY","instruction":{"kind":"qr","code_url":"weixin://wxpay/x"}}`, w.Body.String())
	}
	for _, r := range asked {
		require.Equal(t, asked[0], r, "a channel's id, kind and names mean the same")
	}
	require.Equal(t, checkout.PayRequest{
		MerchantID: shopID, OrderNo: orderNo, Token: goodToken, Key: "key-1", BodyDigest: payDigest(accountID, "", creditProof{}),
		Channel: accountID, ClientIP: "192.0.2.1",
	}, asked[0])
}

func TestPaymentBusy(t *testing.T) {
	t.Parallel()
	f := &fakes{pay: func(checkout.PayRequest) (payment.Payment, error) {
		return payment.Payment{}, payment.ErrProviderBusy.With("until", "11:17").
			With("expires_at", "2026-05-04T03:17:01Z").With("channels", "a b")
	}}
	w := post(onePath+"/payments", `{"channel":"wechatpay_native"}`).do(server(t, f, io.Discard))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	told := decode[web.Problem](t, w)
	require.Equal(t, "payment_busy", told.Code)
	require.Equal(t, "2026-05-04T03:17:01Z", told.KeptTo)
	require.Equal(t, []string{"a", "b"}, told.Channels)
	require.Contains(t, told.Detail, "11:17")
	require.NotEmpty(t, w.Header().Get("Retry-After"))
}

// TestWaitingBuyerHasThePlatformAsked: only an order that waits for an open
// payment is worth a question, and its failure is not the buyer's.
func TestWaitingBuyerHasThePlatformAsked(t *testing.T) {
	t.Parallel()
	waiting := checkout.View{Order: anOrder(), Payments: []payment.Payment{aPayment()}}
	closed := waiting
	closed.Payments = []payment.Payment{{Status: payment.Closed}}
	paid := fullView()
	for name, c := range map[string]struct {
		view  checkout.View
		asked int
	}{"waiting": {waiting, 1}, "payment closed": {closed, 0}, "no payment": {checkout.View{Order: anOrder()}, 0}, "paid": {paid, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			f := &fakes{view: c.view, nudge: errors.New("the platform sleeps")}
			require.Equal(t, http.StatusOK, get(onePath).do(server(t, f, &log)).Code)
			require.Len(t, f.nudged, c.asked)
			require.Equal(t, c.asked, bytes.Count(log.Bytes(), []byte("payment not asked about sooner")))
		})
	}
}

// TestChangesAreABuyers: what services record names a buyer and the request.
func TestChangesAreABuyers(t *testing.T) {
	t.Parallel()
	f := &fakes{view: checkout.View{Order: anOrder()}}
	spy := &originSpy{fakes: f}
	deps := f.deps(io.Discard)
	deps.Orders = spy
	mux, _ := newMux(t, deps)
	w := post(onePath+"/deliveries/reveal", "", "X-Request-Id", "request-0001").do(wrap(t, mux, io.Discard))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, audit.Actor{Kind: "buyer"}, spy.actor)
	require.Equal(t, "request-0001", spy.request)
}
