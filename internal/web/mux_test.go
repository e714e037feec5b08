package web

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
	"panshi/internal/perm"
)

func okRoute() Route {
	return Route{
		Method: "POST", Pattern: "/x", Permission: perm.Anyone, Priority: perm.Normal, Limit: LimitRead,
		Handler: func(w http.ResponseWriter, r *http.Request) error {
			body, err := Body(r)
			if err != nil {
				return err
			}
			_, err = w.Write(body)
			return err
		},
	}
}

func TestIncompleteRowsDoNotEnterTheTable(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Route){
		"method":       func(r *Route) { r.Method = "" },
		"odd method":   func(r *Route) { r.Method = "TRACE" },
		"pattern":      func(r *Route) { r.Pattern = "x" },
		"permission":   func(r *Route) { r.Permission = "" },
		"priority":     func(r *Route) { r.Priority = 0 },
		"odd priority": func(r *Route) { r.Priority = 9 },
		"limit":        func(r *Route) { r.Limit = "" },
		"odd limit":    func(r *Route) { r.Limit = "sometimes" },
		"handler":      func(r *Route) { r.Handler = nil },
		"authorizer":   func(r *Route) { r.Permission = perm.OrdersRefund },
	} {
		mux := newTestMux(t)
		row := okRoute()
		change(&row)
		good := okRoute()
		good.Pattern = "/good"
		require.Error(t, mux.Add(Audience{Name: "t"}, good, row), name)
		require.Empty(t, mux.Rows(), "none of the rows enters")
	}
}

func TestIncompleteOperationsAreReported(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Operation){
		"id":         func(o *Operation) { o.ID = "" },
		"summary":    func(o *Operation) { o.Summary = "" },
		"permission": func(o *Operation) { o.Permission = "" },
		"priority":   func(o *Operation) { o.Priority = 0 },
		"limit":      func(o *Operation) { o.Limit = "" },
		"proof":      func(o *Operation) { o.Permission = perm.OrderHeld },
		"scheme":     func(o *Operation) { o.Auth = "invented" },
		"staff":      func(o *Operation) { o.Permission, o.Auth = perm.OrdersRead, "order_token" },
	} {
		api, mux := newTestAPI(t)
		before := len(mux.Rows())
		op := Operation{Method: "GET", Path: "/y", ID: "y", Summary: "y", Permission: perm.Anyone, Priority: perm.Normal, Limit: LimitRead}
		change(&op)
		Register(api, op, func(context.Context, *struct{}) (*struct{}, error) { return &struct{}{}, nil })
		require.Error(t, api.Err(), name)
		require.Len(t, mux.Rows(), before, name)
	}
}

// staffOnly admits who sends "X-Staff: yes".
type staffOnly struct{}

type whoKey struct{}

func (staffOnly) Authorize(r *http.Request, p perm.Permission) (context.Context, error) {
	switch r.Header.Get("X-Staff") {
	case "yes":
		return context.WithValue(r.Context(), whoKey{}, string(p)), nil
	case "other":
		return nil, errs.New(errs.Forbidden, "forbidden", "no")
	}
	return nil, errs.New(errs.Unauthenticated, "unauthenticated", "no")
}

func TestPermissionIsAskedBeforeTheHandler(t *testing.T) {
	t.Parallel()
	mux := newTestMux(t)
	row := okRoute()
	row.Pattern, row.Permission = "/orders/{id}/refund", perm.OrdersRefund
	called := 0
	row.Handler = func(w http.ResponseWriter, r *http.Request) error {
		called++
		_, err := io.WriteString(w, r.Context().Value(whoKey{}).(string)+" "+r.PathValue("id"))
		return err
	}
	require.NoError(t, mux.Add(Audience{Name: "console", Authorize: staffOnly{}}, row))
	w := request{target: "/orders/7/refund"}.do(mux)
	require.Equal(t, 401, w.Code)
	require.NotEmpty(t, w.Header().Get("WWW-Authenticate"))
	require.Equal(t, 403, request{target: "/orders/7/refund", header: map[string]string{"X-Staff": "other"}}.do(mux).Code)
	require.Zero(t, called)
	w = request{target: "/orders/7/refund", header: map[string]string{"X-Staff": "yes"}}.do(mux)
	require.Equal(t, "orders.refund 7", w.Body.String())
}

// gate refuses as it is told and records what it was asked.
type gate struct {
	refuse bool
	shed   bool
	asked  []string
	inside int
}

func (g *gate) Allow(class LimitClass, key string) (bool, time.Duration) {
	g.asked = append(g.asked, string(class)+" "+key)
	return !g.refuse, 3 * time.Second
}

func (g *gate) Enter(p perm.Priority) (func(), bool) {
	if g.shed && p != perm.Critical {
		return nil, false
	}
	g.inside++
	return func() { g.inside-- }, true
}

func TestLimitsAndShedding(t *testing.T) {
	t.Parallel()
	g := &gate{}
	mux, err := NewMux(DefaultConfig(), g, g, Audience{Name: "t"})
	require.NoError(t, err)
	normal, critical, health, broken := okRoute(), okRoute(), okRoute(), okRoute()
	critical.Pattern, critical.Priority, critical.Limit = "/pay", perm.Critical, LimitPay
	health.Pattern, health.Limit = "/healthz", Unlimited
	broken.Pattern = "/broken"
	broken.Handler = func(http.ResponseWriter, *http.Request) error { panic("oops") }
	require.NoError(t, mux.Add(Audience{Name: "t"}, normal, critical, health, broken))
	h := wrapped(t, DefaultConfig(), mux, io.Discard)

	require.Equal(t, 200, request{target: "/x"}.do(h).Code)
	require.Equal(t, 404, request{target: "/nowhere"}.do(h).Code)
	require.Equal(t, 200, request{target: "/pay"}.do(h).Code)
	require.Equal(t, 200, request{target: "/healthz"}.do(h).Code)
	require.Equal(t, []string{"read 192.0.2.1", "read 192.0.2.1", "pay 192.0.2.1"}, g.asked, "who tries addresses is counted too")
	require.Equal(t, 500, request{target: "/broken"}.do(h).Code)
	require.Zero(t, g.inside, "a panic gives its place back")

	g.shed = true
	w := request{target: "/x"}.do(h)
	require.Equal(t, 503, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.Equal(t, "overloaded", problemIn(t, w).Code)
	require.Equal(t, 200, request{target: "/pay"}.do(h).Code)

	g.refuse = true
	w = request{target: "/pay"}.do(h)
	require.Equal(t, 429, w.Code)
	require.Equal(t, "3", w.Header().Get("Retry-After"))
	g.shed = false
	require.Equal(t, 200, request{target: "/healthz"}.do(h).Code, "unlimited is not counted")
}

func TestMethodNotAllowedNamesTheOthers(t *testing.T) {
	t.Parallel()
	mux := newTestMux(t)
	get := okRoute()
	get.Method = "GET"
	require.NoError(t, mux.Add(Audience{Name: "t"}, okRoute(), get))
	w := request{method: "PUT", target: "/x"}.do(mux)
	require.Equal(t, 405, w.Code)
	require.Equal(t, "GET, HEAD, POST", w.Header().Get("Allow"))
	require.Equal(t, "method_not_allowed", problemIn(t, w).Code)
}

func TestAudienceFailsInItsOwnWay(t *testing.T) {
	t.Parallel()
	mux := newTestMux(t)
	row := okRoute()
	row.Handler = func(http.ResponseWriter, *http.Request) error {
		return errs.New(errs.NotFound, "order_not_found", "no")
	}
	require.NoError(t, mux.Add(Audience{Name: "pages", Headers: PageHeaders().NoStore(), Fail: func(w http.ResponseWriter, r *http.Request, err error) {
		p := ProblemOf(r.Context(), w.Header(), err)
		w.WriteHeader(p.Status)
		_, _ = io.WriteString(w, "<h1>"+p.Code+"</h1>")
	}}, row))
	w := request{target: "/x"}.do(mux)
	require.Equal(t, 404, w.Code)
	require.Equal(t, "<h1>order_not_found</h1>", w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	csp := w.Header().Get("Content-Security-Policy")
	require.Contains(t, csp, "script-src 'self'")
	require.NotContains(t, csp, "unsafe")
	require.Equal(t, "same-origin", w.Header().Get("Referrer-Policy"))
}

func TestBodyBounds(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.MaxBodyBytes = 1 << 10
	mux, err := NewMux(cfg, openGate{}, openGate{}, Audience{Name: "t"})
	require.NoError(t, err)
	large, stream := okRoute(), okRoute()
	large.Pattern, large.MaxBody = "/large", 4<<10
	stream.Pattern, stream.Stream = "/stream", true
	require.NoError(t, mux.Add(Audience{Name: "t"}, okRoute(), large, stream))
	for _, c := range []struct {
		target string
		size   int
		status int
	}{
		{"/x", 1 << 10, 200},
		{"/x", 1<<10 + 1, 413},
		{"/large", 4 << 10, 200},
		{"/large", 4<<10 + 1, 413},
		{"/stream", 1 << 10, 200},
		{"/stream", 1<<10 + 1, 413},
	} {
		body := strings.Repeat("x", c.size)
		w := request{target: c.target, body: body}.do(mux)
		require.Equal(t, c.status, w.Code, "%+v", c)
		if c.status == 200 {
			require.Equal(t, body, w.Body.String())
		}
		w = request{target: c.target}.doChunked(mux, strings.NewReader(body))
		require.Equal(t, c.status, w.Code, "chunked %+v", c)
	}
	w := request{target: "/x"}.doChunked(mux, io.MultiReader(strings.NewReader("half"), failing{}))
	require.Equal(t, 400, w.Code)
	require.Equal(t, "malformed_body", problemIn(t, w).Code)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.TrustedOrigins = []string{"https://partner.example"}
	mux, err := NewMux(cfg, openGate{}, openGate{}, Audience{Name: "t"})
	require.NoError(t, err)
	get := okRoute()
	get.Method = "GET"
	require.NoError(t, mux.Add(Audience{Name: "t"}, okRoute(), get))
	for want, headers := range map[int][]map[string]string{
		200: {
			{},
			{"Sec-Fetch-Site": "same-origin"},
			{"Sec-Fetch-Site": "none"},
			{"Origin": "http://example.com"},
			{"Origin": "https://partner.example", "Sec-Fetch-Site": "cross-site"},
		},
		403: {{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}},
	} {
		for _, h := range headers {
			require.Equal(t, want, request{target: "/x", header: h}.do(mux).Code, h)
			require.Equal(t, 200, request{method: "GET", target: "/x", header: h}.do(mux).Code, "looking changes nothing")
		}
	}
	cfg.TrustedOrigins = []string{"nonsense"}
	_, err = NewMux(cfg, openGate{}, openGate{}, Audience{})
	require.Equal(t, errs.Invalid, errs.KindOf(err))
}

func TestRowsListTheTable(t *testing.T) {
	t.Parallel()
	_, mux := newTestAPI(t)
	var got []string
	for _, row := range mux.Rows() {
		got = append(got, row.Route.Method+" "+row.Route.Pattern)
		require.NotZero(t, row.Route.MaxBody)
	}
	require.Equal(t, []string{"GET /openapi.json", "POST /api/v1/orders", "GET /api/v1/products", "POST /api/v1/orders/{order_no}/cancel"}, got)
}

func TestBodyOfNothing(t *testing.T) {
	t.Parallel()
	body, err := Body(&http.Request{})
	require.NoError(t, err)
	require.Nil(t, body)
	_, err = Body(&http.Request{Body: io.NopCloser(failing{})})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
