package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"panshi/internal/payment/routing"
)

// accountHealth tells monitoring how payment accounts fare in this process.
type accountHealth struct {
	router                      *routing.Router
	score, open, latency, calls *prometheus.Desc
}

func newAccountHealth(r *routing.Router) accountHealth {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("panshi_payment_account_"+name, help, append([]string{"account"}, labels...), nil)
	}
	return accountHealth{
		router: r, score: desc("score", "How healthy a payment account is, 0 to 1."),
		open:    desc("breaker_open", "1 while a payment account is not asked because it fails."),
		latency: desc("latency_seconds", "How long calls to a payment account took lately."),
		calls:   desc("calls_total", "Calls to a payment account since the start, by what came of them.", "outcome"),
	}
}

// Describe implements prometheus.Collector.
func (a accountHealth) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{a.score, a.open, a.latency, a.calls} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (a accountHealth) Collect(out chan<- prometheus.Metric) {
	for accountID, h := range a.router.Healths() {
		account := accountID.String()
		open := 0.0
		if h.Breaker == "open" {
			open = 1
		}
		out <- prometheus.MustNewConstMetric(a.score, prometheus.GaugeValue, h.Score, account)
		out <- prometheus.MustNewConstMetric(a.open, prometheus.GaugeValue, open, account)
		out <- prometheus.MustNewConstMetric(a.latency, prometheus.GaugeValue, h.Latency.Seconds(), account)
		for outcome, n := range map[string]int64{"answered": h.Calls - h.Failures, "failed": h.Failures, "refused": h.Refused} {
			out <- prometheus.MustNewConstMetric(a.calls, prometheus.CounterValue, float64(n), account, outcome)
		}
	}
}
