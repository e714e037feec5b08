package storefront

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"panshi/internal/audit"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/merchant"
	"panshi/internal/web"
)

// visit is one request to a page: who asks, whose shop it is, in which
// language. It belongs to the request's goroutine.
type visit struct {
	w    http.ResponseWriter
	r    *http.Request
	lang i18n.Lang
	shop merchant.Merchant
}

// errClosed says that the merchant does not sell at the moment.
var errClosed = errs.New(errs.Unavailable, "shop_closed", "this shop is closed at the moment")

// page makes a handler of the route table from a page. A panic becomes an
// error, so that its page is one of ours.
func (s *Shop) page(handle func(v *visit) error) web.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) (err error) {
		defer func() {
			if fault := recover(); fault != nil {
				if fault == http.ErrAbortHandler { //nolint:errorlint // net/http compares by identity too
					panic(fault)
				}
				err = errs.Wrap(fmt.Errorf("panic: %v\n%s", fault, debug.Stack()), errs.Internal, "panic", "a page panicked")
			}
		}()
		v := &visit{w: w, r: r, lang: s.chooseLang(w, r)}
		if v.shop, err = s.Merchants.ByHost(r.Context(), r.Host); err != nil {
			return err
		}
		ctx := audit.WithOrigin(r.Context(), audit.Actor{Kind: "buyer"}, web.RequestID(r.Context()))
		v.r = r.WithContext(ctx)
		return handle(v)
	}
}

// open refuses to sell in a closed shop; orders stay reachable.
func (v *visit) open() error {
	if !v.shop.Open {
		return errClosed
	}
	return nil
}

// form reads the posted fields. NUL and invalid UTF-8 are refused before
// anything looks at them.
func (v *visit) form() (url.Values, error) {
	if err := v.r.ParseForm(); err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "malformed_body", "the form could not be read")
	}
	return v.r.PostForm, clean(v.r.PostForm)
}

// query reads the query of the address.
func (v *visit) query() (url.Values, error) {
	q, err := url.ParseQuery(v.r.URL.RawQuery)
	if err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "malformed_query", "the query could not be read")
	}
	return q, clean(q)
}

func clean(values url.Values) error {
	for _, list := range values {
		for _, value := range list {
			if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
				return errs.New(errs.Malformed, "invalid_utf8", "a text holds NUL or is not UTF-8")
			}
		}
	}
	return nil
}

// screen is what a template gets.
type screen struct {
	Lang        i18n.Lang
	OtherLang   i18n.Lang
	Title       string // without the shop's name; "" on the home page
	Description string
	ShopName    string
	Tagline     string
	Back        string // where the language switch returns to
	Query       string // in the search box
	Private     bool   // an order's page: not for search engines
	Refresh     int    // seconds until a browser without scripts reloads; 0: never
	Scripts     []string
	Data        any
}

// show renders a page of the shop.
func (s *Shop) show(v *visit, status int, view string, sc screen) error {
	sc.Lang, sc.OtherLang = v.lang, i18n.English
	if v.lang == i18n.English {
		sc.OtherLang = i18n.Chinese
	}
	sc.ShopName, sc.Tagline = pick(v.lang, v.shop.Name, v.shop.NameEN), pick(v.lang, v.shop.Tagline, v.shop.TaglineEN)
	if sc.Back == "" {
		sc.Back = v.r.URL.RequestURI()
	}
	var body bytes.Buffer
	if err := s.views[v.lang].render(&body, view, sc); err != nil {
		return errs.Wrap(err, errs.Internal, "template", "a page could not be drawn")
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", string(v.lang))
	h.Add("Vary", "Cookie, Accept-Language")
	if sc.Private {
		h.Set("Cache-Control", "no-store")
	} else if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "private, no-cache")
	}
	v.w.WriteHeader(status)
	_, _ = v.w.Write(body.Bytes()) // a reader who has gone is no fault of ours
	return nil
}

// text gives a text of the catalogue; pairs are names and values.
func (s *Shop) text(v *visit, key string, pairs ...string) string {
	return s.Texts.Text(v.lang, key, pairsOf(pairs))
}

// see sends the browser on with a GET.
func (v *visit) see(location string) error {
	v.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(v.w, v.r, location, http.StatusSeeOther)
	return nil
}

// origin is how this browser reaches the shop, for links that come back to it.
func (s *Shop) origin(v *visit) string {
	if s.secure(v.r) {
		return "https://" + v.r.Host
	}
	return "http://" + v.r.Host
}

func pick(lang i18n.Lang, first, en string) string {
	if lang == i18n.English && en != "" {
		return en
	}
	return first
}
