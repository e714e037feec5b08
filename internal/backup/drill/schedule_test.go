package drill_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/drill"
)

func shanghai() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// year lets a year go by, looked at every hour; skip tells at which times
// the machine is off, and fails which drills do not pass.
func year(t *testing.T, s drill.Schedule, skip func(time.Time) bool, fails func(drill.Name) bool) (ran map[drill.Name][]time.Time, overdue map[drill.Name]int) {
	t.Helper()
	since := time.Date(2026, 1, 5, 9, 0, 0, 0, s.Zone)
	standings := map[drill.Name]drill.Standing{}
	ran, overdue = map[drill.Name][]time.Time{}, map[drill.Name]int{}
	for at := since; at.Before(since.AddDate(1, 0, 0)); at = at.Add(time.Hour) {
		for _, d := range drill.All() {
			if !drill.Overdue(standings[d.Name], since, at).IsZero() {
				overdue[d.Name]++
			}
		}
		if skip(at) {
			continue
		}
		d, ok := s.Due(standings, since, at, func(drill.Name) bool { return false })
		if !ok {
			continue
		}
		ran[d.Name] = append(ran[d.Name], at)
		k := drill.Kept{Report: drill.Report{Drill: d.Name, At: at}}
		st := drill.Standing{Last: &k, Passed: &k}
		if fails(d.Name) {
			k.Failure = "drill_no_standby"
			st.Passed = standings[d.Name].Passed
		}
		standings[d.Name] = st
	}
	return ran, overdue
}

func never(time.Time) bool        { return false }
func allPass(drill.Name) bool     { return false }
func noStandby(n drill.Name) bool { return n == drill.StandbyFailover }

// Twelve months bring at least twelve reports of each drill, at night, on nights
// of their own, and none is ever overdue.
func TestAYearOfDrills(t *testing.T) {
	t.Parallel()
	ran, overdue := year(t, drill.Schedule{Shop: "tea", Zone: shanghai()}, never, allPass)
	require.Len(t, ran, len(drill.All()))
	require.Empty(t, overdue)
	nights := map[string]int{}
	for name, times := range ran {
		require.GreaterOrEqual(t, len(times), 12, name)
		require.LessOrEqual(t, len(times), 14, name)
		for _, at := range times {
			require.Contains(t, []int{2, 3}, at.Hour(), "%s at %v", name, at)
			nights[at.Format(time.DateOnly)]++
		}
	}
	for night, n := range nights {
		require.Equal(t, 1, n, night)
	}
	again, _ := year(t, drill.Schedule{Shop: "tea", Zone: shanghai()}, never, allPass)
	require.Equal(t, ran, again, "stable")
	other, _ := year(t, drill.Schedule{Shop: "coffee", Zone: shanghai()}, never, allPass)
	require.NotEqual(t, ran, other, "another shop has other nights")
}

// A machine that sleeps at night rehearses by day, the day after; one that is
// off for a month is overdue meanwhile, catches up, and is spread again.
func TestMissedNightsAreCaughtUp(t *testing.T) {
	t.Parallel()
	asleep := func(at time.Time) bool { return at.Hour() < 8 || at.Hour() > 20 }
	ran, overdue := year(t, drill.Schedule{Shop: "tea", Zone: shanghai()}, asleep, allPass)
	require.Empty(t, overdue)
	require.Len(t, ran, len(drill.All()))
	off := func(at time.Time) bool { return at.Month() == time.March || at.Month() == time.April }
	ran, overdue = year(t, drill.Schedule{Shop: "tea", Zone: shanghai()}, off, allPass)
	require.Len(t, overdue, len(drill.All()))
	for name, times := range ran {
		require.GreaterOrEqual(t, len(times), 10, name)
		last := slices.MaxFunc(times, time.Time.Compare)
		require.True(t, last.After(time.Date(2026, 11, 20, 0, 0, 0, 0, shanghai())), "%s at %v", name, last)
	}
}

// One that does not pass is tried every week, is overdue after 31 days, and keeps
// none of the others from its turn.
func TestAFailedDrillIsTriedAgain(t *testing.T) {
	t.Parallel()
	ran, overdue := year(t, drill.Schedule{Shop: "tea", Zone: shanghai()}, never, noStandby)
	require.Len(t, overdue, 1)
	require.Positive(t, overdue[drill.StandbyFailover])
	require.Greater(t, len(ran[drill.StandbyFailover]), 40)
	require.GreaterOrEqual(t, len(ran[drill.Runbook]), 12)
}

// A clock that was far ahead when a drill ran must not put the next off for
// years, nor count as proof.
func TestAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	s := drill.Schedule{Shop: "tea", Zone: shanghai()}
	since := time.Date(2026, 1, 5, 9, 0, 0, 0, s.Zone)
	at := since.AddDate(0, 2, 0)
	k := drill.Kept{Report: drill.Report{Drill: drill.DiskLost, At: at.AddDate(5, 0, 0)}}
	st := drill.Standing{Last: &k, Passed: &k}
	require.False(t, drill.Overdue(st, since, at).IsZero())
	require.True(t, s.Next(drill.DiskLost, st, since, at).Before(at))
}

// A disk that lies in its drawer worries nobody for 31 days after it was tried.
func TestADrawerIsNoAlert(t *testing.T) {
	t.Parallel()
	passed := drill.Kept{Report: drill.Report{Drill: drill.Ransomware, At: now()}}
	failed := drill.Kept{Report: drill.Report{Drill: drill.Ransomware, At: now().AddDate(0, 0, 10), Failure: "drill_offline_untried"}}
	st := drill.Standing{Last: &failed, Passed: &passed}
	require.False(t, st.Worrying(now().AddDate(0, 0, 20)))
	require.True(t, st.Worrying(now().AddDate(0, 0, 32)))
	failed.Failure = "restore_gap"
	require.True(t, st.Worrying(now().AddDate(0, 0, 11)))
	require.False(t, drill.Standing{Last: &passed, Passed: &passed}.Worrying(now()))
}
