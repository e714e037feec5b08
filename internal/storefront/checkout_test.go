package storefront_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/stock"
	"panshi/internal/storefront"
)

func lineForm(w *world, quantity string) url.Values {
	return url.Values{"product": {"monthly"}, "sku": {w.products[0].SKUs[0].ID.String()}, "quantity": {quantity}}
}

// buyForm is the checkout form as a browser sends it.
func buyForm(w *world, contact, quantity string) url.Values {
	f := lineForm(w, quantity)
	f.Set("contact", contact)
	f.Set("key", "KEY-OF-THE-FORM")
	n, _ := strconv.ParseInt(quantity, 10, 64)
	f.Set("total", strconv.FormatInt(1999*n, 10))
	return f
}

func field(page, name string) string {
	m := regexp.MustCompile(`name="` + name + `"[^>]*value="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return m[1]
}

func TestCheckoutShowsWhatIsBought(t *testing.T) {
	w := newWorld(t)
	first := w.get("/checkout?" + lineForm(w, "3").Encode())
	require.Equal(t, http.StatusOK, first.Code)
	require.Equal(t, "no-store", first.Header().Get("Cache-Control"))
	page := first.Body.String()
	require.Contains(t, page, "星野漫游 会员月卡 · 30 天")
	require.Contains(t, page, "¥59.97")
	require.Equal(t, "5997", field(page, "total"))
	key := field(page, "key")
	require.GreaterOrEqual(t, len(key), 20)
	require.NotEqual(t, key, field(w.get("/checkout?"+lineForm(w, "3").Encode()).Body.String(), "key"), "every form has its own key")
}

func TestPlaceLeadsToPayment(t *testing.T) {
	w := newWorld(t)
	for contact, want := range map[string]order.Contact{
		" Buyer@Example.com ": {Kind: order.Email, Value: "buyer@example.com"}, "138 0013 8000": {Kind: order.Phone, Value: "13800138000"},
	} {
		w.placed = nil
		rec := w.do(visitor{lang: "en"}, http.MethodPost, "/checkout", buyForm(w, contact, "2"))
		require.Equal(t, http.StatusSeeOther, rec.Code, rec.Body)
		require.Equal(t, "/orders/"+orderNo+"/pay", rec.Header().Get("Location"))
		require.Len(t, w.placed, 1)
		got := w.placed[0]
		require.Equal(t, "KEY-OF-THE-FORM", got.Key)
		require.Equal(t, []checkout.PlaceLine{{SKUID: w.products[0].SKUs[0].ID, Quantity: 2}}, got.Lines)
		require.Equal(t, want, got.Contact)
		require.Equal(t, "en", got.Lang)
		require.Equal(t, w.merchant.ID, got.MerchantID)
		require.Len(t, got.BodyDigest, 32)
	}
}

func TestTheTokenLivesInTheOrdersCookie(t *testing.T) {
	for _, public := range []string{"http://127.0.0.1:8080", "https://shop.example"} {
		w := newWorld(t, func(d *storefront.Deps) { d.PublicURL = public })
		rec := w.post("/checkout", buyForm(w, "a@example.com", "1"))
		cookies := rec.Result().Cookies()
		require.Len(t, cookies, 1)
		c := cookies[0]
		require.Equal(t, "order_"+orderNo, c.Name)
		require.Equal(t, token, c.Value)
		require.Equal(t, "/orders/"+orderNo, c.Path)
		require.True(t, c.HttpOnly)
		require.Equal(t, http.SameSiteLaxMode, c.SameSite)
		require.Equal(t, 30*24*3600, c.MaxAge)
		require.Equal(t, strings.HasPrefix(public, "https"), c.Secure)
		require.NotContains(t, rec.Header().Get("Location"), token)
		require.NotContains(t, w.logs.String(), token)
		require.NotContains(t, w.logs.String(), "a@example.com")
	}
}

func TestTheDigestIsWhatTheRequestMeans(t *testing.T) {
	w := newWorld(t)
	send := func(f url.Values) string {
		w.placed = nil
		require.Equal(t, http.StatusSeeOther, w.post("/checkout", f).Code)
		return string(w.placed[0].BodyDigest)
	}
	first := send(buyForm(w, "a@example.com", "1"))
	require.Equal(t, first, send(buyForm(w, " A@example.com", "1")))
	require.NotEqual(t, first, send(buyForm(w, "b@example.com", "1")))
	require.NotEqual(t, first, send(buyForm(w, "a@example.com", "2")))
}

func TestBadCheckoutInput(t *testing.T) {
	w := newWorld(t)
	sku := w.products[0].SKUs[0].ID.String()
	many := url.Values{}
	for range 51 {
		many.Add("product", "monthly")
		many.Add("sku", sku)
		many.Add("quantity", "1")
	}
	for name, c := range map[string]struct {
		form   url.Values
		status int
		text   string
	}{
		"nothing":        {url.Values{}, 422, "还没有选择要买的商品"},
		"no option":      {url.Values{"product": {"monthly"}, "quantity": {"1"}}, 422, "还没有选择要买的商品"},
		"not an id":      {url.Values{"product": {"monthly"}, "sku": {"1"}, "quantity": {"1"}}, 422, "还没有选择要买的商品"},
		"other option":   {url.Values{"product": {"coins"}, "sku": {sku}, "quantity": {"1"}}, 404, "没有这个规格"},
		"unknown option": {url.Values{"product": {"monthly"}, "sku": {id.New().String()}, "quantity": {"1"}}, 404, "没有这个规格"},
		"no product":     {url.Values{"product": {"none"}, "sku": {sku}, "quantity": {"1"}}, 404, "没有找到"},
		"too many lines": {many, 422, "内容有误"},
		"zero":           {buyForm(w, "a@example.com", "0"), 422, "请填 1 到"},
		"words":          {buyForm(w, "a@example.com", "two"), 422, "请填 1 到"},
		"too much":       {buyForm(w, "a@example.com", "1000"), 422, "请填 1 到"},
		"overflow":       {buyForm(w, "a@example.com", "99999999999999999999"), 422, "请填 1 到"},
		"no contact":     {buyForm(w, "", "1"), 422, `id="contact-problem"`},
		"bad address":    {buyForm(w, "nobody@", "1"), 422, `id="contact-problem"`},
		"bad phone":      {buyForm(w, "12345", "1"), 422, `id="contact-problem"`},
		"long contact":   {buyForm(w, strings.Repeat("a", 250)+"@example.com", "1"), 422, `id="contact-problem"`},
		"NUL":            {buyForm(w, "a\x00@example.com", "1"), 400, "内容有误"},
		"not UTF-8":      {buyForm(w, "\xff@example.com", "1"), 400, "内容有误"},
	} {
		rec := w.post("/checkout", c.form)
		require.Equal(t, c.status, rec.Code, name)
		require.Contains(t, rec.Body.String(), c.text, name)
	}
	require.Empty(t, w.placed)
	require.NotContains(t, w.logs.String(), "example.com")
}

func TestTheFormKeepsWhatWasTyped(t *testing.T) {
	w := newWorld(t)
	page := w.post("/checkout", buyForm(w, `nobody@"><script>`, "2")).Body.String()
	require.Contains(t, page, `value="nobody@&#34;&gt;&lt;script&gt;"`)
	require.Equal(t, "KEY-OF-THE-FORM", field(page, "key"))
	require.Contains(t, page, `aria-invalid="true"`)
	require.NotContains(t, field(page, "back"), "nobody")
}

func TestAChangedTotalIsShownBeforeItIsOrdered(t *testing.T) {
	w := newWorld(t)
	f := buyForm(w, "a@example.com", "2")
	f.Set("total", "100")
	page := w.post("/checkout", f).Body.String()
	require.Empty(t, w.placed)
	require.Contains(t, page, "合计现在是 ¥39.98")
	f.Set("total", field(page, "total"))
	require.Equal(t, http.StatusSeeOther, w.post("/checkout", f).Code)
}

func TestPlaceFailuresAreClear(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		text   string
		newKey bool
	}{
		"sold out":      {stock.ErrSoldOut, 409, "来晚一步，已经售罄", false},
		"limit":         {errs.New(errs.Conflict, "contact_limit", "x"), 409, "限购", false},
		"unpaid":        {errs.New(errs.Conflict, "unpaid_limit", "x"), 409, "未付款", false},
		"used form":     {errs.New(errs.Conflict, "idempotency_conflict", "x"), 409, "已经下过单", true},
		"line":          {errs.Field("lines[0].quantity", "out_of_range", "x"), 422, `id="quantity-0-problem"`, false},
		"strange line":  {errs.Field("lines[7].quantity", "out_of_range", "x"), 422, "内容有误", false},
		"contact":       {errs.Field("contact.email", "invalid_email", "x"), 422, `id="contact-problem"`, false},
		"off sale":      {errs.New(errs.Conflict, "sku_off_sale", "x"), 409, "现在不能这样做", false},
		"busy database": {errs.New(errs.Unavailable, "overloaded", "x"), 503, "现在人有点多", false},
		"fault":         {errs.New(errs.Internal, "x", "x"), 500, "我们这边出错了", false},
	} {
		w := newWorld(t)
		w.place = func(checkout.PlaceRequest) (checkout.Placed, error) { return checkout.Placed{}, c.err }
		rec := w.post("/checkout", buyForm(w, "a@example.com", "1"))
		require.Equal(t, c.status, rec.Code, name)
		require.Contains(t, rec.Body.String(), c.text, name)
		require.Empty(t, rec.Result().Cookies(), name)
		if c.newKey {
			require.NotEqual(t, "KEY-OF-THE-FORM", field(rec.Body.String(), "key"))
		}
	}
}

func TestSoldOutLeadsBack(t *testing.T) {
	w := newWorld(t)
	w.place = func(checkout.PlaceRequest) (checkout.Placed, error) { return checkout.Placed{}, stock.ErrSoldOut }
	page := w.do(visitor{lang: "en"}, http.MethodPost, "/checkout", buyForm(w, "a@example.com", "1")).Body.String()
	require.Contains(t, page, "nothing was charged")
	require.Contains(t, page, `href="/p/monthly"`)
}

func FuzzCheckoutForm(f *testing.F) {
	f.Add("product=monthly&sku=01a20160-e95d-7004-947f-0dfed612f2de&quantity=1&contact=a%40example.com&key=k&total=1")
	f.Add("sku=&sku=&quantity=-1&product=%00")
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequest(http.MethodPost, "/checkout", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		require.Less(t, rec.Code, 500, body)
	})
}
