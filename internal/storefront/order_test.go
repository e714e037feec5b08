package storefront_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/storefront"
)

const here = "/orders/" + orderNo

func TestPayShowsTheCode(t *testing.T) {
	w := newWorld(t)
	rec := w.get(here + "/pay")
	require.Equal(t, http.StatusOK, rec.Code)
	require.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
	page := rec.Body.String()
	require.Regexp(t, `<path class="qr-ink" d="M[0-9Mhvz H-]+"`, page)
	require.Contains(t, page, "¥39.98")
	require.Contains(t, page, `data-countdown="900"`)
	require.Contains(t, page, "2026-11-22 11:15（UTC&#43;08）")
	require.Contains(t, page, `<noscript><meta http-equiv="refresh" content="10"></noscript>`)
	require.NotContains(t, page, "/scan?", "a real shop has no sandbox")
	require.NotContains(t, page, token)
	require.Equal(t, 1, w.nudges)
	got := w.started[0]
	require.Equal(t, token, got.Token)
	require.Equal(t, w.channels[0].ID, got.Channel)
	require.Equal(t, "192.0.2.1", got.ClientIP)

	w.get(here + "/pay")
	require.Equal(t, w.started[0], w.started[1], "a reload finds the same payment")
	w.view.Payments = []payment.Payment{{AccountID: w.channels[0].ID, Provider: "wechatpay", Method: "native", Status: payment.Closed}}
	w.get(here + "/pay")
	require.NotEqual(t, w.started[0].Key, w.started[2].Key, "a closed payment is not offered again")
}

func TestPayLinksToTheSandbox(t *testing.T) {
	w := newWorld(t, func(d *storefront.Deps) { d.SandboxURL = "http://127.0.0.1:9090/" })
	page := w.get(here + "/pay").Body.String()
	m := regexp.MustCompile(`href="(http://127\.0\.0\.1:9090/scan\?[^"]+)"`).FindStringSubmatch(page)
	require.NotNil(t, m)
	u, err := url.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
	require.NoError(t, err)
	require.Equal(t, "weixin://wxpay/bizpayurl?pr=Ab3dE5gH7k", u.Query().Get("code_url"))
	require.Equal(t, "http://example.com"+here+"/pay", u.Query().Get("return_url"))
	require.NotContains(t, m[1], token)
}

func TestPayWithSeveralChannels(t *testing.T) {
	w := newWorld(t)
	second := payment.Account{ID: id.New(), Provider: "alipay", Method: "precreate", Name: "支付宝", NameEN: "Alipay", On: true}
	w.channels = append(w.channels, second)
	require.Contains(t, w.get(here+"/pay").Body.String(), `href="`+here+`/pay?choose=1"`)
	require.Equal(t, w.channels[0].ID, w.started[0].Channel, "the first is offered, and the choice of another")
	w.started = nil
	page := w.get(here + "/pay?choose=1").Body.String()
	require.Contains(t, page, "选择付款方式")
	require.Contains(t, page, "支付宝")
	require.Empty(t, w.started, "nothing starts before a choice")

	chosen := w.post(here+"/pay", url.Values{"channel": {second.ID.String()}, "action": {"start"}})
	require.Equal(t, here+"/pay?channel="+second.ID.String(), chosen.Header().Get("Location"))
	require.Contains(t, w.get(chosen.Header().Get("Location")).Body.String(), "支付宝付款二维码")
	require.Equal(t, second.ID, w.started[0].Channel)

	w.view.Payments = []payment.Payment{{AccountID: second.ID, Provider: "alipay", Method: "precreate", Status: payment.Open}}
	require.Contains(t, w.get(here+"/pay").Body.String(), "支付宝付款二维码", "an open payment is gone on with")
	require.Contains(t, w.get(here+"/pay?choose=1").Body.String(), "选择付款方式")
	require.Contains(t, w.get(here+"/pay?channel=none").Body.String(), "选择付款方式")
	require.Equal(t, here+"/pay", w.post(here+"/pay", url.Values{"channel": {"none"}}).Header().Get("Location"))
}

// TestPayLeavesForThePlatform: a channel with a page of its own is a link that
// leaves the shop; who comes back is believed nothing, the platform is asked.
func TestPayLeavesForThePlatform(t *testing.T) {
	w := newWorld(t)
	w.channels[0].Method = "wap"
	const away = "https://openapi.alipay.com/gateway.do?sign=a%2Bb&x=1"
	w.start = func(r checkout.PayRequest) (payment.Payment, error) {
		require.Equal(t, "http://example.com"+here+"/pay?back=1&channel="+w.channels[0].ID.String(), r.ReturnURL)
		return payment.Payment{Method: "wap", Status: payment.Open, Amount: w.view.Order.Total, CodeURL: away}, nil
	}
	page := w.get(here + "/pay").Body.String()
	require.Contains(t, page, `href="`+strings.ReplaceAll(away, "&", "&amp;")+`"`)
	require.NotContains(t, page, "qr-ink")
	back := w.get(here + "/pay?back=1&trade_status=TRADE_SUCCESS&channel=" + w.channels[0].ID.String())
	require.Equal(t, http.StatusOK, back.Code)
	require.Contains(t, back.Body.String(), "正在向付款平台查询")
	require.Equal(t, order.Pending, w.view.Order.Status)
	require.Equal(t, 2, w.nudges)

	w.deliver()
	require.Equal(t, here, w.get(here+"/pay").Header().Get("Location"))
	require.Equal(t, here+"#goods", w.get(here+"/pay?back=1").Header().Get("Location"), "who comes back wants the goods")
}

// TestChannelsSuitTheDevice: the best way to pay comes first, and none that a
// page cannot take is shown.
func TestChannelsSuitTheDevice(t *testing.T) {
	const (
		android = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36"
		windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/130.0 Safari/537.36"
	)
	for userAgent, first := range map[string]string{
		android: "wap", windows: "native", android + " MicroMessenger/8.0": "native", android + " AlipayClient/10": "wap",
	} {
		w := newWorld(t)
		w.channels = nil
		for _, method := range []string{"jsapi", "page", "wap", "native", "precreate", "h5"} {
			w.channels = append(w.channels, payment.Account{ID: id.New(), Name: "by " + method, Method: method, On: true})
		}
		r := httptest.NewRequest(http.MethodGet, here+"/pay?choose=1", nil)
		r.Header.Set("User-Agent", userAgent)
		page := w.ask(visitor{"en", true}, r).Body.String()
		require.Regexp(t, `(?s)^.*?checked> <span class="option-title">by `+first+`<`, page, userAgent)
		require.NotContains(t, page, "by jsapi")
		require.Equal(t, userAgent == windows, strings.Contains(page, "by page"), userAgent)
		require.Equal(t, strings.Contains(userAgent, "MicroMessenger"), strings.Contains(page, "Open in browser"))
	}
}

func TestPayByTransfer(t *testing.T) {
	w := newWorld(t)
	p := payment.Payment{ID: id.New(), Provider: payment.Offline, Method: payment.MethodTransfer, Status: payment.Open, CodeURL: "Bank 6222\n\nP1"}
	w.start = func(checkout.PayRequest) (payment.Payment, error) { return p, nil }
	require.Equal(t, here+"/pay?channel="+w.channels[0].ID.String(), w.get(here+"/pay").Header().Get("Location"), "the order is read again")
	w.view.Payments = []payment.Payment{p}
	page := w.get(here + "/pay").Body.String()
	require.Contains(t, page, "Bank 6222")
	require.NotContains(t, page, "<svg viewBox")
	require.NotContains(t, page, `value="check"`, "there is nobody to ask")
}

func TestPayBusy(t *testing.T) {
	for name, prepare := range map[string]func(w *world){
		"platform": func(w *world) {
			w.start = func(checkout.PayRequest) (payment.Payment, error) { return payment.Payment{}, payment.ErrProviderBusy }
		},
		"no code": func(w *world) {
			w.start = func(checkout.PayRequest) (payment.Payment, error) {
				return payment.Payment{Status: payment.Creating}, nil
			}
		},
		"no channel": func(w *world) { w.channels = nil },
	} {
		w := newWorld(t)
		prepare(w)
		rec := w.do(visitor{"en", true}, http.MethodGet, here+"/pay", nil)
		require.Equal(t, http.StatusServiceUnavailable, rec.Code, name)
		require.NotEmpty(t, rec.Header().Get("Retry-After"))
		require.Contains(t, rec.Body.String(), "You have not been charged", name)
		require.Contains(t, rec.Body.String(), "2026-11-22 11:15", name)
		require.Contains(t, rec.Body.String(), `href="`+here+`/pay"`, name)
	}
}

// TestPayBusyOffersOtherChannels: only those that work, by a button.
func TestPayBusyOffersOtherChannels(t *testing.T) {
	w := newWorld(t)
	w.start = func(checkout.PayRequest) (payment.Payment, error) { return payment.Payment{}, payment.ErrProviderBusy }
	works := payment.Account{ID: id.New(), Provider: "alipay", Method: "precreate", Name: "支付宝", On: true}
	w.channels = append(w.channels, works, payment.Account{ID: id.New(), Provider: "other", Name: "坏的"})
	page := w.get(here + "/pay?channel=" + w.channels[0].ID.String()).Body.String()
	require.Contains(t, page, `name="channel" value="`+works.ID.String()+`">支付宝</button>`)
	require.NotContains(t, page, "坏的")
	require.NotContains(t, page, `value="`+w.channels[0].ID.String())
}

func TestPayMovesOn(t *testing.T) {
	w := newWorld(t)
	w.start = func(checkout.PayRequest) (payment.Payment, error) {
		return payment.Payment{}, errs.New(errs.Conflict, "order_not_payable", "x")
	}
	require.Equal(t, here, w.get(here+"/pay").Header().Get("Location"))
	w.start = func(checkout.PayRequest) (payment.Payment, error) { return payment.Payment{Status: payment.Paid}, nil }
	require.Equal(t, here, w.get(here+"/pay").Header().Get("Location"))
	w.start = func(checkout.PayRequest) (payment.Payment, error) {
		return payment.Payment{}, errs.New(errs.Conflict, "too_many_payments", "x")
	}
	require.Contains(t, w.get(here+"/pay").Body.String(), "付款次数过多")

	w = newWorld(t)
	require.Equal(t, here+"/pay?checked=1", w.post(here+"/pay", url.Values{"action": {"check"}}).Header().Get("Location"))
	require.Equal(t, 1, w.nudges)
	require.Contains(t, w.get(here+"/pay?checked=1").Body.String(), "还没有收到付款结果")
	w.deliver()
	require.Equal(t, here, w.post(here+"/pay", url.Values{"action": {"check"}}).Header().Get("Location"))
	require.Equal(t, here, w.get(here+"/pay").Header().Get("Location"))
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	ask := func() (rec *httptest.ResponseRecorder, answer map[string]any) {
		rec = w.get(here + "/status")
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &answer))
		return rec, answer
	}
	rec, answer := ask()
	require.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
	require.Equal(t, map[string]any{"status": "pending", "waiting": true, "expires_in": 900.0, "next": here}, answer)
	require.Equal(t, 1, w.nudges)
	w.now.Advance(20 * time.Minute)
	_, answer = ask()
	require.InDelta(t, 0, answer["expires_in"], 0)
	w.deliver()
	_, answer = ask()
	require.Equal(t, false, answer["waiting"])
	require.Equal(t, 2, w.nudges, "a paid order needs no question")

	stranger := w.do(visitor{}, http.MethodGet, here+"/status", nil)
	require.Equal(t, http.StatusNotFound, stranger.Code)
	require.Equal(t, "application/problem+json", stranger.Header().Get("Content-Type"))
}

func TestKeysComeByPostOnly(t *testing.T) {
	w := newWorld(t)
	w.deliver()
	for _, target := range []string{here, here + "/pay", here + "/status", "/lookup", "/"} {
		require.NotContains(t, w.get(target).Body.String(), secret, target)
	}
	require.Equal(t, http.StatusMethodNotAllowed, w.get(here+"/reveal").Code)
	require.Contains(t, w.get(here).Body.String(), `action="`+here+`/reveal" method="post"`)

	rec := w.post(here+"/reveal", nil)
	require.Equal(t, http.StatusOK, rec.Code)
	require.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
	page := rec.Body.String()
	require.Contains(t, page, `<code id="good-1" class="key-text" data-good>`+secret+`</code>`)
	require.Contains(t, page, secret+"-2")
	require.Contains(t, page, "第一步\n第二步 &lt;b&gt;&amp;")
	require.Equal(t, 6, strings.Count(page, "data-copy=\""), "each good, all goods, both codes")
	require.NotContains(t, w.logs.String(), secret)
	require.NotContains(t, w.logs.String(), token)

	w.revealGoods = func() ([]checkout.Revealed, error) { return nil, errs.New(errs.Conflict, "not_delivered", "x") }
	require.Equal(t, here, w.post(here+"/reveal", nil).Header().Get("Location"))
	w.revealGoods = func() ([]checkout.Revealed, error) { return nil, errs.New(errs.Integrity, "sealed", secret) }
	broken := w.post(here+"/reveal", nil)
	require.Equal(t, http.StatusInternalServerError, broken.Code)
	require.NotContains(t, broken.Body.String(), secret)
}

func TestOrderPage(t *testing.T) {
	w := newWorld(t)
	pending := w.get(here)
	require.Equal(t, "no-store", pending.Header().Get("Cache-Control"))
	for _, want := range []string{"等待付款", "去付款 ¥39.98", orderNo, token, "确认取消订单", "月卡 · 30 天"} {
		require.Contains(t, pending.Body.String(), want)
	}
	require.NotContains(t, pending.Body.String(), "显示卡密")
	w.now.Advance(time.Hour)
	require.NotContains(t, w.get(here).Body.String(), "去付款", "the time to pay is over")

	w.view.Order.Status, w.view.Lines[0].Delivered = order.Paid, 1
	paid := w.get(here).Body.String()
	require.Contains(t, paid, "等待发货")
	require.Contains(t, paid, "显示卡密")
	require.Contains(t, paid, "其余商品由店家人工处理")
	require.NotContains(t, paid, "确认取消订单")

	w.view.Order.Status = order.Refunded
	w.view.Refunds = []payment.Refund{
		{Amount: money.Of(1000, money.CNY), Status: payment.RefundDone}, {Amount: money.Of(500, money.CNY), Status: payment.RefundPending},
	}
	require.Contains(t, w.get(here).Body.String(), "¥10.00")
}

func TestStrangersLearnNothing(t *testing.T) {
	w := newWorld(t)
	w.deliver()
	w.looked = func() { require.Fail(t, "an impossible number or token reached the orders") }
	for _, no := range []string{"x", strings.Repeat("A", 40), "2026112201234567%2F..", "202611220123456789abcdef"} {
		r := httptest.NewRequest(http.MethodGet, "/orders/"+no, nil)
		r.AddCookie(&http.Cookie{Name: "order_x", Value: token})
		r.Header.Add("Cookie", "order_"+strings.Repeat("A", 40)+"="+token+"; order_202611220123456789abcdef="+token)
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		require.Equal(t, http.StatusNotFound, rec.Code, no)
	}
	w.looked = nil
	targets := []string{here, here + "/pay", "/orders/20261122ZZZZZZZZZZZZZZZZ", "/orders/x", "/orders/" + strings.Repeat("A", 40)}
	for _, target := range targets {
		for _, cookie := range []string{"", "wrong", "bad value;", strings.Repeat("a", 500)} {
			r := httptest.NewRequest(http.MethodGet, target, nil)
			r.Header.Set("Cookie", "order_"+orderNo+"="+cookie)
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, r)
			require.Equal(t, http.StatusNotFound, rec.Code, target)
			require.Contains(t, rec.Body.String(), `action="/lookup"`)
			require.NotContains(t, rec.Body.String(), "39.98")
		}
	}
	for _, target := range []string{here + "/reveal", here + "/cancel", here + "/pay"} {
		rec := w.do(visitor{}, http.MethodPost, target, url.Values{})
		require.Equal(t, http.StatusNotFound, rec.Code, target)
		require.NotContains(t, rec.Body.String(), secret)
	}
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	require.Equal(t, here, w.post(here+"/cancel", nil).Header().Get("Location"))
	w.cancelOrder = func() error { return order.ErrMove }
	require.Equal(t, here, w.post(here+"/cancel", nil).Header().Get("Location"), "the order's page tells what happened")
	w.cancelOrder = func() error { return errs.New(errs.Unavailable, "overloaded", "x") }
	require.Equal(t, http.StatusServiceUnavailable, w.post(here+"/cancel", nil).Code)
}

func TestLookup(t *testing.T) {
	w := newWorld(t)
	ok := w.do(visitor{}, http.MethodPost, "/lookup", url.Values{"order_no": {" " + strings.ToLower(orderNo)}, "token": {token + " "}})
	require.Equal(t, http.StatusSeeOther, ok.Code)
	require.Equal(t, here, ok.Header().Get("Location"))
	cookies := ok.Result().Cookies()
	require.Len(t, cookies, 1)
	require.Equal(t, here, cookies[0].Path)
	require.Equal(t, token, cookies[0].Value)

	for name, form := range map[string]url.Values{
		"empty": {}, "wrong code": {"order_no": {orderNo}, "token": {"wrong"}}, "wrong number": {"order_no": {"20261122AAAA"}, "token": {token}},
		"path": {"order_no": {"../../etc"}, "token": {token}}, "long": {"order_no": {strings.Repeat("A", 5000)}, "token": {strings.Repeat("a", 5000)}},
	} {
		rec := w.do(visitor{lang: "en"}, http.MethodPost, "/lookup", form)
		require.Equal(t, http.StatusNotFound, rec.Code, name)
		require.Contains(t, rec.Body.String(), "do not belong together", name)
		require.Empty(t, rec.Result().Cookies(), name)
		if sent := form.Get("token"); sent != "" {
			require.NotContains(t, rec.Body.String(), `value="`+sent, name+": the code is not sent back")
		}
	}
	require.Equal(t, http.StatusOK, w.get("/lookup").Code)
}
