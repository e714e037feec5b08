package app

import (
	"fmt"
	"slices"
	"strings"

	"panshi/internal/errs"
	"panshi/internal/jobs"
	"panshi/internal/web"
)

// Role is a part of the shop's work that a process can be started for. A role
// selects what a process answers and what it does by itself, and never data:
// every process can run every transaction.
type Role string

// The roles. All of them together are what a process does that is told none.
const (
	RoleCatalog Role = "catalog"
	RoleOrder   Role = "order"
	RolePayment Role = "payment"
	RoleAccount Role = "account"
	RoleConsole Role = "console"
	RoleWorker  Role = "worker"
	RoleKeeper  Role = "keeper"

	allRoles = "all"
)

// duty is a row of the table: all that one role selects.
type duty struct {
	role Role
	// paths are the beginnings of route patterns on the public listener; the
	// longest that fits a route decides whose it is.
	paths   []string
	console bool     // the staff's routes, on the listener of the console
	jobs    bool     // the outbox: a process that takes jobs must know every kind
	sweeps  []string // by name
}

// duties is the table of roles. Health and metrics stand in no row: every
// process has them. A route, or a sweep, that no row claims keeps the shop
// from starting, so that none is forgotten.
func duties() []duty {
	return []duty{
		{role: RoleCatalog, paths: []string{
			"/{$}", "/c/", "/p/", "/search", "/lang", "/assets/", "/media/", "/api/v1/products", "/api/v1/categories", "/openapi.json",
		}},
		{role: RoleOrder, paths: []string{"/checkout", "/orders/", "/api/v1/orders"}},
		{role: RolePayment, paths: []string{
			"/orders/{no}/pay", "/orders/{no}/status", "/api/v1/orders/{order_no}/payments", "/api/v1/payment_channels", "/notify/",
		}},
		{role: RoleAccount, paths: []string{"/lookup", "/credit", "/api/v1/credit"}}, // what a buyer finds again
		{role: RoleConsole, console: true},
		{role: RoleWorker, jobs: true, sweeps: []string{
			"payments.query", "payments.keys", "orders.expire", "refunds.push", "orders.complete", "reconcile.days",
			"notify.send", "watch.shop",
		}},
		{role: RoleKeeper, sweeps: []string{"idempotency.purge", "orders.archive", "approvals.expire", "notify.purge"}},
	}
}

// Roles lists all roles.
func Roles() []Role {
	var all []Role
	for _, d := range duties() {
		all = append(all, d.role)
	}
	return all
}

// parseRoles reads the setting: "all", or roles joined by commas.
func parseRoles(text string) ([]Role, error) {
	if text == allRoles {
		return Roles(), nil
	}
	known := fmt.Sprintf("all, or some of %s joined by commas", joinRoles(Roles()))
	if strings.TrimSpace(text) == "" {
		return nil, errs.Field("roles", "required", "no role is named: "+known)
	}
	var roles []Role
	for word := range strings.SplitSeq(text, ",") {
		r := Role(strings.TrimSpace(word))
		switch {
		case r == allRoles:
			return nil, errs.Field("roles", "invalid_value", "all stands alone: it is every role")
		case !slices.Contains(Roles(), r):
			return nil, errs.Field("roles", "unknown_role", fmt.Sprintf("%q is no role: %s", string(r), known))
		case slices.Contains(roles, r):
			return nil, errs.Field("roles", "duplicate_role", fmt.Sprintf("%s is named twice", r))
		}
		roles = append(roles, r)
	}
	return roles, nil
}

// joinRoles writes roles as the setting does.
func joinRoles(roles []Role) string {
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = string(r)
	}
	return strings.Join(words, ",")
}

// validateRoles says what does not go with the roles.
func (c Config) validateRoles() error {
	roles, err := parseRoles(c.Roles)
	if err != nil || c.Roles == allRoles {
		return err
	}
	if c.DB.URL == "" {
		return errs.Field("roles", "roles_need_server", "the database is SQLite, which one process has to itself, so that no other could "+
			"have the roles this one lacks: use --roles all, or set db.url to a PostgreSQL database")
	}
	if c.Sandbox.Addr != "" {
		return errs.Field("sandbox.addr", "invalid_value", "a simulator inside a process with some roles would be unknown to the others: "+
			"run `panshi sandbox` and set sandbox.url in all of them")
	}
	if c.Worker == "off" && (slices.Contains(roles, RoleWorker) || slices.Contains(roles, RoleKeeper)) {
		return errs.Field("worker", "invalid_value", "worker=off contradicts the roles worker and keeper")
	}
	return nil
}

// selected are the rows of the table that this process has. The configuration
// is valid.
func (c Config) selected() []duty {
	roles, err := parseRoles(c.Roles)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(duties(), func(d duty) bool { return !slices.Contains(roles, d.role) })
}

// told is how the roles are shown: "all", or their names.
func (c Config) told() []string {
	if c.Roles == allRoles {
		return []string{allRoles}
	}
	var names []string
	for _, d := range c.selected() {
		names = append(names, string(d.role))
	}
	return names
}

// narrowPublic leaves of the public table what this process answers.
func (c Config) narrowPublic(mux *web.Mux) (*web.Mux, error) {
	selected := c.selected()
	for _, row := range mux.Rows() {
		if _, claimed := claims(duties(), row); !claimed && row.Audience != healthAudience {
			return nil, errs.New(errs.Internal, "route_without_role", "no role has the route "+row.Route.Pattern+" (internal/app/roles.go)")
		}
	}
	return mux.Narrow(func(row web.Row) bool {
		if row.Audience == healthAudience {
			return true
		}
		role, _ := claims(duties(), row)
		return slices.ContainsFunc(selected, func(d duty) bool { return d.role == role })
	}), nil
}

// claims tells whose a route of the public listener is.
func claims(table []duty, row web.Row) (role Role, claimed bool) {
	longest := 0
	for _, d := range table {
		for _, path := range d.paths {
			if strings.HasPrefix(row.Route.Pattern, path) && len(path) > longest {
				longest, role = len(path), d.role
			}
		}
	}
	return role, longest > 0
}

// narrowConsole leaves health and metrics to a process without the console.
func (c Config) narrowConsole(mux *web.Mux) *web.Mux {
	console := slices.ContainsFunc(c.selected(), func(d duty) bool { return d.console })
	return mux.Narrow(func(row web.Row) bool { return console || row.Audience == healthAudience })
}

// work chooses among the jobs and sweeps of the shop what this process does.
func (c Config) work(handlers map[string]jobs.Handler, sweeps []jobs.Sweep) (map[string]jobs.Handler, []jobs.Sweep, error) {
	var mine []jobs.Sweep
	for _, s := range sweeps {
		if !slices.ContainsFunc(duties(), func(d duty) bool { return slices.Contains(d.sweeps, s.Name) }) {
			return nil, nil, errs.New(errs.Internal, "sweep_without_role", "no role has the sweep "+s.Name+" (internal/app/roles.go)")
		}
		if slices.ContainsFunc(c.selected(), func(d duty) bool { return slices.Contains(d.sweeps, s.Name) }) {
			mine = append(mine, s)
		}
	}
	if !slices.ContainsFunc(c.selected(), func(d duty) bool { return d.jobs }) {
		handlers = nil
	}
	if c.Worker == "off" {
		return nil, nil, nil
	}
	return handlers, mine, nil
}
