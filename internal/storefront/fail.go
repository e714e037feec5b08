package storefront

import (
	"net/http"

	"panshi/internal/i18n"
	"panshi/internal/merchant"
	"panshi/internal/web"
)

// faultData is the page of an error.
type faultData struct {
	Heading   string
	Text      string
	RequestID string // shown for faults of ours only
	Back      string // where trying again leads; "" if it would not help
}

// Fail answers with an error as a page, in the visitor's language. It is the
// Fail of the shop's audience.
func (s *Shop) Fail(w http.ResponseWriter, r *http.Request, err error) {
	v := &visit{w: w, r: r, lang: s.chooseLang(w, r)}
	v.shop = s.shopOrNone(r)
	p := web.ProblemOf(r.Context(), w.Header(), err)
	group := faultGroup(p.Status)
	data := faultData{
		Heading: s.text(v, "shop.fault."+group+".title"), Text: s.text(v, "shop.fault."+group+".text"),
	}
	switch {
	case s.Texts.Has(v.lang, "shop.fault.code."+p.Code):
		data.Text = s.text(v, "shop.fault.code."+p.Code)
	case s.Texts.Has(v.lang, "error."+p.Code):
		data.Text = p.Detail
	}
	if group == "fault" {
		data.RequestID = p.Instance
	}
	back := "/"
	if r.Method == http.MethodGet {
		back = localPath(r.URL.RequestURI()) // "//elsewhere" is a path to us and another site to a browser
		if group == "busy" || group == "fault" || group == "too_many" {
			data.Back = back
		}
	}
	sc := screen{Title: data.Heading, Private: true, Back: back, Data: data}
	if err := s.show(v, p.Status, "fault", sc); err != nil {
		web.WriteProblem(w, r, err) // the error page itself is broken
	}
}

// shopOrNone finds the shop to name on an error page, which must come even
// when nobody can tell whose it is.
func (s *Shop) shopOrNone(r *http.Request) merchant.Merchant {
	m, err := s.Merchants.ByHost(r.Context(), r.Host)
	if err != nil {
		name := func(l i18n.Lang) string { return s.Texts.Text(l, "shop.nav.unnamed", nil) }
		return merchant.Merchant{Name: name(i18n.Chinese), NameEN: name(i18n.English)}
	}
	return m
}

// faultGroup names the texts for a status.
func faultGroup(status int) string {
	switch status {
	case http.StatusNotFound:
		return "not_found"
	case http.StatusMethodNotAllowed:
		return "method"
	case http.StatusForbidden, http.StatusUnauthorized:
		return "refused"
	case http.StatusConflict:
		return "conflict"
	case http.StatusTooManyRequests:
		return "too_many"
	case http.StatusServiceUnavailable:
		return "busy"
	case http.StatusInternalServerError:
		return "fault"
	}
	return "input"
}
