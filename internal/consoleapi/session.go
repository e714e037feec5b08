package consoleapi

import (
	"context"
	"net/http"
	"time"

	"panshi/internal/access"
	"panshi/internal/errs"
	"panshi/internal/perm"
	"panshi/internal/web"
)

type signInIn struct {
	Previous string `cookie:"panshi_console" hidden:"true"`
	Body     struct {
		Login    string `json:"login" minLength:"1" maxLength:"64" doc:"As chosen at set-up."`
		Password string `json:"password" minLength:"1" maxLength:"256" doc:"As chosen at set-up."`
		Code     string `json:"code,omitempty" maxLength:"32" doc:"Six digits of the app, or a recovery code. Without it a right password is answered by second_factor_required."`
		Mode     string `json:"mode,omitempty" enum:"cookie,bearer" default:"cookie" doc:"cookie for pages; bearer answers with the token instead."`
	}
}

// WhoAmI is embedded in the answer to a sign-in.
type WhoAmI struct {
	Login       string   `json:"login" doc:"Who is signed in."`
	Role        string   `json:"role" enum:"owner,operator,support,engineer,auditor,custodian" doc:"What they are to the shop."`
	Permissions []string `json:"permissions" doc:"What they may do."`
}

type signedIn struct {
	WhoAmI
	Token     string    `json:"token,omitempty" doc:"Only with mode bearer. Shown once."`
	ExpiresAt time.Time `json:"expires_at" doc:"The session ends then at the latest, and 30 minutes after its last use."`
}

type signInOut struct {
	SetCookie string `header:"Set-Cookie"`
	Body      signedIn
}

type signOutOut struct {
	SetCookie string `header:"Set-Cookie"`
}

type whoAmIOut struct{ Body WhoAmI }

type passwordIn struct {
	Body struct {
		Password    string `json:"password" minLength:"1" maxLength:"256" doc:"The present one."`
		Code        string `json:"code" minLength:"1" maxLength:"32" doc:"Six digits of the app that were not used yet, or a recovery code."`
		NewPassword string `json:"new_password" minLength:"1" maxLength:"256" doc:"12 to 128 characters that are not easily guessed."`
	}
}

const sessionPath = "/console/api/v1/session"

func (a *api) addSessions() {
	failures := map[errs.Kind][]string{
		errs.Unauthenticated: {"sign_in_failed", "second_factor_required"}, errs.TooMany: {"sign_in_delayed"},
	}
	registerOpen(a, web.Operation{
		Method: http.MethodPost, Path: sessionPath, ID: "sign_in", Tag: tagAccess, Summary: "Sign in",
		Permission: perm.Anyone, Priority: perm.Normal, Limit: web.LimitSignIn, Errors: failures,
	}, a.signIn)
	register(a, web.Operation{
		Method: http.MethodGet, Path: sessionPath, ID: "who_am_i", Tag: tagAccess, Summary: "Who is signed in, and what they may do",
		Permission: perm.SessionSelf, Priority: perm.Normal, Limit: web.LimitStaff,
	}, a.whoAmI)
	register(a, web.Operation{
		Method: http.MethodDelete, Path: sessionPath, ID: "sign_out", Tag: tagAccess, Summary: "Sign out",
		Permission: perm.SessionSelf, Priority: perm.Normal, Limit: web.LimitStaff, Status: http.StatusNoContent,
	}, a.signOut)
	register(a, web.Operation{
		Method: http.MethodPost, Path: "/console/api/v1/password", ID: "change_password", Tag: tagAccess,
		Summary: "Change one's password; all sessions end", Status: http.StatusNoContent,
		Permission: perm.SessionSelf, Priority: perm.Normal, Limit: web.LimitSignIn,
		Errors: map[errs.Kind][]string{
			errs.Unauthenticated: {"sign_in_failed"}, errs.TooMany: {"sign_in_delayed"},
			errs.Invalid: {"password_too_short", "password_too_long", "password_common"},
		},
	}, a.changePassword)
}

func (a *api) signIn(ctx context.Context, in *signInIn) (*signInOut, error) {
	s, err := a.deps.Access.SignIn(ctx, access.SignInRequest{
		Login: in.Body.Login, Password: in.Body.Password, Code: in.Body.Code, Replaces: in.Previous,
	})
	if err != nil {
		return nil, err
	}
	out := &signInOut{Body: signedIn{WhoAmI: whoIs(s.Principal), ExpiresAt: s.ExpiresAt}}
	if in.Body.Mode == "bearer" {
		out.Body.Token = s.Token
	} else {
		out.SetCookie = a.cookie(s.Token, 12*time.Hour)
	}
	return out, nil
}

func (a *api) whoAmI(_ context.Context, p access.Principal, _ *struct{}) (*whoAmIOut, error) {
	return &whoAmIOut{Body: whoIs(p)}, nil
}

func (a *api) signOut(ctx context.Context, p access.Principal, _ *struct{}) (*signOutOut, error) {
	if err := a.deps.Access.SignOut(ctx, p); err != nil {
		return nil, err
	}
	return &signOutOut{SetCookie: a.cookie("", -time.Second)}, nil
}

func (a *api) changePassword(ctx context.Context, p access.Principal, in *passwordIn) (*signOutOut, error) {
	err := a.deps.Access.ChangePassword(ctx, p, in.Body.Password, in.Body.Code, in.Body.NewPassword)
	if err != nil {
		return nil, err
	}
	return &signOutOut{SetCookie: a.cookie("", -time.Second)}, nil
}

// cookie is the session's cookie, or with a negative age its end. No script
// reads it, no other site's page sends it, and no page outside of /console
// gets it.
func (a *api) cookie(token string, age time.Duration) string {
	c := http.Cookie{ //nolint:gosec // without TLS a Secure cookie would never come back; loopback is the default
		Name: cookieName, Value: token, Path: "/console", MaxAge: int(age / time.Second),
		HttpOnly: true, Secure: a.deps.Secure, SameSite: http.SameSiteStrictMode,
	}
	return c.String()
}

func whoIs(p access.Principal) WhoAmI {
	out := WhoAmI{Login: p.Login, Role: string(p.Role), Permissions: make([]string, len(p.Permissions))}
	for i, held := range p.Permissions {
		out.Permissions[i] = string(held)
	}
	return out
}
