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
	"panshi/ui/console"
)

//go:embed assets pages
var files embed.FS

// appPath is where the console's pages live. Which of them is shown is decided
// in the browser, so that one row answers for all.
const appPath = "/app/"

// pages are the set-up page, which works before there is anybody to sign in,
// and the console itself.
type pages struct {
	texts  *i18n.Catalogue
	assets *web.Assets
	byLang map[i18n.Lang]*template.Template

	console []byte // the document that starts the console
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
	built, err := console.Dist()
	if err != nil {
		return err
	}
	if p.console, err = fs.ReadFile(built, "index.html"); err != nil {
		return err
	}
	app, err := web.NewBuiltAssets(built, "/console/app/")
	if err != nil {
		return err
	}
	return mux.Add(web.Audience{Name: "console pages", Headers: web.PageHeaders().NoStore()},
		p.assets.Route(), app.Route(), page("/setup", func(w http.ResponseWriter, r *http.Request) error { return p.show(w, r, "setup.html") }),
		page(appPath+"{path...}", p.showConsole), page("/{$}", toConsole))
}

func (p *pages) parse(lang i18n.Lang) (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{
		"t":     func(key string) string { return p.texts.Text(lang, "console."+key, nil) },
		"asset": p.assets.URL,
		"lang":  func() string { return string(lang) },
	}).ParseFS(files, "pages/*.html")
}

// page is a row that shows something to anybody: who may see what is decided by
// the API, not by the pages that ask it.
func page(pattern string, handler web.HandlerFunc) web.Route {
	return web.Route{
		Method: http.MethodGet, Pattern: pattern, Permission: perm.Anyone, Priority: perm.Normal, Limit: web.LimitRead, Handler: handler,
	}
}

// showConsole answers every address of the console with the one document that
// there is; it holds nothing of the shop.
func (p *pages) showConsole(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(p.console) // a caller who has gone is no fault of ours
	return nil
}

func toConsole(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, appPath, http.StatusSeeOther)
	return nil
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
