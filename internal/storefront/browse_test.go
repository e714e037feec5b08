package storefront_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/cache"
	"panshi/internal/catalog"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/storefront"
	"panshi/internal/web"
)

func TestHomeShowsTheShop(t *testing.T) {
	w := newWorld(t)
	page := w.do(visitor{lang: "zh-CN"}, http.MethodGet, "/", nil)
	require.Equal(t, http.StatusOK, page.Code)
	for _, want := range []string{
		"岩下数码", "付款即发，随时可查", "本店为演示。", "游戏点卡", `href="/c/games"`, "星野漫游 会员月卡", `href="/p/monthly"`,
		"¥19.99 起", "¥9.90", "仅剩 6 件", "售罄", "有货",
	} {
		require.Contains(t, page.Body.String(), want)
	}
	require.Equal(t, "private, no-cache", page.Header().Get("Cache-Control"))
	require.Equal(t, "zh-CN", page.Header().Get("Content-Language"))

	english := w.do(visitor{lang: "en-GB"}, http.MethodGet, "/", nil).Body.String()
	for _, want := range []string{"Underrock Digital", "Delivered the moment you pay", "Game cards", "from ¥19.99", "Only 6 left", "Sold out"} {
		require.Contains(t, english, want)
	}
	require.NotContains(t, strings.ReplaceAll(english, ">中文<", ""), "文", "the English page is English")
}

func TestListsPageByCursor(t *testing.T) {
	w := newWorld(t)
	w.list = func(q catalog.ListQuery) (catalog.Page, error) {
		return catalog.Page{Items: w.products, Next: "bmV4dA"}, nil
	}
	require.Contains(t, w.get("/").Body.String(), `href="/?cursor=bmV4dA"`)
	require.Contains(t, w.get("/search?q=a%26b&cursor=old&lang=en").Body.String(), `href="/search?cursor=bmV4dA&amp;q=a%26b"`)
	require.Contains(t, w.get("/c/games?cursor=abc").Body.String(), `href="/c/games?cursor=bmV4dA"`)
	require.Equal(t, catalog.ListQuery{Category: "games", Cursor: "abc", Limit: 20}, w.lists[2])
	require.Equal(t, catalog.ListQuery{Text: "a&b", Cursor: "old", Limit: 20}, w.lists[1])

	w.list = func(catalog.ListQuery) (catalog.Page, error) {
		return catalog.Page{}, errs.Field("cursor", "invalid_cursor", "x")
	}
	bad := w.get("/?cursor=zzz")
	require.Equal(t, http.StatusUnprocessableEntity, bad.Code)
	require.Contains(t, bad.Body.String(), "<h1>")
}

func TestOnlyTheFirstPicturesLoadAtOnce(t *testing.T) {
	w := newWorld(t)
	for i := range w.products {
		w.products[i].Image = "/media/demo/x.svg"
	}
	page := w.get("/").Body.String()
	require.Equal(t, 5, strings.Count(page, `src="/media/demo/x.svg"`))
	require.Equal(t, 1, strings.Count(page, `loading="lazy"`))
}

func TestSearch(t *testing.T) {
	w := newWorld(t)
	page := w.get("/search?q=%3Cscript%3Ealert(1)%3C/script%3E").Body.String()
	require.NotContains(t, page, "<script>alert")
	require.Contains(t, page, "&lt;script&gt;alert(1)&lt;/script&gt;")
	w.list = func(q catalog.ListQuery) (catalog.Page, error) {
		if len(q.Text) > 200 {
			return catalog.Page{}, errs.Field("q", "too_long", "x")
		}
		return catalog.Page{}, nil
	}
	require.Contains(t, w.get("/search?q=none").Body.String(), "没有找到相符的商品")
	long := w.get("/search?q=" + strings.Repeat("a", 300))
	require.Equal(t, http.StatusUnprocessableEntity, long.Code)
	require.Contains(t, long.Body.String(), "搜索内容太长")
}

func TestProductCanBeBoughtWithoutScripts(t *testing.T) {
	w := newWorld(t)
	w.products[0].PerOrderLimit, w.products[0].PerContactLimit = 5, 3
	w.products[0].SKUs[0].Available = 0
	page := w.get("/p/monthly").Body.String()
	require.Contains(t, page, `<form class="buy" action="/checkout" method="get">`)
	require.Contains(t, page, `max="3"`)
	require.Regexp(t, `value="`+w.products[0].SKUs[0].ID.String()+`" required disabled>`, page)
	require.Regexp(t, `value="`+w.products[0].SKUs[1].ID.String()+`" required checked>`, page)
	for _, want := range []string{"最多 5 件", "最多 3 件", "第一段说明。", "第二段说明。", "付款后立即自动发货", `href="/c/games"`} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, w.get("/p/gone").Body.String(), "立即购买")
	require.Contains(t, w.get("/p/service").Body.String(), "人工处理")
}

func TestWhatIsNotThereIsAPage(t *testing.T) {
	w := newWorld(t)
	w.products[1].On = false
	for _, target := range []string{"/p/none", "/p/coins", "/c/none", "/nothing", "/orders", "/assets/none.css"} {
		for lang, want := range map[string]string{"zh-CN": "没有找到", "en": "Not found"} {
			page := w.do(visitor{lang: lang}, http.MethodGet, target, nil)
			require.Equal(t, http.StatusNotFound, page.Code, target)
			require.Contains(t, page.Body.String(), "<h1>"+want+"</h1>", target)
			require.Equal(t, "text/html; charset=utf-8", page.Header().Get("Content-Type"))
		}
	}
	method := w.do(visitor{}, http.MethodDelete, "/p/monthly", nil)
	require.Equal(t, http.StatusMethodNotAllowed, method.Code)
	require.Contains(t, method.Body.String(), "不能这样打开")
}

func TestFaultsTellTheRequestNumberOnly(t *testing.T) {
	w := newWorld(t)
	w.list = func(catalog.ListQuery) (catalog.Page, error) { panic("cause-in-the-log") }
	page := w.get("/")
	require.Equal(t, http.StatusInternalServerError, page.Code)
	require.Contains(t, page.Body.String(), page.Header().Get("X-Request-Id"))
	require.Contains(t, page.Body.String(), "我们这边出错了")
	require.NotContains(t, page.Body.String(), "cause-in-the-log")
	require.Contains(t, w.logs.String(), "cause-in-the-log")

	w.list = func(catalog.ListQuery) (catalog.Page, error) {
		return catalog.Page{}, errs.New(errs.Unavailable, "overloaded", "x")
	}
	busy := w.get("/c/games?lang=en")
	require.Equal(t, http.StatusServiceUnavailable, busy.Code)
	require.NotEmpty(t, busy.Header().Get("Retry-After"))
	require.Contains(t, busy.Body.String(), "The shop is busy")
}

func TestTryingAgainStaysInTheShop(t *testing.T) {
	w := newWorld(t)
	fault := func(target string) string {
		rec := httptest.NewRecorder()
		w.shop.Fail(rec, httptest.NewRequest(http.MethodGet, target, nil), errs.New(errs.TooMany, "rate_limited", "x"))
		return rec.Body.String()
	}
	require.Contains(t, fault("/c/games?cursor=1"), `href="/c/games?cursor=1"`)
	require.NotContains(t, fault("http://shop.test//evil.example/x"), `href="//evil.example`)
}

func TestAClosedShopSellsNothing(t *testing.T) {
	w := newWorld(t)
	w.merchant.Open = false
	for _, target := range []string{"/", "/p/monthly", "/checkout"} {
		require.Equal(t, http.StatusServiceUnavailable, w.get(target).Code, target)
	}
	require.Equal(t, http.StatusServiceUnavailable, w.post("/checkout", buyForm(w, "a@example.com", "1")).Code)
	require.Empty(t, w.placed)
	require.Equal(t, http.StatusOK, w.get("/orders/"+orderNo).Code, "orders stay reachable")
}

func TestLanguage(t *testing.T) {
	w := newWorld(t)
	asked := w.do(visitor{lang: "zh-CN"}, http.MethodGet, "/?lang=en", nil)
	require.Contains(t, asked.Body.String(), "All goods")
	cookie := asked.Result().Cookies()[0]
	require.Equal(t, "lang", cookie.Name)
	require.Equal(t, "en", cookie.Value)
	require.True(t, cookie.HttpOnly)
	require.False(t, cookie.Secure)
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)

	r := httptest.NewRequest(http.MethodGet, "/nothing", nil)
	r.Header.Set("Accept-Language", "zh-CN")
	r.AddCookie(cookie)
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	require.Contains(t, rec.Body.String(), "Not found", "error pages follow the cookie")

	for back, want := range map[string]string{
		"/p/monthly?x=1": "/p/monthly?x=1", "//evil.example/": "/", "https://evil.example/": "/", "/\\evil.example": "/", "": "/",
		"/a\r\nSet-Cookie: x=1": "/", "javascript:alert(1)": "/",
	} {
		to := w.do(visitor{}, http.MethodGet, "/lang?to=en&back="+url.QueryEscape(back), nil)
		require.Equal(t, http.StatusSeeOther, to.Code)
		require.Equal(t, want, to.Header().Get("Location"), back)
		require.Len(t, to.Result().Cookies(), 1)
	}
	require.Empty(t, w.do(visitor{}, http.MethodGet, "/lang?to=fr&back=/", nil).Result().Cookies())
	require.NotContains(t, w.get("/?lang=fr").Header(), "Set-Cookie")
}

func TestMalformedInput(t *testing.T) {
	w := newWorld(t)
	for _, target := range []string{"/search?q=%zz", "/search?q=%ff", "/?cursor=%00", "/checkout?sku=%ff"} {
		page := w.get(target)
		require.Equal(t, http.StatusBadRequest, page.Code, target)
		require.Contains(t, page.Body.String(), "内容有误")
	}
}

func TestSecurityHeaders(t *testing.T) {
	w := newWorld(t)
	for _, target := range []string{"/", "/nothing", "/orders/" + orderNo, "/lookup", "/checkout"} {
		h := w.get(target).Header()
		csp := h.Get("Content-Security-Policy")
		require.Contains(t, csp, "default-src 'none'", target)
		require.Contains(t, csp, "frame-ancestors 'none'")
		require.NotContains(t, csp, "unsafe")
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
	}
	evil := httptest.NewRequest(http.MethodPost, "/checkout", strings.NewReader(buyForm(w, "a@example.com", "1").Encode()))
	evil.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	evil.Header.Set("Sec-Fetch-Site", "cross-site")
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, evil)
	require.Equal(t, http.StatusForbidden, rec.Code)
	require.Contains(t, rec.Body.String(), "请求被拒绝")
	require.Empty(t, w.placed)
}

func TestAssets(t *testing.T) {
	w := newWorld(t)
	page := w.get("/orders/" + orderNo + "/pay").Body.String()
	for _, u := range regexp.MustCompile(`/assets/[^"]+`).FindAllString(page, -1) {
		plain := w.get(u)
		require.Equal(t, http.StatusOK, plain.Code, u)
		require.Equal(t, "public, max-age=31536000, immutable", plain.Header().Get("Cache-Control"))
		if strings.HasSuffix(u, ".js") {
			require.Equal(t, "text/javascript; charset=utf-8", plain.Header().Get("Content-Type"))
		}
		r := httptest.NewRequest(http.MethodGet, u, nil)
		r.Header.Set("Accept-Encoding", "gzip, br")
		packed := httptest.NewRecorder()
		w.handler.ServeHTTP(packed, r)
		require.Equal(t, "gzip", packed.Header().Get("Content-Encoding"))
		require.Less(t, packed.Body.Len(), plain.Body.Len())
	}
}

func TestRoutesNameEverything(t *testing.T) {
	texts, err := i18n.Load()
	require.NoError(t, err)
	shop, err := storefront.New(storefront.Deps{Texts: texts, Ready: cache.None[*web.Ready]()})
	require.NoError(t, err)
	require.Len(t, shop.Routes(), 19)
}
