package app

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db/dbtest"
	"panshi/internal/jobs"
	"panshi/internal/web"
)

func TestRolesAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Role{
		"all": Roles(), "order": {RoleOrder}, " catalog , keeper ": {RoleCatalog, RoleKeeper},
		"catalog,order,payment,account,console,worker,keeper": Roles(),
	} {
		got, err := parseRoles(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for text, says := range map[string]string{
		"": "no role is named", "  ": "no role is named", "order,": `"" is no role`, "order,baker": `"baker" is no role`,
		"order,order": "named twice", "order,all": "all stands alone", "Order": `"Order" is no role`,
	} {
		_, err := parseRoles(text)
		require.ErrorContains(t, err, says, text)
		require.ErrorContains(t, err, "roles", text)
	}
}

func TestRolesAndOtherSettings(t *testing.T) {
	t.Parallel()
	const server = "db.url=postgres://shop@db.example/shop"
	for name, c := range map[string]struct {
		set  []string
		says string // "" is well
	}{
		"on SQLite":          {[]string{"roles=order"}, "set db.url"},
		"on a server":        {[]string{server, "roles=order"}, ""},
		"all with simulator": {[]string{server, "sandbox.addr=127.0.0.1:0"}, ""},
		"own simulator":      {[]string{server, "roles=order", "sandbox.addr=127.0.0.1:0"}, "panshi sandbox"},
		"shared simulator":   {[]string{server, "roles=order", "sandbox.url=http://127.0.0.1:1"}, ""},
		"idle worker":        {[]string{server, "roles=order,worker", "worker=off"}, "contradicts"},
		"all without worker": {[]string{"worker=off"}, ""},
		"replicas":           {[]string{server, "db.replica_urls=postgres://shop@r1/shop,postgres://shop@r2/shop"}, ""},
		"replica of SQLite":  {[]string{"db.replica_urls=postgres://shop@r1/shop"}, "db.url, which is not set"},
		"replica no URL":     {[]string{server, "db.replica_urls=ftp://shop:hunter2@r1"}, "db.replica_urls[0]"},
		"replica twice":      {[]string{server, "db.replica_urls=postgres://a@r1/shop,postgres://b@r1/shop"}, "named twice"},
		"lag of nothing":     {[]string{server, "db.replica_max_lag=1ms"}, "replica_max_lag"},
	} {
		_, err := Load(Flags{Data: "x", Set: c.set})
		if c.says == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, c.says, name)
			require.NotContains(t, err.Error(), "hunter2", name)
		}
	}
}

// node opens a shop on a fresh server database with some roles.
func node(t *testing.T, roles string) *Shop {
	t.Helper()
	cfg, err := Load(Flags{Data: filepath.Join(t.TempDir(), "shop"), Set: []string{"db.url=" + dbtest.EmptyPostgres(t), "roles=" + roles}})
	require.NoError(t, err)
	s, err := OpenLocal(t.Context(), cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// TestEveryRouteHasOneRole: the roles share out the whole table, so that all of
// them together answer what one process does.
func TestEveryRouteHasOneRole(t *testing.T) {
	t.Parallel()
	s := node(t, "all")
	e, err := s.newEdge()
	require.NoError(t, err)
	mux, err := s.publicMux(e)
	require.NoError(t, err)
	seen := map[Role]int{}
	for _, row := range mux.Rows() {
		role, claimed := claims(duties(), row)
		require.Equal(t, row.Audience != healthAudience, claimed, "%s %s", row.Route.Method, row.Route.Pattern)
		seen[role]++
	}
	for _, r := range []Role{RoleCatalog, RoleOrder, RolePayment, RoleAccount} {
		require.Positive(t, seen[r], r)
	}
	_, err = s.cfg.narrowPublic(mux)
	require.NoError(t, err)
	require.NoError(t, mux.Add(web.Audience{Name: "new", Headers: web.APIHeaders()}, func() web.Route {
		r := mediaRoute()
		r.Pattern = "/forgotten"
		return r
	}()))
	_, err = s.cfg.narrowPublic(mux)
	require.ErrorContains(t, err, "/forgotten", "a new route must get a role")
}

// TestAProcessAnswersForItsRoles asks one route of each role.
func TestAProcessAnswersForItsRoles(t *testing.T) {
	t.Parallel()
	s := node(t, "order,worker")
	public, console, err := s.handlers()
	require.NoError(t, err)
	ask := func(h http.Handler, method, path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(method, path, nil))
		return rec
	}
	for path, misdirected := range map[string]bool{
		"GET /": true, "GET /p/x": true, "GET /api/v1/products": true, "GET /openapi.json": true, "GET /media/demo/x.svg": true,
		"GET /api/v1/orders/1": false, "POST /api/v1/orders": false, "GET /checkout": false, "GET /orders/1": false,
		"GET /orders/1/pay": true, "POST /api/v1/orders/1/payments": true, "POST /notify/wechatpay/1": true, "GET /lookup": true,
		"GET /credit": true, "POST /api/v1/credit": true, "POST /orders/1/pay/credit": true,
		"GET /healthz": false, "GET /readyz": false, "GET /nowhere": false,
	} {
		method, target, _ := strings.Cut(path, " ")
		rec := ask(public, method, target)
		require.Equal(t, misdirected, rec.Code == http.StatusMisdirectedRequest, "%s: %d", path, rec.Code)
		if misdirected {
			require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"), path)
			require.Contains(t, rec.Body.String(), `"code":"not_served_here"`, path)
		}
	}
	require.Equal(t, "ok\nroles order,worker\n", ask(public, http.MethodGet, "/readyz").Body.String())
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/readyz": 200, "/console/api/v1/orders": 421} {
		require.Equal(t, want, ask(console, http.MethodGet, path).Code, path)
	}
}

// TestWorkIsSharedOut: each job and sweep has a process that does it.
func TestWorkIsSharedOut(t *testing.T) {
	t.Parallel()
	s := node(t, "all")
	all := slices.Concat(s.checkout.Sweeps(), s.accounts.Sweeps())
	work := func(roles, worker string) (jobs bool, names []string) {
		cfg := s.cfg
		cfg.Roles, cfg.Worker = roles, worker
		handlers, sweeps, err := cfg.work(s.checkout.Handlers(), all)
		require.NoError(t, err)
		for _, s := range sweeps {
			names = append(names, s.Name)
		}
		return len(handlers) > 0, names
	}
	everyJob, everySweep := work("all", "on")
	require.True(t, everyJob)
	require.Len(t, everySweep, len(all))
	workerJobs, workerSweeps := work("worker", "on")
	keeperJobs, keeperSweeps := work("keeper", "on")
	require.True(t, workerJobs)
	require.False(t, keeperJobs)
	require.ElementsMatch(t, everySweep, slices.Concat(workerSweeps, keeperSweeps))
	for _, c := range [][2]string{{"all", "off"}, {"catalog,order,payment,account,console", "on"}} {
		hasJobs, sweeps := work(c[0], c[1])
		require.False(t, hasJobs, c)
		require.Empty(t, sweeps, c)
	}
	_, _, err := s.cfg.work(nil, append(all, jobs.Sweep{Name: "forgotten", Run: func(context.Context) (bool, error) { return false, nil }}))
	require.ErrorContains(t, err, "forgotten", "a new sweep must get a role")
}
