package kit

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

// Staff is an owner of a shop who is signed in at its console.
type Staff struct {
	api      *Client
	token    string
	recovery []string // codes that stand in for those of the app, each once
}

const password = "violet ladder 71 monsoon"

// Owner makes an owner of the shop's first merchant and signs in.
func (s *Shop) Owner() *Staff { return s.OwnerAs("owner") }

// OwnerAs is Owner with a login: a shop may have several.
func (s *Shop) OwnerAs(login string) *Staff {
	s.t.Helper()
	r := s.Run("setup-link", "--json")
	require.Zero(s.t, r.Code, "%s%s", r.Out, r.Err)
	var link struct {
		URL string `json:"url"`
	}
	require.NoError(s.t, json.Unmarshal([]byte(r.Out), &link))
	_, secret, found := strings.Cut(link.URL, "#")
	require.True(s.t, found, "the link holds its token behind #")
	o := &Staff{api: newClient("http://" + s.Console)}
	var begun struct {
		Secret string `json:"secret"`
		Handle string `json:"handle"`
	}
	o.must(s.t, http.MethodPost, "setup", map[string]string{"token": secret}, &begun)
	code := func(ahead time.Duration) string { // each is good once
		text, err := totp.GenerateCode(begun.Secret, time.Now().Add(ahead))
		require.NoError(s.t, err)
		return text
	}
	var done struct {
		RecoveryCodes []string `json:"recovery_codes"`
	}
	o.must(s.t, http.MethodPost, "setup/complete", map[string]string{
		"token": secret, "handle": begun.Handle, "login": login, "password": password, "code": code(0),
	}, &done)
	o.recovery = done.RecoveryCodes
	var in struct {
		Token string `json:"token"`
	}
	o.must(s.t, http.MethodPost, "session", map[string]string{
		"login": login, "password": password, "code": code(30 * time.Second), "mode": "bearer",
	}, &in)
	o.token = in.Token
	return o
}

// Do asks the console's API for a path below /console/api/v1/.
func (o *Staff) Do(ctx context.Context, method, path string, body, out any) error {
	header := bearer(o.token)
	header["Idempotency-Key"] = NewKey()
	return o.api.do(ctx, method, "/console/api/v1/"+path, header, body, out)
}

func (o *Staff) must(t testing.TB, method, path string, body, out any) {
	t.Helper()
	require.NoError(t, o.Do(t.Context(), method, path, body, out), "%s %s", method, path)
}

// GiveBack orders all of an order's money to be given back.
func (o *Staff) GiveBack(t testing.TB, order Placed) {
	t.Helper()
	o.must(t, http.MethodPost, "orders/"+order.No+"/refund", map[string]string{"reason": "test"}, nil)
}

// Hold is a case on the hold desk.
type Hold struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Holds are the open cases.
func (o *Staff) Holds(t testing.TB) []Hold {
	t.Helper()
	var page struct {
		Items []Hold `json:"items"`
	}
	o.must(t, http.MethodGet, "holds?limit=100", nil, &page)
	return page.Items
}

// Resolve closes a case: "refund", "accept" or "dismiss".
func (o *Staff) Resolve(t testing.TB, h Hold, action string) {
	t.Helper()
	o.must(t, http.MethodPost, "holds/"+h.ID+"/resolve", map[string]string{"action": action, "note": "test"}, nil)
}
