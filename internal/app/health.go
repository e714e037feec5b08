package app

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"panshi/internal/db"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// healthAudience is whoever watches the process; its routes are on both
// listeners, whatever roles the process has.
const healthAudience = "health"

// healthRoutes tell whoever watches the process that it lives (healthz) and
// that it can do its part (readyz: the database answers; it tells the roles).
func (s *Shop) healthRoutes() []web.Route {
	return []web.Route{
		{
			Method: http.MethodGet, Pattern: "/healthz", Permission: perm.Anyone, Priority: perm.Critical,
			Limit: web.LimitStatic, Handler: answerOK,
		},
		{
			Method: http.MethodGet, Pattern: "/readyz", Permission: perm.Anyone, Priority: perm.Critical,
			Limit: web.LimitStatic, Handler: s.answerReady,
		},
	}
}

func answerOK(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := w.Write([]byte("ok\n"))
	return err
}

func (s *Shop) answerReady(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel()
	if err := s.db.View(ctx, func(tx *db.Tx) error {
		var one int64
		return tx.Get([]any{&one}, `SELECT 1`)
	}); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := fmt.Fprintf(w, "ok\nroles %s\n", strings.Join(s.cfg.told(), ","))
	return err
}

// readyGauges tell how the pages and lists kept in memory fare.
func (s *Shop) readyGauges() []gauge {
	return []gauge{
		{name: "panshi_ready_hits_total", help: "Pages and lists answered from memory since the start.", read: func() float64 { return float64(s.ready.Stats().Hits) }},
		{name: "panshi_ready_loads_total", help: "Pages and lists made since the start.", read: func() float64 { return float64(s.ready.Stats().Loads) }},
		{name: "panshi_ready_failed_total", help: "Of them, those that could not be made.", read: func() float64 { return float64(s.ready.Stats().Failed) }},
		{name: "panshi_ready_bytes", help: "Pages and lists in memory.", read: func() float64 { return float64(s.ready.Stats().Bytes) }},
	}
}

// alertGauges tell how alerting fares, as the sweep of this process saw it.
func (s *Shop) alertGauges() []gauge {
	return []gauge{
		{name: "panshi_alerts_open", help: "Alerts that are not resolved.", read: func() float64 { return float64(s.notify.LastStanding().Open) }},
		{name: "panshi_alerts_undelivered", help: "Messages that every channel refused.", read: func() float64 { return float64(s.notify.LastStanding().Undelivered) }},
	}
}

// metricsRoute serves what monitoring reads, on the staff's listener.
func (s *Shop) metricsRoute(guarded func() int64) web.Route {
	registry := prometheus.NewRegistry()
	inFlight := gauge{
		name: "panshi_requests_in_flight", help: "Requests under way on all listeners.",
		read: func() float64 { return float64(guarded()) },
	}
	for _, g := range slices.Concat([]gauge{inFlight, s.bulkheadGauge()}, s.db.gauges, s.readyGauges(), s.alertGauges()) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help, ConstLabels: g.labels}, g.read))
	}
	registry.MustRegister(newAccountHealth(s.router), newCopyHealth(s.db.backup.copies), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return web.Route{
		Method: http.MethodGet, Pattern: "/metrics", Permission: perm.Anyone, Priority: perm.Critical, Limit: web.LimitStatic,
		Handler: func(w http.ResponseWriter, r *http.Request) error {
			handler.ServeHTTP(w, r)
			return nil
		},
	}
}
