package kit

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

// Staff is an owner of the shop's first merchant at the console.
type Staff struct {
	api   *Client
	token string
}

// Staff sets an owner up as they would, by the one-time link, and signs in.
func (s *Shop) Staff() *Staff {
	s.t.Helper()
	r := s.Run("setup-link")
	require.Zero(s.t, r.Code, "%s%s", r.Out, r.Err)
	_, link, _ := strings.Cut(strings.TrimSpace(r.Out), "#")
	const login, password = "kit-owner", "violet ladder 71 monsoon"
	st := &Staff{api: newClient("http://" + s.Console)}
	post := func(path string, body, out any) {
		s.t.Helper()
		require.NoError(s.t, st.api.do(s.t.Context(), http.MethodPost, "/console/api/v1/"+path, nil, body, out))
	}
	var begun struct{ Secret, Handle string }
	post("setup", map[string]string{"token": link}, &begun)
	code, err := totp.GenerateCode(begun.Secret, time.Now())
	require.NoError(s.t, err)
	var done struct {
		Recovery []string `json:"recovery_codes"`
	}
	post("setup/complete", map[string]string{
		"token": link, "handle": begun.Handle, "login": login, "password": password, "code": code,
	}, &done)
	var in struct{ Token string }
	post("session", map[string]string{ // the app has no other code yet
		"login": login, "password": password, "code": done.Recovery[0], "mode": "bearer",
	}, &in)
	st.token = in.Token
	return st
}

// StaffOrder is what staff sees of an order's money.
type StaffOrder struct {
	Status     string
	Refunded   int64
	Refundable int64
	Lines      []struct{ Refunded, Withdrawn, Refundable int }
	Refunds    []struct{ Status string }
}

// Order shows an order.
func (st *Staff) Order(ctx context.Context, orderNo string) (o StaffOrder, err error) {
	return o, st.ask(ctx, http.MethodGet, orderNo, NewKey(), nil, &o)
}

// Refund gives back a part of an order: part has amount or lines, or is empty
// for all. It is repeated with the same key until it is answered.
func (st *Staff) Refund(ctx context.Context, orderNo string, part map[string]any) (o StaffOrder, err error) {
	body := map[string]any{"reason": "the buyer asked"}
	for k, v := range part {
		body[k] = v
	}
	return o, st.ask(ctx, http.MethodPost, orderNo+"/refund", NewKey(), body, &o)
}

func (st *Staff) ask(ctx context.Context, method, path, key string, body, out any) error {
	header := bearer(st.token)
	header["Idempotency-Key"] = key
	return insist(ctx, func() error {
		return st.api.do(ctx, method, "/console/api/v1/orders/"+path, header, body, out)
	})
}
