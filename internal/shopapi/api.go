package shopapi

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"panshi/internal/audit"
	"panshi/internal/cache"
	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/payment"
	"panshi/internal/web"
)

// Shops tells whose shop a request is for. merchant.Service does it.
type Shops interface {
	ByHost(ctx context.Context, host string) (merchant.Merchant, error)
}

// Products reads what is for sale. catalog.Service does it.
type Products interface {
	List(ctx context.Context, merchantID id.ID, q catalog.ListQuery) (catalog.Page, error)
	Product(ctx context.Context, merchantID, productID id.ID) (catalog.Product, error)
	Categories(ctx context.Context, merchantID id.ID) ([]catalog.Category, error)
}

// Channels lists the ways to pay. payment.Accounts does it.
type Channels interface {
	Channels(ctx context.Context, merchantID id.ID) ([]payment.Account, error)
}

// Orders places and shows orders. checkout.Service does it. All but Place take
// an order's access token and answer order_not_found for a wrong one.
type Orders interface {
	Place(ctx context.Context, r checkout.PlaceRequest) (checkout.Placed, error)
	Order(ctx context.Context, merchantID id.ID, orderNo, token string) (checkout.View, error)
	Cancel(ctx context.Context, merchantID id.ID, orderNo, token string) (checkout.View, error)
	Reveal(ctx context.Context, merchantID id.ID, orderNo, token string) ([]checkout.Revealed, error)
}

// Payments pays orders. checkout.Service does it.
type Payments interface {
	StartPayment(ctx context.Context, r checkout.PayRequest) (payment.Payment, error)
	// Nudge has the platform asked about an order's open payment, at most once
	// in 10 s.
	Nudge(ctx context.Context, merchantID, orderID id.ID) error
}

// Credits shows an account of store credit to who has its number and code;
// anything else is credit_unknown. checkout.Service does it.
type Credits interface {
	Credit(ctx context.Context, merchantID id.ID, p checkout.CreditProof, before id.ID, limit int) (checkout.CreditView, error)
}

// Deps is what the API stands on. All are needed.
type Deps struct {
	Shops    Shops
	Products Products
	Channels Channels
	Orders   Orders
	Payments Payments
	Credits  Credits
	Ready    *cache.Cache[*web.Ready] // answers that everybody gets alike
	Logger   *slog.Logger
}

// orderToken is the scheme of operations on one order.
const orderToken = "order_token"

// The groups of operations.
const (
	tagProducts = "products"
	tagOrders   = "orders"
	tagPayments = "payments"
	tagCredit   = "store credit"
)

const about = `Buy from a Panshi shop: choose a product, place an order, pay it, reveal what was delivered.

Amounts are integers of minor units (CNY: fen). Times are RFC 3339 in UTC. Errors are application/problem+json;
programs go by their ` + "`code`" + `, people read their ` + "`detail`" + `, which follows Accept-Language (zh-CN or en).
Unknown fields and parameters are refused. Who is told 429 or 503 may repeat after Retry-After; placing an order and
starting a payment are safe to repeat with the same Idempotency-Key.`

// New puts the operations into mux and serves their description at
// /openapi.json. Version is the program's.
func New(mux *web.Mux, version string, deps Deps) (*web.API, error) {
	described, err := web.NewAPI(mux, web.Audience{Name: "shopapi", Headers: web.APIHeaders()}, web.Info{
		Title: "Panshi shop API", Version: version, Description: about,
		Tags: []string{tagProducts, tagOrders, tagPayments, tagCredit},
		Schemes: map[string]*web.SecurityScheme{orderToken: {
			Type: "http", Scheme: "bearer",
			Description: "The access_token that placing the order answered with. It opens this one order.",
		}},
	})
	if err != nil {
		return nil, err
	}
	a := &api{described: described, deps: deps, packer: web.NewPacker()}
	a.addProducts()
	a.addOrders()
	a.addPayments()
	a.addCredit()
	return described, described.Err()
}

// api is the handlers and where they are registered.
type api struct {
	described *web.API
	deps      Deps
	packer    *web.Packer
}

// register adds an operation whose handler is told the shop that it is for,
// and whose changes are recorded as a buyer's.
func register[I, O any](a *api, op web.Operation, handle func(ctx context.Context, shop id.ID, in *I) (*O, error)) {
	op.Errors = withCodes(op.Errors, errs.NotFound, "merchant_not_found")
	op.Errors = withCodes(op.Errors, errs.Malformed, "malformed_query")
	op.Errors = withCodes(op.Errors, errs.Unavailable, "timeout", "shutting_down", "database_busy", "statement_timeout",
		"storage_full", "storage_failed", "outcome_unknown")
	web.Register(a.described, op, func(ctx context.Context, in *I) (*O, error) {
		shop, err := a.deps.Shops.ByHost(ctx, web.Host(ctx))
		if err != nil {
			return nil, err
		}
		return handle(audit.WithOrigin(ctx, audit.Actor{Kind: "buyer"}, web.RequestID(ctx)), shop.ID, in)
	})
}

// withCodes returns a copy of documented errors with more of one kind.
func withCodes(documented map[errs.Kind][]string, kind errs.Kind, codes ...string) map[errs.Kind][]string {
	all := make(map[errs.Kind][]string, len(documented)+1)
	maps.Copy(all, documented)
	all[kind] = slices.Concat(all[kind], codes)
	return all
}

// fieldCodes are what the schema of a request answers with.
func fieldCodes(more ...string) []string {
	return slices.Concat([]string{"required", "too_long", "too_short", "out_of_range", "invalid_type", "invalid_format", "duplicate_field"}, more)
}
