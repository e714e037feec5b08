package consoleapi

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"

	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/perm"
	"panshi/internal/web"
)

//go:embed assets pages
var files embed.FS

// pages are the two pages for people.
type pages struct {
	texts  *i18n.Catalogue
	assets *web.Assets
	byLang map[i18n.Lang]*template.Template
}

// addPages puts the pages and their files into mux.
func addPages(mux *web.Mux, texts *i18n.Catalogue) error {
	sub, err := fs.Sub(files, "assets")
	if err != nil {
		return err
	}
	p := &pages{texts: texts, byLang: map[i18n.Lang]*template.Template{}}
	if p.assets, err = web.NewAssets(sub, "/console/assets/"); err != nil {
		return err
	}
	for _, lang := range i18n.Languages() {
		if p.byLang[lang], err = p.parse(lang); err != nil {
			return err
		}
	}
	return mux.Add(web.Audience{Name: "console pages", Headers: web.PageHeaders().NoStore()},
		p.assets.Route(), p.row("/{$}", "home.html"), p.row("/setup", "setup.html"))
}

func (p *pages) parse(lang i18n.Lang) (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{
		"t":     func(key string) string { return p.texts.Text(lang, "console."+key, nil) },
		"asset": p.assets.URL,
		"lang":  func() string { return string(lang) },
	}).ParseFS(files, "pages/*.html")
}

func (p *pages) row(pattern, name string) web.Route {
	return web.Route{
		Method: http.MethodGet, Pattern: pattern, Permission: perm.Anyone, Priority: perm.Normal, Limit: web.LimitRead,
		Handler: func(w http.ResponseWriter, r *http.Request) error { return p.show(w, r, name) },
	}
}

func (p *pages) show(w http.ResponseWriter, r *http.Request, name string) error {
	var page bytes.Buffer
	lang := web.Lang(r.Context())
	if err := p.byLang[lang].ExecuteTemplate(&page, name, nil); err != nil {
		return errs.Wrap(err, errs.Internal, "internal", "the page could not be made")
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", string(lang))
	h.Set("Vary", "Accept-Language")
	_, _ = w.Write(page.Bytes()) // a caller who has gone is no fault of ours
	return nil
}
