package consoleapi

import (
	"context"
	"maps"
	"slices"

	"panshi/internal/access"
	"panshi/internal/audit"
	"panshi/internal/catalog"
	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/id"
	"panshi/internal/imports"
	"panshi/internal/payment"
	"panshi/internal/payment/routing"
	"panshi/internal/reconcile"
	"panshi/internal/reports"
	"panshi/internal/vault"
	"panshi/internal/web"
)

// Imports brings card keys into the shop, and finds them again. imports.Service does it.
type Imports interface {
	Cards(ctx context.Context, req imports.CardsRequest, progress func(imports.Progress)) (imports.Report, error)
	FindCard(ctx context.Context, merchantID id.ID, content string) (imports.FoundCard, error)
}

// Accounts are a merchant's accounts at payment platforms, without secrets.
// routing.Router does it.
type Accounts interface {
	All(ctx context.Context, merchantID id.ID) ([]payment.Account, error)
	// Health is of this process.
	Health(accountID id.ID) routing.Health
}

// Deps is what the API stands on. All but Secure are needed.
type Deps struct {
	Access    *access.Service
	Catalog   *catalog.Service
	Checkout  *checkout.Service
	Imports   Imports
	Accounts  Accounts
	Reconcile *reconcile.Service
	Reports   *reports.Service
	Trail     *audit.Reader
	Alerts    Alerts
	Backups   Backups
	Vault     *vault.Vault // opens contacts to mask them
	Texts     *i18n.Catalogue
	// Approvals decides what one person asks and another allows.
	Approvals *access.Approvals
	// Changes asks that accounts be changed.
	Changes *payment.Accounts
	// Settings reads a platform's settings: the account that they are for, and
	// its configuration as the account keeps it.
	Settings func(provider, method string, raw []byte) (payment.Account, []byte, error)
	// Secure says that staff reach the console by https: the cookie is sent by
	// no other way then.
	Secure bool
}

// Proofs that operations name.
const (
	schemeSession = "session"
	cookieName    = "panshi_console"
)

// The groups of operations.
const (
	tagAccess    = "access"
	tagProducts  = "products"
	tagOrders    = "orders"
	tagHolds     = "holds"
	tagAccounts  = "payment accounts"
	tagReconcile = "reconcile"
	tagMoney     = "money"
	tagAlerts    = "alerts"
	tagCredit    = "store credit"
	tagBackup    = "backup"
)

const about = `Run a Panshi shop: products, card keys, orders, the hold desk, days and their bills, alerts, backups.

Sign in with login, password and the code of an authenticator app. Browsers get a cookie; scripts ask for mode
"bearer" and send the token in the header Authorization. Amounts are integers of minor units (CNY: fen). Times are
RFC 3339 in UTC. Errors are application/problem+json; programs go by their ` + "`code`" + `, people read their
` + "`detail`" + `, which follows Accept-Language (zh-CN or en).`

// api is the handlers and where they are registered.
type api struct {
	described *web.API
	deps      Deps
	importing chan struct{} // holds one token while a file is in memory
}

// New puts the operations and pages into mux and serves the description of the
// API at /console/openapi.json. Version is the program's.
func New(mux *web.Mux, version string, deps Deps) (*web.API, error) {
	described, err := web.NewAPI(mux, web.Audience{
		Name: "consoleapi", Headers: web.APIHeaders(), Authorize: &authorizer{access: deps.Access},
	}, web.Info{
		Title: "Panshi console API", Version: version, Description: about, SpecPath: "/console/openapi.json",
		Tags: []string{tagAccess, tagProducts, tagOrders, tagHolds, tagAccounts, tagReconcile, tagMoney, tagAlerts, tagCredit, tagBackup},
		Schemes: map[string]*web.SecurityScheme{schemeSession: {
			Type: "http", Scheme: "bearer",
			Description: "The token of a sign-in with mode bearer. Pages send the cookie " + cookieName + " instead.",
		}},
	})
	if err != nil {
		return nil, err
	}
	a := &api{described: described, deps: deps, importing: make(chan struct{}, 1)}
	a.addSetup()
	a.addSessions()
	a.addProducts()
	a.addStock()
	if err := a.addCards(); err != nil {
		return nil, err
	}
	a.addCardFind()
	a.addOverview()
	a.addOrders()
	a.addHolds()
	a.addAccounts()
	a.addReconcile()
	a.addApprovals()
	a.addMoney()
	a.addAlerts()
	a.addCredits()
	a.addStaff()
	a.addAudit()
	a.addBackup()
	if err := described.Err(); err != nil {
		return nil, err
	}
	return described, addPages(mux, deps.Texts)
}

// register adds an operation for staff. Its handler is told who asks.
func register[I, O any](a *api, op web.Operation, handle func(ctx context.Context, p access.Principal, in *I) (*O, error)) {
	op.Auth = schemeSession
	op.Errors = withCommon(op.Errors)
	op.Errors[errs.Forbidden] = append(op.Errors[errs.Forbidden], "forbidden")
	web.Register(a.described, op, func(ctx context.Context, in *I) (*O, error) {
		p, err := principal(ctx)
		if err != nil {
			return nil, err
		}
		return handle(ctx, p, in)
	})
}

// registerOpen adds an operation for those who are nobody yet.
func registerOpen[I, O any](a *api, op web.Operation, handle func(ctx context.Context, in *I) (*O, error)) {
	op.Errors = withCommon(op.Errors)
	web.Register(a.described, op, func(ctx context.Context, in *I) (*O, error) {
		return handle(audit.WithOrigin(ctx, audit.System(), web.RequestID(ctx)), in)
	})
}

// withCommon documents what every operation may answer with.
func withCommon(documented map[errs.Kind][]string) map[errs.Kind][]string {
	all := make(map[errs.Kind][]string, len(documented)+3)
	maps.Copy(all, documented)
	all[errs.Invalid] = slices.Concat(all[errs.Invalid],
		[]string{"required", "too_long", "too_short", "out_of_range", "invalid_type", "invalid_format", "invalid_choice", "duplicate_field"})
	all[errs.Malformed] = slices.Concat(all[errs.Malformed], []string{"malformed_query"})
	all[errs.Unavailable] = slices.Concat(all[errs.Unavailable], []string{
		"timeout", "shutting_down", "database_busy",
		"statement_timeout", "storage_full", "storage_failed", "outcome_unknown",
	})
	return all
}
