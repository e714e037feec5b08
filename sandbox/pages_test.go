package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// browse gets a page in a language without following redirects.
func (r *rig) browse(method, path, language string, form url.Values) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(form.Encode()))
	require.NoError(r.t, err)
	req.Header.Set("Accept-Language", language)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return reply{status: resp.StatusCode, header: resp.Header, raw: raw}
}

func TestScanAndPay(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	code := s.order("ORDER0001", map[string]any{"description": `<script>alert("x")</script>`})
	back := "http://127.0.0.1:8080/orders/1?token=abc"
	page := r.browse("GET", "/scan?"+url.Values{"code_url": {code}, "return_url": {back}}.Encode(), "en", nil)
	require.Equal(t, 200, page.status)
	html := string(page.raw)
	require.Contains(t, html, "¥12.34")
	require.Contains(t, html, "no real money")
	require.NotContains(t, html, "<script")
	require.NotContains(t, html, "style=")
	require.Contains(t, html, back)
	require.Contains(t, page.header.Get("Content-Security-Policy"), "default-src 'self'")

	token := regexp.MustCompile(`name="pr" value="([^"]+)"`).FindStringSubmatch(html)[1]
	form := url.Values{"pr": {token}, "return_url": {back}, "lang": {"en"}}
	for range 2 { // a second press of the button is harmless
		paid := r.browse("POST", "/scan", "en", form)
		require.Equal(t, 303, paid.status)
		receipt := r.browse("GET", paid.header.Get("Location"), "zh-CN", nil)
		require.Equal(t, 200, receipt.status)
		require.Contains(t, string(receipt.raw), "<h1>Paid</h1>", "lang wins over Accept-Language")
		require.Contains(t, string(receipt.raw), `href="`+back+`"`)
	}
	require.Equal(t, "SUCCESS", s.state("ORDER0001"))
}

// TestH5LeadsBack: a shop says in the page's address, in WeChat Pay's way, where
// its buyer goes afterwards.
func TestH5LeadsBack(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	got := s.call("POST", "/v3/pay/transactions/h5", s.nativeBody("ORDER0001", map[string]any{
		"scene_info": map[string]any{"payer_client_ip": "127.0.0.1", "h5_info": map[string]any{"type": "Wap"}},
	}))
	require.Equal(t, 200, got.status, "%s", got.raw)
	to, back := strings.TrimPrefix(got.body["h5_url"].(string), r.url), "http://127.0.0.1:8080/orders/1"
	page := r.browse("GET", to+"&redirect_url="+url.QueryEscape(back), "en", nil)
	require.Equal(t, 200, page.status)
	form := url.Values{}
	for _, field := range regexp.MustCompile(`name="([a-z_]+)" value="([^"]+)"`).FindAllStringSubmatch(string(page.raw), -1) {
		form.Set(field[1], field[2])
	}
	require.Equal(t, back, form.Get("return_url"))
	receipt := r.browse("GET", r.browse("POST", "/scan", "en", form).header.Get("Location"), "en", nil)
	require.Contains(t, string(receipt.raw), `href="`+back+`"`)
	evil := r.browse("GET", to+"&redirect_url="+url.QueryEscape("javascript:alert(1)"), "en", nil)
	require.NotContains(t, string(evil.raw), "javascript:")
}

func TestScanProblems(t *testing.T) {
	r := newRig(t, nil)
	s := r.shop("demo")
	code := s.order("ORDER0001", nil)
	s.call("POST", "/v3/pay/transactions/out-trade-no/ORDER0001/close", `{"mchid":"`+s.id.MchID+`"}`)
	closed := r.browse("GET", "/scan?code_url="+url.QueryEscape(code), "zh-CN", nil)
	require.Equal(t, 410, closed.status)
	require.Contains(t, string(closed.raw), "订单已关闭")
	require.Equal(t, 400, r.browse("POST", "/scan", "en", url.Values{"pr": {tokenOf(code)}}).status)
	require.Equal(t, 404, r.browse("GET", "/scan", "en", nil).status)
	require.Equal(t, 404, r.browse("GET", "/scan?pr=unknown", "en", nil).status)
	require.Equal(t, 404, r.browse("POST", "/scan", "en", url.Values{"pr": {"unknown&x"}}).status)
	require.Equal(t, 404, r.browse("GET", "/nowhere", "en", nil).status)

	s.order("ORDER0002", nil)
	open := r.dev("GET", "/simulate/trades/ORDER0002", "").body["code_url"].(string)
	for _, evil := range []string{"javascript:alert(1)", "data:text/html,x", "//evil.example", "/relative"} {
		page := r.browse("GET", "/scan?"+url.Values{"code_url": {open}, "return_url": {evil}}.Encode(), "en", nil)
		require.Equal(t, 200, page.status)
		require.NotContains(t, string(page.raw), evil+`"`)
	}
}

func TestOrdersPage(t *testing.T) {
	r := newRig(t, nil)
	r.shop("demo")
	require.Contains(t, string(r.browse("GET", "/", "en-GB,en;q=0.9", nil).raw), "No order waits")
	for i := range 45 {
		r.plant(fmt.Sprintf("ORDER%04d", i))
	}
	r.pay("ORDER0044")
	first := string(r.browse("GET", "/", "zh-CN,zh;q=0.9,en;q=0.8", nil).raw)
	require.Contains(t, first, "待支付订单")
	require.Contains(t, first, `lang="zh-CN"`)
	require.NotContains(t, first, "ORDER0044", "paid")
	require.Contains(t, first, "ORDER0043")
	require.Equal(t, 20, strings.Count(first, "<li "))
	require.NotContains(t, first, `rel="prev"`)
	last := string(r.browse("GET", "/?page=3&lang=en", "zh-CN", nil).raw)
	require.Equal(t, 4, strings.Count(last, "<li "))
	require.NotContains(t, last, `rel="next"`)
	require.Contains(t, last, "Open orders")
	require.Equal(t, 200, r.browse("GET", "/?page=x", "en", nil).status)
	css := r.browse("GET", "/assets/sandbox.css", "en", nil)
	require.Equal(t, 200, css.status)
	require.Contains(t, css.header.Get("Content-Type"), "text/css")
}

func TestCataloguesAreComplete(t *testing.T) {
	set, err := loadPages()
	require.NoError(t, err)
	for key, text := range set.texts[langChinese] {
		require.NotEmpty(t, text)
		require.NotEmpty(t, set.texts[langEnglish][key], key)
	}
	require.Len(t, set.texts[langEnglish], len(set.texts[langChinese]))
}

func TestChooseLanguage(t *testing.T) {
	for header, want := range map[string]string{
		"": "zh-CN", "en": "en", "en-US,zh;q=0.5": "en", "zh-TW": "zh-CN", "fr,en;q=0.2": "en", "en;q=0.1,zh;q=0.9": "zh-CN",
		"en;q=x": "zh-CN", ";;,,q=": "zh-CN", "fr": "zh-CN",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/", nil)
		require.NoError(t, err)
		req.Header.Set("Accept-Language", header)
		got, forced := chooseLanguage(req)
		require.Equal(t, want, got, header)
		require.Empty(t, forced)
	}
}
