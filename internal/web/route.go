package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"panshi/internal/errs"
	"panshi/internal/perm"
)

// HandlerFunc answers a request or gives the error to answer with. After an
// error it must not have written anything.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// LimitClass names how often one client may use a route; package guard knows
// the rates.
type LimitClass string

// The limit classes.
const (
	Unlimited     LimitClass = "unlimited" // health checks
	LimitStatic   LimitClass = "static"    // assets
	LimitRead     LimitClass = "read"      // looking at products and own orders
	LimitOrder    LimitClass = "order"     // placing and cancelling
	LimitPay      LimitClass = "pay"       // starting a payment, asking for its state
	LimitReveal   LimitClass = "reveal"    // showing card keys
	LimitLookup   LimitClass = "lookup"    // finding an order by what one knows: guessing is the danger
	LimitSignIn   LimitClass = "sign_in"   // passwords and codes
	LimitCallback LimitClass = "callback"  // payment platforms
	LimitStaff    LimitClass = "staff"     // the console
)

// LimitClasses lists all of them.
func LimitClasses() []LimitClass {
	return []LimitClass{
		Unlimited, LimitStatic, LimitRead, LimitOrder, LimitPay, LimitReveal,
		LimitLookup, LimitSignIn, LimitCallback, LimitStaff,
	}
}

// Limiter counts uses. Package guard implements it.
type Limiter interface {
	// Allow counts one use of class under key. When there were too many it
	// gives false and the time after which the next may succeed. It does not
	// block.
	Allow(class LimitClass, key string) (ok bool, retryAfter time.Duration)
}

// Shedder bounds the work under way. Package guard implements it.
type Shedder interface {
	// Enter admits one request, or refuses it because work of its priority
	// must wait. Who was admitted calls leave once. It does not block.
	Enter(priority perm.Priority) (leave func(), ok bool)
}

// Authorizer decides whether a caller holds a permission.
type Authorizer interface {
	// Authorize gives the context to go on with, which may carry who the
	// caller is, or an errs.Error of kind Unauthenticated or Forbidden.
	Authorize(r *http.Request, permission perm.Permission) (context.Context, error)
}

// Route is a row of the table. Method, Pattern, Permission, Priority, Limit
// and Handler must be set.
type Route struct {
	Method     string // one method; GET serves HEAD too
	Pattern    string // of http.ServeMux, without method and host: "/orders/{order_no}"
	Permission perm.Permission
	Priority   perm.Priority
	Limit      LimitClass
	Handler    HandlerFunc

	// MaxBody bounds the body in bytes; 0 is the listener's bound.
	MaxBody int64
	// Stream gives the handler the connection itself instead of a body that
	// was read beforehand. It is for uploads: they are larger than what should
	// be in memory, and their sender's slowness is borne by the handler.
	Stream bool
	// Headers replaces the audience's policy when its CSP is set.
	Headers HeaderPolicy
}

// Audience is whom a set of routes serves.
type Audience struct {
	Name    string // "shopapi"; for errors about the table
	Headers HeaderPolicy
	// Authorize decides on permissions that staff hold. An audience without
	// one can only have routes for perm.Anyone, perm.OrderHeld and
	// perm.Signed, whose handlers examine the proof in the request.
	Authorize Authorizer
	// Fail answers with an error; nil is WriteProblem. Pages show theirs as
	// HTML.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
}

func (a Audience) fail(w http.ResponseWriter, r *http.Request, err error) {
	if a.Fail != nil {
		a.Fail(w, r, err)
		return
	}
	WriteProblem(w, r, err)
}

// check says what is missing in a row. The errors are the programmer's.
func (a Audience) check(route Route) error {
	name := "route " + route.Method + " " + route.Pattern + " of " + a.Name
	missing := func(what string) error { return errs.New(errs.Internal, "route_incomplete", name+": "+what) }
	switch {
	case !methods(route.Method):
		return missing("its method must be one of GET, POST, PUT, PATCH, DELETE")
	case !strings.HasPrefix(route.Pattern, "/"):
		return missing("its pattern must begin with /")
	case route.Permission == "":
		return missing("it names no permission")
	case route.Priority < perm.Critical || route.Priority > perm.Optional:
		return missing("it names no priority")
	case !knownLimit(route.Limit):
		return missing("it names no known limit class")
	case route.Handler == nil:
		return missing("it has no handler")
	case !selfProving(route.Permission) && a.Authorize == nil:
		return missing("nobody can authorize " + string(route.Permission))
	}
	return nil
}

func methods(m string) bool {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}

func knownLimit(class LimitClass) bool {
	for _, c := range LimitClasses() {
		if c == class {
			return true
		}
	}
	return false
}

// selfProving tells whether p needs no Authorizer: nothing to prove, or a
// proof that only the handler understands.
func selfProving(p perm.Permission) bool {
	return p == perm.Anyone || p == perm.OrderHeld || p == perm.Signed
}
