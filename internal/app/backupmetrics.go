package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"panshi/internal/backup"
	"panshi/internal/clock"
)

// copyHealth tells monitoring how each destination of the configuration stands,
// by its label.
type copyHealth struct {
	copies  func() []backup.Copy
	metrics []copyMetric
}

// copyMetric is a number of each destination; a time that never was is told by
// not being there.
type copyMetric struct {
	desc *prometheus.Desc
	read func(c backup.Copy, now time.Time) (value float64, told bool)
}

func newCopyHealth(copies func() []backup.Copy) copyHealth {
	h := copyHealth{copies: copies}
	add := func(name, help string, read func(backup.Copy, time.Time) (float64, bool)) {
		desc := prometheus.NewDesc("panshi_backup_destination_"+name, help, []string{"destination"}, nil)
		h.metrics = append(h.metrics, copyMetric{desc, read})
	}
	number := func(read func(backup.Copy) float64) func(backup.Copy, time.Time) (float64, bool) {
		return func(c backup.Copy, _ time.Time) (float64, bool) { return read(c), true }
	}
	age := func(read func(backup.Copy) time.Time) func(backup.Copy, time.Time) (float64, bool) {
		return func(c backup.Copy, now time.Time) (float64, bool) {
			at := read(c)
			return now.Sub(at).Seconds(), !at.IsZero()
		}
	}
	add("lag_seconds", "Age of the oldest file that the destination lacks.", number(func(c backup.Copy) float64 { return c.Lag.Seconds() }))
	add("bytes", "Bytes of backups at the destination.", number(func(c backup.Copy) float64 { return float64(c.Bytes) }))
	add("objects", "Objects at the destination.", number(func(c backup.Copy) float64 { return float64(c.Objects) }))
	add("waiting_objects", "Objects that wait for the destination.", number(func(c backup.Copy) float64 { return float64(c.Pending) }))
	add("waiting_bytes", "Bytes that wait for the destination.", number(func(c backup.Copy) float64 { return float64(c.PendingBytes) }))
	add("alarms", "Alarms of the destination that stand.", number(func(c backup.Copy) float64 { return float64(len(c.Alarms)) }))
	add("failing", "1 if the last round of copying failed.", number(func(c backup.Copy) float64 { return oneIf(c.Failure != "") }))
	add("recovery_point_age_seconds", "Age of the newest state that the destination can bring back.", age(backup.Copy.Point))
	add("full_age_seconds", "Age of the newest whole copy at the destination.", age(func(c backup.Copy) time.Time { return c.Full }))
	add("proof_age_seconds", "How long ago a restore from the destination was last found sound.", age(func(c backup.Copy) time.Time { return c.Proved }))
	add("proof_failed", "1 if the last restore from the destination was not sound.", number(func(c backup.Copy) float64 { return oneIf(c.ProofFailed != "") }))
	return h
}

// Describe implements prometheus.Collector.
func (h copyHealth) Describe(out chan<- *prometheus.Desc) {
	for _, m := range h.metrics {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (h copyHealth) Collect(out chan<- prometheus.Metric) {
	now := clock.System{}.Now()
	for _, c := range h.copies() {
		for _, m := range h.metrics {
			if value, told := m.read(c, now); told {
				out <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, value, c.Label)
			}
		}
	}
}
