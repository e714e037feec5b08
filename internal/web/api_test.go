package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/perm"
)

// openGate admits everything.
type openGate struct{}

func (openGate) Allow(LimitClass, string) (bool, time.Duration) { return true, 0 }
func (openGate) Enter(perm.Priority) (func(), bool)             { return func() {}, true }

func newTestMux(t testing.TB) *Mux {
	t.Helper()
	m, err := NewMux(DefaultConfig(), openGate{}, openGate{}, Audience{Name: "test", Headers: APIHeaders()})
	require.NoError(t, err)
	return m
}

// wrapped puts the middleware around h and logs to log.
func wrapped(t testing.TB, cfg Config, h http.Handler, log io.Writer) http.Handler {
	t.Helper()
	texts, err := i18n.Load()
	require.NoError(t, err)
	stack, err := NewStack(cfg, texts, slog.New(slog.NewJSONHandler(log, nil)), clock.System{})
	require.NoError(t, err)
	return stack.Wrap(h)
}

type line struct {
	SKU      string `json:"sku_id" format:"uuid" maxLength:"36"`
	Quantity int    `json:"quantity" minimum:"1" maximum:"999"`
}

type contact struct {
	Email string `json:"email,omitempty" format:"email" maxLength:"254"`
	Phone string `json:"phone,omitempty" pattern:"^[0-9+]{5,20}$" maxLength:"20"`
}

type placeIn struct {
	IdempotencyHeader
	Body struct {
		Lines   []line  `json:"lines" minItems:"1" maxItems:"50"`
		Contact contact `json:"contact"`
		Coupon  string  `json:"coupon_code,omitempty" maxLength:"8"`
		Small   int8    `json:"small,omitempty"`
	}
}

type placeOut struct {
	Body struct {
		OrderNo string `json:"order_no"`
		Key     string `json:"key"`
	}
}

type listIn struct {
	Page
	Query string `query:"q" maxLength:"20"`
	Kind  string `query:"kind" enum:"card,text"`
}

type listOut struct {
	Body struct {
		Limit int    `json:"limit"`
		Query string `json:"q"`
	}
}

type cancelIn struct {
	BearerHeader
	OrderNo string `path:"order_no" maxLength:"32"`
}

var errSecretCause = errors.New("dial tcp 10.1.2.3: password=hunter2")

func newTestAPI(t testing.TB) (*API, *Mux) {
	t.Helper()
	mux := newTestMux(t)
	api, err := NewAPI(mux, Audience{Name: "shopapi", Headers: APIHeaders()}, Info{
		Title: "Test", Version: "1", Tags: []string{"orders"},
		Schemes: map[string]*SecurityScheme{"order_token": {Type: "http", Scheme: "bearer"}},
	})
	require.NoError(t, err)
	Register(api, Operation{
		Method: "POST", Path: "/api/v1/orders", ID: "place_order", Summary: "Place", Tag: "orders", Status: 201,
		Permission: perm.Anyone, Priority: perm.Critical, Limit: LimitOrder,
		Errors: map[errs.Kind][]string{errs.Conflict: {"sold_out"}},
	}, func(_ context.Context, in *placeIn) (*placeOut, error) {
		switch in.Body.Coupon {
		case "soldout":
			return nil, errs.New(errs.Conflict, "sold_out", "sold out")
		case "boom":
			return nil, errs.Wrap(errSecretCause, errs.Internal, "db_down", "secret place")
		case "plain":
			return nil, errSecretCause
		case "two":
			return nil, errors.Join(errs.Field("contact.email", "required", "x"), errs.Field("contact.phone", "invalid_phone", "x"))
		}
		out := &placeOut{}
		out.Body.OrderNo, out.Body.Key = "A1", in.IdempotencyKey
		return out, nil
	})
	Register(api, Operation{
		Method: "GET", Path: "/api/v1/products", ID: "list_products", Summary: "List",
		Permission: perm.Anyone, Priority: perm.Normal, Limit: LimitRead,
	}, func(_ context.Context, in *listIn) (*listOut, error) {
		out := &listOut{}
		out.Body.Limit, out.Body.Query = in.Limit, in.Query
		return out, nil
	})
	Register(api, Operation{
		Method: "POST", Path: "/api/v1/orders/{order_no}/cancel", ID: "cancel_order", Summary: "Cancel",
		Permission: perm.OrderHeld, Priority: perm.Critical, Limit: LimitOrder, Auth: "order_token",
	}, func(_ context.Context, in *cancelIn) (*struct{}, error) {
		_, err := in.Token()
		return nil, err
	})
	require.NoError(t, api.Err())
	return api, mux
}

const goodSKU = "0198f3a0-0000-7000-8000-000000000001"

func goodBody(extra string) string {
	return `{"lines":[{"sku_id":"` + goodSKU + `","quantity":1}],"contact":{"email":"a@example.com"}` + extra + `}`
}

type request struct {
	method, target, body string
	header               map[string]string
}

func (q request) do(h http.Handler) *httptest.ResponseRecorder {
	var body io.Reader
	if q.body != "" {
		body = strings.NewReader(q.body)
	}
	return q.send(h, body)
}

// doChunked sends a body of unknown length.
func (q request) doChunked(h http.Handler, body io.Reader) *httptest.ResponseRecorder {
	return q.send(h, struct{ io.Reader }{body})
}

func (q request) send(h http.Handler, body io.Reader) *httptest.ResponseRecorder {
	method := q.method
	if method == "" {
		method = "POST"
	}
	target := q.target
	if target == "" {
		target = "/api/v1/orders"
	}
	r := httptest.NewRequest(method, target, body)
	if method == "POST" {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "k1")
	}
	for name, value := range q.header {
		if value == "" {
			r.Header.Del(name)
		} else {
			r.Header.Set(name, value)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func problemIn(t testing.TB, w *httptest.ResponseRecorder) Problem {
	t.Helper()
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), w.Body.String())
	var p Problem
	dec := json.NewDecoder(w.Body)
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&p))
	require.Equal(t, w.Code, p.Status)
	require.NotEmpty(t, p.Detail)
	return p
}
