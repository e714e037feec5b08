package consoleapi

import (
	"context"
	"net/http"

	"panshi/internal/access"
	"panshi/internal/audit"
	"panshi/internal/errs"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// authorizer admits who has a session and the permission.
type authorizer struct {
	access *access.Service
}

type principalKey struct{}

// Authorize finds out whose session r carries. A bearer token goes before the
// cookie.
func (a *authorizer) Authorize(r *http.Request, permission perm.Permission) (context.Context, error) {
	token, err := tokenOf(r)
	if err != nil {
		return nil, err
	}
	p, err := a.access.Authenticate(r.Context(), token)
	if err != nil {
		return nil, err
	}
	if !p.Has(permission) {
		return nil, errs.New(errs.Forbidden, "forbidden", "your role does not allow this")
	}
	ctx := context.WithValue(r.Context(), principalKey{}, p)
	return audit.WithOrigin(ctx, audit.Actor{Kind: "staff", ID: p.StaffID.String()}, web.RequestID(ctx)), nil
}

// tokenOf gives the session token of a request.
func tokenOf(r *http.Request) (string, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		return web.BearerToken(header)
	}
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return "", access.ErrNoSession
	}
	return cookie.Value, sameOrigin(r)
}

// sameOrigin refuses a change under a cookie unless the browser says that a
// page of this origin made the request. It is stricter than the table's own
// check: no origin is trusted but this one, and silence is no answer.
func sameOrigin(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	said := r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != ""
	if err := http.NewCrossOriginProtection().Check(r); err != nil || !said {
		return errs.New(errs.Forbidden, "cross_origin", "the request did not come from a page of the console")
	}
	return nil
}

// principal tells who asks.
func principal(ctx context.Context) (access.Principal, error) {
	p, ok := ctx.Value(principalKey{}).(access.Principal)
	if !ok {
		return access.Principal{}, access.ErrNoSession
	}
	return p, nil
}
