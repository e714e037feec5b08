package app

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/mirror"
	"panshi/internal/backup/ship"
	"panshi/internal/clock"
	"panshi/internal/notify"
)

// Everything that can ail backups is told by an alert of its own, when it has
// lasted as long as it has to, and is over when it is mended.
func TestWhatAilsBackupsIsTold(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	copyWith := func(change func(*backup.Copy)) func(*ship.Status) {
		return func(s *ship.Status) { change(&s.Destinations[0]) }
	}
	alarm := func(code string) func(*ship.Status) {
		return copyWith(func(c *backup.Copy) { c.Alarms = []string{code}; c.Lag = time.Hour; c.Failure = "backup_full" })
	}
	plan := func(p backup.Planned) func(*ship.Status) {
		return func(s *ship.Status) { s.Schedule = append(s.Schedule, p) }
	}
	for name, c := range map[string]struct {
		harm  func(*ship.Status)
		code  string
		told  string // the code or lag in the text
		after time.Duration
	}{
		"shipping fails":    {func(s *ship.Status) { s.Failure = "spool_full" }, backupFailed, "spool_full", failingFor},
		"shipping is still": {func(s *ship.Status) { s.Lag = 31 * time.Second }, backupLagging, "31s", 0},
		"nothing is copied": {func(s *ship.Status) { s.Alarms = []string{mirror.AlarmQuiet} }, backupFailed, mirror.AlarmQuiet, 0},
		"dead":              {alarm(mirror.AlarmFailing), backupFailed, "backup_full", failingFor},
		"behind":            {alarm(mirror.AlarmLag), backupLagging, "1h0m0s", 0},
		"lying":             {alarm(mirror.AlarmLie), backupFailed, mirror.AlarmLie, 0},
		"vanished":          {alarm(mirror.AlarmVanished), backupFailed, mirror.AlarmVanished, 0},
		"split brain":       {alarm(mirror.AlarmSplitBrain), backupFailed, mirror.AlarmSplitBrain, 0},
		"needs a full":      {alarm(mirror.AlarmNeedsFull), backupFailed, mirror.AlarmNeedsFull, 0},
		"not proved": {
			copyWith(func(c *backup.Copy) { c.ProofFailed = "restore_gap" }), backupFailed, "backup_proof_failed: restore_gap", 0,
		},
		"proof overdue": {plan(backup.Planned{What: backup.PlannedProof, Label: "nas", Note: noteOverdue}), backupFailed, "backup_proof_overdue", 0},
		"proof died":    {plan(backup.Planned{What: backup.PlannedProof, Label: "nas", Note: noteDied}), backupFailed, noteDied, 0},
		"no full": {
			plan(backup.Planned{What: backup.PlannedFull, LastGood: start.Add(-29 * time.Hour)}), backupFailed, "backup_full_overdue", 0,
		},
	} {
		broken := false
		now := clock.NewManual(start)
		open := map[string][]notify.Alert{}
		w := &backupWatch{
			clock: now, log: slog.New(slog.DiscardHandler), since: map[string]time.Time{},
			status: func(context.Context) (ship.Status, error) {
				s := ship.Status{Shipping: true, Destinations: []backup.Copy{{Label: "nas"}, {Label: "oss"}}}
				if broken {
					c.harm(&s)
				}
				return s, nil
			},
			keep: func(_ context.Context, code, _ string, alerts []notify.Alert) error {
				open[code] = alerts
				return nil
			},
		}
		look := func() []notify.Alert {
			_, err := w.look(t.Context())
			require.NoError(t, err)
			return slices.Concat(open[backupFailed], open[backupLagging])
		}
		require.Empty(t, look(), name)
		broken = true
		if c.after > 0 {
			require.Empty(t, look(), name)
			now.Advance(c.after - time.Second)
			require.Empty(t, look(), name)
			now.Advance(time.Second)
		}
		all := look()
		require.Len(t, all, 1, name)
		require.Equal(t, c.code, all[0].Code, name)
		require.Contains(t, []string{all[0].Args["code"], all[0].Args["lag"]}, c.told, name)
		broken = false
		require.Empty(t, look(), name)
	}
}

// An alarm that is over at once is seen all the same, for a minute.
func TestABriefAlarmIsSeen(t *testing.T) {
	t.Parallel()
	var r recentAlarms
	now := clock.System{}.Now()
	r.note(mirror.Alert{Code: mirror.AlarmLie, Label: "nas", Raised: true, At: now})
	r.note(mirror.Alert{Code: mirror.AlarmLie, Label: "nas", At: now})
	r.note(mirror.Alert{Code: mirror.AlarmFailing, Label: "nas", Raised: true, At: now})
	r.note(mirror.Alert{Code: mirror.AlarmSpool, Raised: true, At: now.Add(-2 * recentFor)})
	require.Equal(t, []string{mirror.AlarmLie}, r.with("nas", nil))
	require.Equal(t, []string{mirror.AlarmLie}, r.with("nas", []string{mirror.AlarmLie}))
	require.Empty(t, r.with("oss", nil))
	require.Empty(t, r.with("", nil))
}

// Of several processes on one server only the one that ships keeps alerts: the
// others would end what it raised.
func TestWhoDoesNotShipLeavesAlertsAlone(t *testing.T) {
	t.Parallel()
	asked := false
	s := &Shop{cfg: Config{DB: DBConfig{URL: "postgres://db/shop"}}, db: &database{}}
	s.db.backup.status = func(context.Context) (ship.Status, error) {
		asked = true
		return ship.Status{}, context.Canceled
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.watchBackups(ctx)
	require.False(t, asked)
}
