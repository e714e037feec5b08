package app

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"panshi/internal/audit"
	"panshi/internal/clock"
	"panshi/internal/consoleapi"
	"panshi/internal/demo"
	"panshi/internal/errs"
	"panshi/internal/paynotify"
	"panshi/internal/perm"
	"panshi/internal/reports"
	"panshi/internal/shopapi"
	"panshi/internal/storefront"
	"panshi/internal/web"
)

// handlers builds what the two listeners serve.
func (s *Shop) handlers() (public, console http.Handler, err error) {
	e, err := s.newEdge()
	if err != nil {
		return nil, nil, err
	}
	shopMux, err := s.publicMux(e)
	if err != nil {
		return nil, nil, err
	}
	consoleMux, err := s.consoleMux(e)
	if err != nil {
		return nil, nil, err
	}
	if shopMux, err = s.cfg.narrowPublic(shopMux); err != nil {
		return nil, nil, err
	}
	return e.stack.Wrap(shopMux), e.stack.Wrap(s.cfg.narrowConsole(consoleMux)), nil
}

// publicMux is what buyers and payment platforms reach.
func (s *Shop) publicMux(e edge) (*web.Mux, error) {
	shop, err := storefront.New(storefront.Deps{
		Merchants: s.merchants, Catalog: s.shelves, Ordering: s.catalog, Orders: s.checkout, Payments: s.checkout, Channels: s.router,
		Credits: s.checkout, Ready: s.ready, Texts: e.texts, Clock: clock.System{}, Zone: chinaTime(), Logger: s.log,
		PublicURL: s.cfg.Shop.PublicURL, SandboxURL: s.sandbox.url,
	})
	if err != nil {
		return nil, err
	}
	mux, err := web.NewMux(s.cfg.Web, e.guard, e.guard, nowhere(shop.Audience()))
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		mux.Add(shop.Audience(), shop.Routes()...),
		mux.Add(web.Audience{Name: healthAudience, Headers: web.APIHeaders()}, s.healthRoutes()...),
		mux.Add(web.Audience{Name: "media", Headers: web.APIHeaders()}, mediaRoute()),
		paynotify.Add(mux, s.accounts, s.checkout, s.log),
	)
	if err != nil {
		return nil, err
	}
	_, err = shopapi.New(mux, Version(), shopapi.Deps{
		Shops: s.merchants, Products: s.shelves, Channels: s.router, Orders: s.checkout, Payments: s.checkout,
		Credits: s.checkout, Ready: s.ready, Logger: s.log,
	})
	return mux, err
}

// chinaTime is where days begin that people see: China has one zone.
func chinaTime() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// nowhere answers for addresses that no row has: programs, which ask below /api/
// and /notify/, get a problem, everybody else the pages' answer.
func nowhere(pages web.Audience) web.Audience {
	answer := pages
	answer.Fail = func(w http.ResponseWriter, r *http.Request, err error) {
		if strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/notify/") {
			web.WriteProblem(w, r, err)
			return
		}
		pages.Fail(w, r, err)
	}
	return answer
}

// consoleMux is what staff and monitoring reach.
func (s *Shop) consoleMux(e edge) (*web.Mux, error) {
	audience := web.Audience{Name: "console", Headers: web.APIHeaders()}
	mux, err := web.NewMux(s.cfg.Web, e.guard, e.guard, audience)
	if err != nil {
		return nil, err
	}
	health := web.Audience{Name: healthAudience, Headers: web.APIHeaders()}
	err = errors.Join(mux.Add(health, s.healthRoutes()...), mux.Add(health, s.metricsRoute(e.guard.InFlight)))
	if err != nil {
		return nil, err
	}
	_, err = consoleapi.New(mux, Version(), consoleapi.Deps{
		Access: s.access, Catalog: s.catalog, Checkout: s.checkout, Imports: s.imports, Accounts: s.router, Reconcile: s.reconcile,
		Reports:   reports.New(s.db, clock.System{}, chinaTime()),
		Approvals: s.approvals, Changes: s.accounts, Settings: consoleSettings, Trail: audit.NewReader(s.db),
		Alerts: staffAlerts{s}, Backups: staffBackups{s},
		Vault: s.vault, Texts: e.texts, Secure: s.cfg.Web.TLS,
	})
	return mux, err
}

// mediaRoute serves the demo shop's pictures.
func mediaRoute() web.Route {
	pictures := demo.MediaFS()
	return web.Route{
		Method: http.MethodGet, Pattern: "/media/demo/{file}", Permission: perm.Anyone, Priority: perm.Normal, Limit: web.LimitStatic,
		Handler: func(w http.ResponseWriter, r *http.Request) error {
			name := r.PathValue("file")
			if info, err := fs.Stat(pictures, name); err != nil || !info.Mode().IsRegular() {
				return errs.New(errs.NotFound, "not_found", "there is no such picture")
			}
			w.Header().Set("Cache-Control", "public, max-age=86400")
			http.ServeFileFS(w, r, pictures, name)
			return nil
		},
	}
}
