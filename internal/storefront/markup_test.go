package storefront_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/order"
	"panshi/internal/payment"
	"panshi/internal/stock"
)

// everyPage draws each page of the shop once.
func everyPage() map[string]func(w *world, lang string) string {
	get := func(target string, prepare ...func(w *world)) func(*world, string) string {
		return func(w *world, lang string) string {
			for _, p := range prepare {
				p(w)
			}
			return w.do(visitor{lang, true}, http.MethodGet, target, nil).Body.String()
		}
	}
	post := func(target string, form func(w *world) url.Values, prepare ...func(w *world)) func(*world, string) string {
		return func(w *world, lang string) string {
			for _, p := range prepare {
				p(w)
			}
			return w.do(visitor{lang, true}, http.MethodPost, target, form(w)).Body.String()
		}
	}
	none := func(*world) url.Values { return url.Values{} }
	status := func(s order.Status) func(*world) { return func(w *world) { w.view.Order.Status = s } }
	here := "/orders/" + orderNo
	return map[string]func(*world, string) string{
		"home": get("/"), "category": get("/c/games"), "search": get("/search?q=%3Cb%3E"), "product": get("/p/monthly"),
		"product with pictures": get("/", func(w *world) { w.products[0].Image = "/media/demo/a.svg" }),
		"sold out product":      get("/p/gone"), "manual product": get("/p/service"),
		"checkout": func(w *world, lang string) string {
			return w.do(visitor{lang, true}, http.MethodGet, "/checkout?"+lineForm(w, "2").Encode(), nil).Body.String()
		},
		"checkout with faults": post("/checkout", func(w *world) url.Values { return buyForm(w, "nobody@", "0") }),
		"sold out": post("/checkout", func(w *world) url.Values { return buyForm(w, "a@example.com", "2") },
			func(w *world) {
				w.place = func(checkout.PlaceRequest) (checkout.Placed, error) { return checkout.Placed{}, stock.ErrSoldOut }
			}),
		"pay": get(here + "/pay?checked=1"),
		"leave": get(here+"/pay?back=1", func(w *world) {
			w.start = func(checkout.PayRequest) (payment.Payment, error) {
				return payment.Payment{Method: "page", Status: payment.Open, Amount: w.view.Order.Total, CodeURL: "/away"}, nil
			}
		}),
		"channels": get(here+"/pay?choose=1", func(w *world) {
			w.channels = append(w.channels, payment.Account{ID: w.products[0].ID, Provider: "alipay", Method: "precreate", Name: "支付宝", NameEN: "Alipay", On: true})
		}),
		"pay credit": get(here+"/pay", (*world).onlyCredit), "credit": get("/credit"), "wrong credit": post("/credit", none),
		"credit shown": post("/credit", func(*world) url.Values { return url.Values{"number": {"C7K2M9QX4RT"}, "code": {token}} }),
		"refunded, credit": get(here, status(order.Refunded), func(w *world) {
			w.view.Refunds = []payment.Refund{{CreditID: w.products[0].ID, Status: payment.RefundDone}}
		}),
		"pay busy": get(here+"/pay", func(w *world) {
			w.start = func(checkout.PayRequest) (payment.Payment, error) { return payment.Payment{}, payment.ErrProviderBusy }
		}),
		"no channel": get(here+"/pay", func(w *world) { w.channels = nil }),
		"pending":    get(here), "delivered": get(here, (*world).deliver), "revealed": post(here+"/reveal", none, (*world).deliver),
		"paid": get(here, status(order.Paid)), "completed": get(here, status(order.Completed)), "closed": get(here, status(order.Closed)),
		"refunding": get(here, status(order.Refunding)), "refunded": get(here, status(order.Refunded)), "held": get(here, status(order.Held)),
		"lookup": get("/lookup"), "wrong look-up": post("/lookup", none), "not found": get("/nothing"), "method": post("/p/monthly", none),
		"fault":       get("/", func(w *world) { w.byHost = func() error { return errs.New(errs.Internal, "db_gone", "x") } }),
		"busy":        get("/", func(w *world) { w.byHost = func() error { return errs.New(errs.Unavailable, "overloaded", "x") } }),
		"closed shop": get("/", func(w *world) { w.merchant.Open = false }),
	}
}

var (
	inlineStyle   = regexp.MustCompile(`(?i)\sstyle\s*=|<style`)
	inlineHandler = regexp.MustCompile(`(?i)<[^>]*\son[a-z]+\s*=`)
	anyScript     = regexp.MustCompile(`(?i)<script[^>]*>`)
	missingText   = regexp.MustCompile(`[^/]shop\.[a-z]`)
	foreignURL    = regexp.MustCompile(`(?i)(src|href|action)="(https?:|//|javascript:|data:)[^"]*`)
)

func TestEveryPageIsSoundMarkup(t *testing.T) {
	for name, draw := range everyPage() {
		for _, lang := range []string{"zh-CN", "en"} {
			t.Run(name+" "+lang, func(t *testing.T) {
				page := draw(newWorld(t), lang)
				require.Contains(t, page, `<html lang="`+lang+`">`)
				require.NotRegexp(t, inlineStyle, page)
				require.NotRegexp(t, inlineHandler, page)
				require.NotRegexp(t, foreignURL, page)
				for _, tag := range anyScript.FindAllString(page, -1) {
					require.Regexp(t, `^<script type="module" src="/assets/[a-z]+\.[0-9a-f]{12}\.js">$`, tag)
				}
				require.NotContains(t, page, "ZgotmplZ", "html/template refused a value")
				require.NotRegexp(t, missingText, page, "a text is missing from the catalogue")
				checkTree(t, page)
			})
		}
	}
}

// checkTree holds a page against what readers by ear and by keyboard need.
func checkTree(t *testing.T, page string) {
	t.Helper()
	ids, labels, headings := map[string]int{}, map[string]bool{}, []int{}
	var inputs, refs []string
	landmarks := map[string]int{}
	d := xml.NewDecoder(strings.NewReader(strings.Replace(page, "<!doctype html>", "", 1)))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	depth, inLabel := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, "elements must close in order")
		switch e := token.(type) {
		case xml.EndElement:
			depth--
			if e.Name.Local == "label" {
				inLabel--
			}
		case xml.StartElement:
			depth++
			a := attributes(e)
			name := e.Name.Local
			landmarks[name]++
			if a["id"] != "" {
				ids[a["id"]]++
			}
			refs = append(refs, strings.Fields(a["aria-describedby"]+" "+a["aria-labelledby"])...)
			switch {
			case name == "label":
				inLabel++
				labels[a["for"]] = true
			case name == "input" && a["type"] != "hidden" && inLabel == 0:
				inputs = append(inputs, a["id"])
			case name == "img":
				require.Contains(t, a, "alt")
				require.NotEmpty(t, a["width"])
				require.NotEmpty(t, a["height"])
			case name == "nav":
				require.NotEmpty(t, a["aria-label"])
			case name == "svg":
				require.True(t, a["aria-hidden"] == "true" || a["role"] == "img" && a["aria-label"] != "", "a drawing is named or hidden")
			case len(name) == 2 && name[0] == 'h' && unicode.IsDigit(rune(name[1])):
				headings = append(headings, int(name[1]-'0'))
			}
		}
	}
	require.Zero(t, depth, "every element is closed")
	for id, n := range ids {
		require.Equal(t, 1, n, "id %s", id)
	}
	for _, id := range inputs {
		require.True(t, id != "" && labels[id], "input %q has a label", id)
	}
	for _, id := range refs {
		require.Contains(t, ids, id, "aria refers to an element")
	}
	for _, once := range []string{"h1", "main", "footer", "title"} {
		require.Equal(t, 1, landmarks[once], once)
	}
	for i, level := range headings {
		require.True(t, i == 0 && level == 1 || i > 0 && level <= headings[i-1]+1, "heading order %v", headings)
	}
}

func attributes(e xml.StartElement) map[string]string {
	m := map[string]string{}
	for _, a := range e.Attr {
		m[a.Name.Local] = a.Value
	}
	return m
}

var (
	action      = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	anyTag      = regexp.MustCompile(`(?s)<[^>]*>`)
	textAttr    = regexp.MustCompile(`(?:aria-label|title|alt|placeholder|data-[a-z-]+)="([^"]*)"`)
	constantKey = regexp.MustCompile(`\b(t|count) "([^"]+)"`)
)

func templateSources(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("templates/*.html")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	out := map[string]string{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		out[file] = string(raw)
	}
	return out
}

// literals lists the words that stand in a template instead of the catalogue.
func literals(source string) []string {
	bare := action.ReplaceAllString(source, "")
	var out []string
	for _, m := range textAttr.FindAllStringSubmatch(bare, -1) {
		if strings.ContainsFunc(m[1], unicode.IsLetter) && !machineWords(m[1]) {
			out = append(out, m[1])
		}
	}
	for part := range strings.SplitSeq(anyTag.ReplaceAllString(bare, "\n"), "\n") {
		if strings.ContainsFunc(part, unicode.IsLetter) {
			out = append(out, strings.TrimSpace(part))
		}
	}
	return out
}

// machineWords are values that a module reads, not a person.
func machineWords(value string) bool {
	return strings.HasPrefix(value, "#") || strings.HasPrefix(value, "/") || value == "short"
}

func TestTemplatesHoldNoText(t *testing.T) {
	for file, source := range templateSources(t) {
		require.Empty(t, literals(source), file)
	}
	require.Equal(t, []string{"Buy"}, literals(`<p class="x">{{t "a"}} Buy</p>`), "the test can fail")
	require.Equal(t, []string{"购买"}, literals(`<p>购买</p>`))
	require.Equal(t, []string{"Close"}, literals(`<button aria-label="Close"></button>`))
}

func TestEveryKeyIsInTheCatalogue(t *testing.T) {
	texts, err := i18n.Load()
	require.NoError(t, err)
	var keys []string
	for _, source := range templateSources(t) {
		for _, m := range constantKey.FindAllStringSubmatch(source, -1) {
			if m[1] == "count" {
				keys = append(keys, m[2]+".one", m[2]+".other")
			} else {
				keys = append(keys, m[2])
			}
		}
	}
	require.Greater(t, len(keys), 80)
	for _, s := range []order.Status{
		order.Pending, order.Paid, order.Delivered, order.Completed, order.Closed, order.Refunding, order.Refunded, order.Held,
	} {
		keys = append(keys, "shop.order."+string(s)+".title", "shop.order."+string(s)+".text")
	}
	for key := range strings.FieldsSeq("placed pay paid deliver delivered closed held refunding refunded") {
		keys = append(keys, "shop.step."+key)
	}
	for group := range strings.FieldsSeq("not_found method refused conflict too_many busy fault input") {
		keys = append(keys, "shop.fault."+group+".title", "shop.fault."+group+".text")
	}
	for _, lang := range i18n.Languages() {
		for _, key := range keys {
			require.True(t, texts.Has(lang, key), "%s lacks %s", lang, key)
		}
	}
	goFiles, err := filepath.Glob("*.go")
	require.NoError(t, err)
	constant := regexp.MustCompile(`"(shop\.[a-z_.]+[a-z_])"`)
	for _, file := range goFiles {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range constant.FindAllStringSubmatch(string(raw), -1) {
			if m[1] != "shop.css" && !strings.HasSuffix(file, "_test.go") {
				require.True(t, texts.Has(i18n.English, m[1]), "%s: %s", file, m[1])
			}
		}
	}
}

func TestModulesHoldNoText(t *testing.T) {
	files, err := filepath.Glob("assets/*.js")
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		source := string(raw)
		require.NotRegexp(t, `\p{Han}`, source, file)
		for _, forbidden := range []string{"innerHTML", "eval(", "http://", "https://", "localStorage", "sessionStorage", "document.cookie"} {
			require.NotContains(t, stripComments(source), forbidden, file)
		}
	}
}

func stripComments(source string) string {
	return regexp.MustCompile(`(?m)^\s*//.*$`).ReplaceAllString(source, "")
}
