package storefront

import (
	"bytes"
	"context"
	"net/http"
	"net/url"

	"panshi/internal/cache"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/merchant"
	"panshi/internal/web"
)

// shared makes a handler of a page that every visitor of a shop gets alike in
// their language: the cart travels in links and forms, the page names no
// visitor, and its policy has no nonce. So it is drawn once for all. Browsers
// may keep it and ask each time whether it is still true; proxies may not,
// because it depends on a cookie.
//
// An address with a query (more of a list, a choice of language) goes the
// ordinary way, as does whatever ends in an error.
func (s *Shop) shared(kind string, handle func(v *visit) error) web.HandlerFunc {
	ordinary := s.page(handle)
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.URL.RawQuery != "" || s.Ready.Off() {
			return ordinary(w, r)
		}
		shop, err := s.Merchants.ByHost(r.Context(), r.Host)
		if err != nil || !shop.Open {
			return ordinary(w, r)
		}
		k := cache.Key{
			Merchant: shop.ID, Edition: shop.UpdatedAt.UnixMilli(), Kind: kind, Name: r.PathValue("slug"),
			Lang: string(s.chooseLang(w, r)),
		}
		page, ok := s.Ready.Fresh(k)
		if !ok {
			wanted, whose, address := k, shop, *r.URL // these and not those go to the heap
			page, err = s.Ready.Get(r.Context(), k, func(ctx context.Context) (*web.Ready, error) {
				return s.draw(ctx, whose, wanted, &address, handle)
			})
		}
		if err != nil {
			return err
		}
		return page.Serve(w, r)
	}
}

// draw has a page drawn for nobody in particular.
func (s *Shop) draw(ctx context.Context, shop merchant.Merchant, k cache.Key, address *url.URL, handle func(v *visit) error) (*web.Ready, error) {
	r := (&http.Request{Method: http.MethodGet, URL: address, Header: http.Header{}}).WithContext(ctx)
	r.SetPathValue("slug", k.Name)
	sheet := &sheet{header: http.Header{}}
	if err := handle(&visit{w: sheet, r: r, lang: i18n.Lang(k.Lang), shop: shop}); err != nil {
		return nil, err
	}
	if sheet.status != http.StatusOK || len(sheet.header["Set-Cookie"]) > 0 {
		return nil, errs.New(errs.Internal, "internal", "a page for everybody was drawn for somebody")
	}
	return s.packer.Pack(web.About{
		ContentType: sheet.header.Get("Content-Type"), ContentLanguage: sheet.header.Get("Content-Language"),
		CacheControl: sheet.header.Get("Cache-Control"), Vary: sheet.header.Get("Vary"),
	}, sheet.body.Bytes())
}

// sheet is what a page is drawn on. It implements http.ResponseWriter.
type sheet struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (s *sheet) Header() http.Header         { return s.header }
func (s *sheet) WriteHeader(status int)      { s.status = status }
func (s *sheet) Write(p []byte) (int, error) { return s.body.Write(p) }
