package schedule_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/schedule"
)

// roll gives numbers from 0 to below n that look random, and prints what they
// come from.
func roll(t *testing.T) func(n int) int {
	seed, rolled := time.Now().UnixNano(), 0
	t.Logf("seed %d", seed)
	return func(n int) int {
		rolled++
		sum := sha256.Sum256(fmt.Append(nil, seed, rolled))
		return int(binary.BigEndian.Uint32(sum[:]) % uint32(n))
	}
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	require.NoError(t, err)
	return z
}

// zones have no summer time, summer time that skips and repeats an hour before
// the window, one that does so inside it, and half an hour of it.
func zones() []string {
	return []string{"UTC", "Asia/Shanghai", "Europe/Berlin", "Europe/Athens", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"}
}

// Every day of two years has one moment, in the window, for shops of all kinds.
func TestEveryDayHasOneMomentInItsWindow(t *testing.T) {
	t.Parallel()
	for _, name := range zones() {
		z := zone(t, name)
		for shop := range 40 {
			d := schedule.NewDaily(fmt.Sprint("shop ", shop), z)
			at := d.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, z))
			for day := range 731 {
				local := at.In(z)
				want := time.Date(2026, 1, 1+day, 12, 0, 0, 0, z)
				require.Equal(t, want.Format(time.DateOnly), local.Format(time.DateOnly), "%s, shop %d", name, shop)
				require.True(t, local.Hour() == 3 || local.Hour() == 4, "%s, shop %d: %s", name, shop, local)
				require.Equal(t, at, d.Last(at))
				next := d.Next(at)
				require.Equal(t, at, d.Last(next.Add(-time.Second)))
				at = next
			}
		}
	}
}

func TestShopsAreSpreadAndStable(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	early, late, seen := 0, 0, map[time.Time]bool{}
	for shop := range 400 {
		name := fmt.Sprint("shop ", shop)
		at := schedule.NewDaily(name, time.UTC).Next(noon)
		require.Equal(t, at, schedule.NewDaily(name, time.UTC).Next(noon))
		seen[at] = true
		if at.Hour() == 3 {
			early++
		} else {
			late++
		}
	}
	require.Greater(t, len(seen), 350)
	require.InDelta(t, early, late, 120)
}

func TestWhatIsDue(t *testing.T) {
	t.Parallel()
	d := schedule.NewDaily("a shop", time.UTC)
	at := d.Next(time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC))
	before, after := at.Add(-time.Minute), at.Add(time.Minute)
	for _, c := range []struct {
		name      string
		last, now time.Time
		due       bool
	}{
		{"never one, before the moment", time.Time{}, before, true},
		{"yesterday's, before the moment", at.AddDate(0, 0, -1), before, false},
		{"yesterday's, at the moment", at.AddDate(0, 0, -1), at, true},
		{"today's", after, after.Add(time.Minute), false},
		{"asleep over the moment", at.AddDate(0, 0, -1), at.Add(9 * time.Hour), true},
		{"asleep for a week", at.AddDate(0, 0, -7), before, true},
		{"made up for at noon", at.Add(9 * time.Hour), at.Add(20 * time.Hour), false},
		{"and again the next day", at.Add(9 * time.Hour), at.Add(24 * time.Hour), true},
		{"the clock was set back by two hours", after, after.Add(-2 * time.Hour), false},
		{"it ran a year ahead once", at.AddDate(1, 0, 0), before, true},
	} {
		require.Equal(t, c.due, d.Due(c.last, c.now), c.name)
		when := d.When(c.last, c.now)
		require.Equal(t, c.due, when.Equal(c.now), c.name)
		require.False(t, when.Before(c.now), c.name)
	}
}

// Over a month of days with a clock that is set to and fro by up to two hours,
// no two whole copies are more than 28 hours of true time apart, and there are
// about as many as days.
func TestAClockThatIsSetToAndFroLosesNoDay(t *testing.T) {
	t.Parallel()
	random := roll(t)
	for _, name := range zones() {
		d := schedule.NewDaily(fmt.Sprint("shop ", random(1000)), zone(t, name))
		start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		var last, lastTrue time.Time
		var off time.Duration
		copies := 0
		for now := start; now.Before(start.AddDate(0, 0, 40)); now = now.Add(5 * time.Minute) {
			if random(100) == 0 {
				off = time.Duration(random(241)-120) * time.Minute
			}
			if wall := now.Add(off); d.Due(last, wall) {
				last, lastTrue = wall, now
				copies++
			}
			require.Less(t, now.Sub(lastTrue), 29*time.Hour, name)
		}
		require.InDelta(t, 41, copies, 3, name)
	}
}
