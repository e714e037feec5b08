package storefront

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"panshi/internal/cache"
	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/clock"
	"panshi/internal/i18n"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/payment"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// Merchants tells whose shop a request is for; merchant.Service does it.
type Merchants interface {
	ByHost(ctx context.Context, host string) (merchant.Merchant, error)
}

// Catalog reads what is for sale; catalog.Service does it.
type Catalog interface {
	List(ctx context.Context, merchantID id.ID, q catalog.ListQuery) (catalog.Page, error)
	BySlug(ctx context.Context, merchantID id.ID, slug string) (catalog.Product, error)
	Categories(ctx context.Context, merchantID id.ID) ([]catalog.Category, error)
}

// Orders places, shows and cancels orders; checkout.Service does it. A wrong
// token and an unknown order are the same error, order_not_found. Reveal is
// recorded in the audit trail; its answer must not be kept.
type Orders interface {
	Place(ctx context.Context, r checkout.PlaceRequest) (checkout.Placed, error)
	Order(ctx context.Context, merchantID id.ID, orderNo, token string) (checkout.View, error)
	Cancel(ctx context.Context, merchantID id.ID, orderNo, token string) (checkout.View, error)
	Reveal(ctx context.Context, merchantID id.ID, orderNo, token string) ([]checkout.Revealed, error)
}

// Payments starts payments and lets a waiting buyer have the platform asked;
// checkout.Service does it. StartPayment may be repeated under its key.
type Payments interface {
	StartPayment(ctx context.Context, r checkout.PayRequest) (payment.Payment, error)
	Nudge(ctx context.Context, merchantID, orderID id.ID) error
}

// Channels lists the ways to pay a merchant; payment.Accounts does it.
type Channels interface {
	Channels(ctx context.Context, merchantID id.ID) ([]payment.Account, error)
}

// Credits shows an account of store credit to who has its number and code;
// anything else is credit_unknown. checkout.Service does it.
type Credits interface {
	Credit(ctx context.Context, merchantID id.ID, p checkout.CreditProof, before id.ID, limit int) (checkout.CreditView, error)
}

// Deps is what a Shop is made of; all but SandboxURL must be set.
type Deps struct {
	Merchants Merchants
	Catalog   Catalog
	Ordering  Catalog // the same for an order that is being placed, which is not held back when many look around
	Orders    Orders
	Payments  Payments
	Channels  Channels
	Credits   Credits
	Ready     *cache.Cache[*web.Ready] // pages that every visitor gets alike
	Texts     *i18n.Catalogue
	Clock     clock.Clock
	Zone      *time.Location // of the times that pages print; browsers translate them to their own
	Logger    *slog.Logger
	// PublicURL is how buyers reach the server. If it begins with https the
	// cookies are Secure even where TLS ends at a proxy.
	PublicURL string
	// SandboxURL is the address of the payment simulator, without a trailing
	// slash; then the pay page links to it. "" in a real shop.
	SandboxURL string
}

// Shop serves the pages. It is safe for concurrent use.
type Shop struct {
	Deps
	assets *assets
	views  map[i18n.Lang]views
	packer *web.Packer
}

// New returns a Shop. It fails if a template or an asset of the package does
// not load.
func New(d Deps) (*Shop, error) {
	d.SandboxURL = strings.TrimSuffix(d.SandboxURL, "/")
	files, err := loadAssets()
	if err != nil {
		return nil, err
	}
	s := &Shop{Deps: d, assets: files, views: map[i18n.Lang]views{}, packer: web.NewPacker()}
	for _, lang := range i18n.Languages() {
		if s.views[lang], err = loadViews(s.funcs(lang)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Audience is how the pages' rows behave in the route table. It suits as the
// table's fallback too.
func (s *Shop) Audience() web.Audience {
	return web.Audience{Name: "storefront", Headers: web.PageHeaders(), Fail: s.Fail}
}

// Routes are the rows of the shop's pages.
func (s *Shop) Routes() []web.Route {
	return append(s.browseRoutes(), s.orderRoutes()...)
}

func (s *Shop) browseRoutes() []web.Route {
	row := func(method, pattern string, p perm.Priority, limit web.LimitClass, h web.HandlerFunc) web.Route {
		return web.Route{
			Method: method, Pattern: pattern, Permission: perm.Anyone, Priority: p, Limit: limit, Handler: h,
		}
	}
	return []web.Route{
		row(http.MethodGet, "/{$}", perm.Normal, web.LimitRead, s.shared("page.home", s.home)),
		row(http.MethodGet, "/c/{slug}", perm.Normal, web.LimitRead, s.shared("page.category", s.category)),
		row(http.MethodGet, "/search", perm.Normal, web.LimitRead, s.page(s.search)),
		row(http.MethodGet, "/p/{slug}", perm.Normal, web.LimitRead, s.shared("page.product", s.product)),
		row(http.MethodGet, "/checkout", perm.Normal, web.LimitRead, s.page(s.checkoutForm)),
		row(http.MethodPost, "/checkout", perm.Critical, web.LimitOrder, s.page(s.place)),
		row(http.MethodGet, "/lookup", perm.Normal, web.LimitRead, s.page(s.lookupForm)),
		row(http.MethodPost, "/lookup", perm.Normal, web.LimitLookup, s.page(s.lookup)),
		row(http.MethodGet, "/credit", perm.Normal, web.LimitRead, s.page(s.creditForm)),
		row(http.MethodPost, "/credit", perm.Normal, web.LimitLookup, s.page(s.credit)),
		row(http.MethodGet, "/lang", perm.Optional, web.LimitRead, s.page(s.switchLang)),
		row(http.MethodGet, "/assets/{file}", perm.Normal, web.LimitStatic, s.assets.serve),
	}
}

func (s *Shop) orderRoutes() []web.Route {
	row := func(method, pattern string, limit web.LimitClass, h web.HandlerFunc) web.Route {
		return web.Route{
			Method: method, Pattern: "/orders/{no}" + pattern, Permission: perm.OrderHeld, Priority: perm.Critical,
			Limit: limit, Handler: h, Headers: web.PageHeaders().NoStore(),
		}
	}
	return []web.Route{
		row(http.MethodGet, "", web.LimitRead, s.page(s.order)),
		row(http.MethodGet, "/pay", web.LimitPay, s.page(s.pay)),
		row(http.MethodPost, "/pay", web.LimitPay, s.page(s.payAction)),
		row(http.MethodPost, "/pay/credit", web.LimitLookup, s.page(s.payCredit)),
		row(http.MethodGet, "/status", web.LimitPay, s.page(s.status)),
		row(http.MethodPost, "/reveal", web.LimitReveal, s.page(s.reveal)),
		row(http.MethodPost, "/cancel", web.LimitOrder, s.page(s.cancel)),
	}
}
