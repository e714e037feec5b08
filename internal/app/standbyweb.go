package app

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"panshi/internal/adminsock"
	"panshi/internal/backup/standby"
	"panshi/internal/clock"
	"panshi/internal/guard"
	"panshi/internal/i18n"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// muxes are the tables of a standby: health on both listeners, its status and
// metrics on the staff's; to everything else it says that it sells nothing.
func (f *follower) muxes() (public, console http.Handler, err error) {
	texts, err := i18n.Load()
	if err != nil {
		return nil, nil, err
	}
	limits, err := guard.New(f.cfg.Guard, clock.System{})
	if err != nil {
		return nil, nil, err
	}
	stack, err := web.NewStack(f.cfg.Web, texts, f.log, clock.System{})
	if err != nil {
		return nil, nil, err
	}
	nothing := web.Audience{Name: "standby", Headers: web.APIHeaders(), Fail: func(w http.ResponseWriter, r *http.Request, _ error) {
		web.WriteProblem(w, r, adminsock.ErrStandby)
	}}
	health := web.Audience{Name: healthAudience, Headers: web.APIHeaders()}
	var out [2]http.Handler
	for i, routes := range [][]web.Route{f.healthRoutes(), append(f.healthRoutes(), f.staffRoutes()...)} {
		mux, err := web.NewMux(f.cfg.Web, limits, limits, nothing)
		if err != nil {
			return nil, nil, err
		}
		if err := mux.Add(health, routes...); err != nil {
			return nil, nil, err
		}
		out[i] = stack.Wrap(mux)
	}
	return out[0], out[1], nil
}

func open200(pattern string, handler web.HandlerFunc) web.Route {
	return web.Route{
		Method: http.MethodGet, Pattern: pattern, Permission: perm.Anyone, Priority: perm.Critical, Limit: web.LimitStatic, Handler: handler,
	}
}

// healthRoutes: a standby lives, and is never ready: nobody may send buyers to it.
func (f *follower) healthRoutes() []web.Route {
	return []web.Route{
		open200("/healthz", answerOK),
		open200("/readyz", func(http.ResponseWriter, *http.Request) error { return adminsock.ErrStandby }),
	}
}

// toldStandby is the status of a standby as it is shown.
type toldStandby struct {
	standby.Status
	BehindSeconds float64 `json:"behind_seconds"`
	Follows       string  `json:"follows"` // label of the lease's destination, "" without a lease
}

func (f *follower) told() toldStandby {
	s := f.parts.Status()
	return toldStandby{s, s.BehindFor(clock.System{}.Now()).Round(time.Millisecond).Seconds(), f.cfg.Backup.keeper()}
}

func (f *follower) staffRoutes() []web.Route {
	registry := prometheus.NewRegistry()
	for _, g := range f.gauges() {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help}, g.read))
	}
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return []web.Route{
		open200("/metrics", func(w http.ResponseWriter, r *http.Request) error {
			metrics.ServeHTTP(w, r)
			return nil
		}),
		open200("/standby", func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "application/json")
			return json.NewEncoder(w).Encode(f.told())
		}),
		open200("/{$}", func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			return standbyPage().Execute(w, f.told())
		}),
	}
}

func (f *follower) gauges() []gauge {
	return []gauge{
		{name: "panshi_standby_behind_seconds", help: "For how long the standby has not had all that it could see.", read: func() float64 { return f.told().BehindSeconds }},
		{name: "panshi_standby_behind_transactions", help: "Transactions that the shop shipped and the standby has not.", read: func() float64 { return float64(f.told().Behind) }},
		{name: "panshi_standby_transaction", help: "The newest transaction that the standby has.", read: func() float64 { return float64(f.told().Transaction) }},
		{name: "panshi_standby_failing", help: "1 if the last look failed.", read: func() float64 { return oneIf(f.told().Failure != "") }},
		{name: "panshi_standby_primary_age_seconds", help: "How long ago the shop's lease was seen to move.", read: func() float64 {
			if seen := f.told().PrimarySeen; !seen.IsZero() {
				return clock.System{}.Now().Sub(seen).Seconds()
			}
			return 0
		}},
	}
}

// standbyPage shows the status to a person; it is made at each call, which is
// seldom.
func standbyPage() *template.Template {
	return template.Must(template.New("standby").Funcs(template.FuncMap{
		"utc": func(s standby.State) string { return fmt.Sprint(s.At().Format(time.RFC3339)) },
	}).Parse(`<!doctype html><html lang="zh-CN"><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>Panshi standby 备用机</title>
<h1>备用机 Standby</h1>
<p>本机只读，不接受订单；接管请运行 <code>panshi promote</code>。 This machine sells nothing until it is promoted.</p>
<table>
<tr><th>状态 State<td>{{if .Failure}}{{.Failure}}{{else}}跟随中 following{{end}}
<tr><th>落后 Behind<td>{{.BehindSeconds}} s, {{.Behind}} 笔事务 transactions
<tr><th>已有数据截至 State of<td>{{utc .State}} ({{.Generation}}, {{.Transaction}})
<tr><th>主机 Primary<td>{{.Primary}} (epoch {{.Epoch}})
</table></html>
`))
}
