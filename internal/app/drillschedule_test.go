package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/drill"
	"panshi/internal/clock"
	"panshi/internal/notify"
	"panshi/internal/vault"
)

// heard is the alerts that are open, by code and subject.
type heard map[string]notify.Severity

func (h heard) Keep(_ context.Context, code string, now []notify.Alert) error {
	for key := range h {
		if len(key) > len(code) && key[:len(code)] == code {
			delete(h, key)
		}
	}
	for _, a := range now {
		h[code+" "+a.Subject] = a.Severity
	}
	return nil
}

// rehearsing is a shop with a sheet whose drills come to what outcome says: ""
// has passed, "died" leaves no report.
func rehearsing(t *testing.T, outcome func(drill.Name) string) (r *rehearsals, now *clock.Manual, open heard) {
	t.Helper()
	cfg := Defaults()
	cfg.Data = filepath.Join(t.TempDir(), "shop")
	cfg.Vault = VaultConfig(vault.DefaultConfig(cfg.Data))
	_, err := vault.Create(vault.Config(cfg.Vault))
	require.NoError(t, err)
	recovery, err := NewRecovery(cfg, RecoveryOptions{Shop: "tea"}, time.Now())
	require.NoError(t, err)
	require.NoError(t, recovery.Save())
	keys, err := backupKeys(cfg)
	require.NoError(t, err)
	now, open = clock.NewManual(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)), heard{}
	r = &rehearsals{cfg: cfg, alerts: open, clock: now, zone: time.UTC, log: slog.New(slog.DiscardHandler), died: map[drill.Name]time.Time{}}
	r.start = func(_ context.Context, name drill.Name) error {
		if outcome(name) == "died" {
			return nil
		}
		_, err := cfg.drills(keys).Keep(drill.Report{Drill: name, At: now.Now(), Failure: outcome(name)}, nil, keys)
		return err
	}
	return r, now, open
}

// pass lets days go by.
func (r *rehearsals) pass(t *testing.T, now *clock.Manual, days int) {
	t.Helper()
	for range days * 24 {
		now.Advance(time.Hour)
		require.NoError(t, r.look(t.Context()))
	}
}

// In a month each drill runs. One that does not pass is an alert, and its pass
// ends it; one that never leaves a report is overdue at 31 days.
func TestDrillsRunByThemselves(t *testing.T) {
	t.Parallel()
	failing := map[drill.Name]string{
		drill.StandbyFailover: "drill_no_standby", drill.DiskLost: "restore_gap", drill.Runbook: "died",
	}
	r, now, open := rehearsing(t, func(n drill.Name) string { return failing[n] })
	r.pass(t, now, 29)
	require.Equal(t, heard{"drill_failed standby-failover": notify.Warning, "drill_failed disk-lost": notify.Critical}, open)
	r.pass(t, now, 3)
	require.Equal(t, heard{
		"drill_failed standby-failover": notify.Warning, "drill_failed disk-lost": notify.Critical,
		"drill_overdue standby-failover": notify.Warning, "drill_overdue disk-lost": notify.Critical, "drill_overdue runbook": notify.Critical,
	}, open)
	clear(failing)
	r.pass(t, now, 8)
	require.Empty(t, open, "each passed, some a week after they failed")
}

// While a proof has its scratch directory, no drill begins; it comes after it.
func TestNoDrillBesideAProof(t *testing.T) {
	t.Parallel()
	ran := 0
	r, now, _ := rehearsing(t, func(drill.Name) string { ran++; return "" })
	lock, err := r.cfg.alone()
	require.NoError(t, err)
	r.pass(t, now, 5)
	require.Zero(t, ran)
	require.NoError(t, lock.Close())
	r.pass(t, now, 1)
	require.Positive(t, ran)
}

// A drill is this program once more, with its name, on one processor; what it
// says goes to the log.
func TestADrillIsAProcessOfItsOwn(t *testing.T) {
	t.Parallel()
	r, _, _ := rehearsing(t, func(drill.Name) string { return "" })
	told := filepath.Join(t.TempDir(), "told")
	r.cfg.DrillCommand = []string{"/bin/sh", "-c", `echo "$GOMAXPROCS $*" > ` + told, "drill"}
	require.NoError(t, r.child(t.Context(), drill.KeyLost))
	said, err := os.ReadFile(told)
	require.NoError(t, err)
	require.Equal(t, "1 --json --scratch "+filepath.Dir(r.cfg.Data)+" key-lost\n", string(said))
	r.cfg.DrillCommand = []string{"/bin/false"}
	require.Error(t, r.child(t.Context(), drill.KeyLost))
}
