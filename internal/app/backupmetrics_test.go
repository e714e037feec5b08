package app

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
)

// Each destination has its numbers, and what never was has none.
func TestEachDestinationIsMeasured(t *testing.T) {
	t.Parallel()
	now := time.Now()
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCopyHealth(func() []backup.Copy {
		return []backup.Copy{
			{
				Label: "nas", Restorable: true, To: now.Add(-time.Hour), Complete: now.Add(-time.Minute), Full: now.Add(-2 * time.Hour), Proved: now.Add(-3 * time.Hour),
				Objects: 7, Bytes: 8, Pending: 9, PendingBytes: 10, Lag: 11 * time.Second, Failure: "backup_full", Alarms: []string{"a", "b"}, ProofFailed: "x",
			},
			{Label: "oss"},
		}
	}))
	families, err := registry.Gather()
	require.NoError(t, err)
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			require.Len(t, m.GetLabel(), 1)
			got[family.GetName()[len("panshi_backup_destination_"):]+" "+m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"objects": 7, "bytes": 8, "waiting_objects": 9, "waiting_bytes": 10, "lag_seconds": 11, "failing": 1, "alarms": 2, "proof_failed": 1,
		"recovery_point_age_seconds": 60, "full_age_seconds": 2 * 3600, "proof_age_seconds": 3 * 3600,
	} {
		require.InDelta(t, want, got[name+" nas"], 30, name)
		value, there := got[name+" oss"]
		require.Zero(t, value, name)
		require.Equal(t, !strings.HasSuffix(name, "age_seconds"), there, name)
	}
}
