package kit

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

// Staff is a member of a shop's staff, signed in to the console.
type Staff struct {
	*Client
	t        testing.TB
	token    string
	recovery []string // codes that stand in for those of the app, each once
}

// Owner enrols an owner, as a person would: by the link of `panshi setup-link`,
// with a password and an app, and signs in.
func (s *Shop) Owner(login string) *Staff {
	s.t.Helper()
	r := s.Run("setup-link")
	require.Zero(s.t, r.Code, "%s%s", r.Out, r.Err)
	_, link, _ := strings.Cut(strings.TrimSpace(r.Out), "#")
	link = link[strings.LastIndex(link, "=")+1:]
	o := &Staff{Client: newClient("http://" + s.Console), t: s.t}
	var begun struct{ Secret, Handle string }
	o.Do("POST", "setup", map[string]any{"token": link}, &begun)
	code, err := totp.GenerateCode(begun.Secret, time.Now())
	require.NoError(s.t, err)
	const password = "violet ladder 71 monsoon"
	var done struct {
		RecoveryCodes []string `json:"recovery_codes"`
	}
	o.Do("POST", "setup/complete", map[string]any{"token": link, "handle": begun.Handle, "login": login, "password": password, "code": code}, &done)
	o.recovery = done.RecoveryCodes
	var in struct{ Token string }
	o.Do("POST", "session", map[string]any{"login": login, "password": password, "code": o.code(), "mode": "bearer"}, &in)
	o.token = in.Token
	return o
}

// code is a second factor that was not used yet.
func (o *Staff) code() (code string) {
	code, o.recovery = o.recovery[0], o.recovery[1:]
	return code
}

// Try asks an operation of the console API; path is what follows the version.
func (o *Staff) Try(ctx context.Context, method, path string, body, out any) error {
	header := map[string]string{"Idempotency-Key": NewKey()}
	if o.token != "" {
		header = bearer(o.token)
		header["Idempotency-Key"] = NewKey()
	}
	return o.do(ctx, method, "/console/api/v1/"+path, header, body, out)
}

// Do is Try that must succeed.
func (o *Staff) Do(method, path string, body, out any) {
	o.t.Helper()
	require.NoError(o.t, o.Try(o.t.Context(), method, path, body, out), "%s %s", method, path)
}

// Approval is a request that another person decides.
type Approval struct{ ID, Digest, Status string }

// Approve decides a request that somebody else made.
func (o *Staff) Approve(ctx context.Context, a Approval) error {
	return o.Try(ctx, http.MethodPost, "approvals/"+a.ID+"/approve", map[string]any{"code": o.code(), "digest": a.Digest}, nil)
}

// Credit is an account of store credit and what opens it.
type Credit struct{ ID, Number, Code string }

// CreditOn switches paying by store credit on.
func (s *Shop) CreditOn() {
	s.t.Helper()
	settings := filepath.Join(s.t.TempDir(), "balance.json")
	require.NoError(s.t, os.WriteFile(settings, []byte("{}"), 0o600))
	r := s.Run("account", "put", "balance", settings)
	require.Zero(s.t, r.Code, "%s%s", r.Out, r.Err)
}

// GrantByTwo grants credit to a new account, which o asks for and other allows,
// and has its code issued.
func (o *Staff) GrantByTwo(other *Staff, email string, amount int64) Credit {
	o.t.Helper()
	var asked Approval
	o.Do("POST", "credits/grants/request", map[string]any{"email": email, "amount": amount, "reason": "the first card was broken"}, &asked)
	require.NoError(o.t, other.Approve(o.t.Context(), asked))
	var found struct{ Items []struct{ ID string } }
	o.Do("POST", "credits/find", map[string]any{"email": strings.ToUpper(email)}, &found)
	require.Len(o.t, found.Items, 1)
	c := Credit{ID: found.Items[0].ID}
	o.Do("POST", "credits/"+c.ID+"/code", map[string]any{"reason": "by phone"}, &c)
	return c
}
