package app

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"panshi/internal/db"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// healthRoutes tell whoever watches the process that it lives (healthz) and
// that it can sell (readyz: the database answers).
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
	return answerOK(w, r)
}

// metricsRoute serves what monitoring reads, on the staff's listener.
func (s *Shop) metricsRoute(guarded func() int64) web.Route {
	registry := prometheus.NewRegistry()
	gauge := func(name, help string, read func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
	}
	gauge("panshi_requests_in_flight", "Requests under way on all listeners.", func() float64 { return float64(guarded()) })
	for _, g := range s.db.gauges {
		gauge(g.name, g.help, g.read)
	}
	gauge("panshi_ready_hits_total", "Pages and lists answered from memory since the start.", func() float64 { return float64(s.ready.Stats().Hits) })
	gauge("panshi_ready_loads_total", "Pages and lists made since the start.", func() float64 { return float64(s.ready.Stats().Loads) })
	gauge("panshi_ready_failed_total", "Of them, those that could not be made.", func() float64 { return float64(s.ready.Stats().Failed) })
	gauge("panshi_ready_bytes", "Pages and lists in memory.", func() float64 { return float64(s.ready.Stats().Bytes) })
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return web.Route{
		Method: http.MethodGet, Pattern: "/metrics", Permission: perm.Anyone, Priority: perm.Critical, Limit: web.LimitStatic,
		Handler: func(w http.ResponseWriter, r *http.Request) error {
			handler.ServeHTTP(w, r)
			return nil
		},
	}
}
