package kit

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

// Staff is an owner of a shop who is signed in at its console.
type Staff struct {
	api   *Client
	token string
}

const password = "violet ladder 71 monsoon"

// Owner makes an owner of the shop's first merchant and signs in.
func (s *Shop) Owner() *Staff {
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
	o.must(s.t, http.MethodPost, "setup/complete", map[string]string{
		"token": secret, "handle": begun.Handle, "login": "owner", "password": password, "code": code(0),
	}, nil)
	var in struct {
		Token string `json:"token"`
	}
	o.must(s.t, http.MethodPost, "session", map[string]string{
		"login": "owner", "password": password, "code": code(30 * time.Second), "mode": "bearer",
	}, &in)
	o.token = in.Token
	return o
}

// Do asks the console's API for a path below /console/api/v1/. Each time is a
// request of its own.
func (o *Staff) Do(ctx context.Context, method, path string, body, out any) error {
	return o.doAs(ctx, NewKey(), method, path, body, out)
}

// doAs is Do with an idempotency key.
func (o *Staff) doAs(ctx context.Context, key, method, path string, body, out any) error {
	header := bearer(o.token)
	header["Idempotency-Key"] = key
	return o.api.do(ctx, method, "/console/api/v1/"+path, header, body, out)
}

func (o *Staff) must(t testing.TB, method, path string, body, out any) {
	t.Helper()
	require.NoError(t, o.Do(t.Context(), method, path, body, out), "%s %s", method, path)
}

// StaffOrder is what staff sees of an order's money.
type StaffOrder struct {
	Status     string                                          `json:"status"`
	Refunded   int64                                           `json:"refunded"`
	Refundable int64                                           `json:"refundable"`
	Lines      []struct{ Refunded, Withdrawn, Refundable int } `json:"lines"`
}

// Refund gives back a part of an order: part has amount or lines, or is empty
// for all. It is repeated with the same key until it is answered.
func (o *Staff) Refund(ctx context.Context, order Placed, part map[string]any) (seen StaffOrder, err error) {
	body, key := map[string]any{"reason": "the buyer asked"}, NewKey()
	maps.Copy(body, part)
	err = insist(ctx, func() error {
		return o.doAs(ctx, key, http.MethodPost, "orders/"+order.No+"/refund", body, &seen)
	})
	return seen, err
}

// GiveBack orders all of an order's money to be given back.
func (o *Staff) GiveBack(t testing.TB, order Placed) {
	t.Helper()
	_, err := o.Refund(t.Context(), order, nil)
	require.NoError(t, err)
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
