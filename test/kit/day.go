//go:build faultpoints

package kit

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/reconcile"
)

// untilBills is how long after any moment of a day it is noon of the next: bills
// are there at ten, and at noon that there is none means that nobody paid.
const untilBills = 36 * time.Hour

// Today is the platforms' day.
func Today() string { return time.Now().In(reconcile.Zone()).Format(time.DateOnly) }

// NextDay stops the shop and its platform, and starts both when the bills of
// today are there: nothing but their clocks moves. The shop's own sweeps are
// off then, so that a command reconciles.
func (s *Shop) NextDay() {
	s.t.Helper()
	require.Zero(s.t, s.Stop(time.Minute))
	later := clock.AheadEnv + "=" + untilBills.String()
	s.platform.restart(s.t, later)
	s.settings = append(s.settings, "worker=off")
	s.Start(later)
}

// restart ends the platform's process and starts it again.
func (p *Platform) restart(t testing.TB, env ...string) {
	t.Helper()
	require.Zero(t, p.Stop(time.Minute))
	require.NoError(t, p.launch(t, env...))
}

// RequireReconciled runs `panshi reconcile` for days, each of which must close
// with all accounts, and gives how many lines the bills had in all.
func (s *Shop) RequireReconciled(days ...string) (lines int64) {
	s.t.Helper()
	for _, day := range days {
		r := s.Run("reconcile", "--date", day, "--json")
		require.Zero(s.t, r.Code, "panshi reconcile --date %s\n%s\n%s", day, r.Out, r.Err)
		var report reconcile.Report
		require.NoError(s.t, json.Unmarshal([]byte(r.Out), &report), r.Out)
		require.NotEmpty(s.t, report.Days)
		for _, d := range report.Days {
			require.Equal(s.t, reconcile.Closed, d.State, "%s %s", d.Provider, d.Number)
			lines += d.BillCount
		}
	}
	return lines
}
