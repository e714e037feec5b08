package schedule_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/schedule"
)

// A year with any number of destinations, of which some fail now and then:
// every whole copy is proved from one of them within the hour or two that a
// failure costs, every destination once a week, and a good one never more often
// than a whole copy comes.
func TestEveryFullAndEveryDestinationIsProved(t *testing.T) {
	t.Parallel()
	random := roll(t)
	for n := 1; n <= 9; n++ {
		copies := make([]schedule.Copy, n)
		for i := range copies {
			copies[i].Label = fmt.Sprint("d", i)
		}
		start := time.Date(2026, 5, 3, 4, 0, 0, 0, time.UTC)
		runs, day := 0, start
		var proved time.Time
		for now := start; now.Before(start.AddDate(0, 3, 0)); now = now.Add(10 * time.Minute) {
			if !now.Before(day) {
				for i := range copies {
					copies[i].Full = day
				}
				day = day.Add(24 * time.Hour)
			}
			if p, ok := schedule.EveryFull.Next(copies, now); ok && !p.At.After(now) {
				c := find(copies, p.Label)
				runs++
				c.Tried, c.Bad = now, random(10) == 0
				if !c.Bad {
					c.Good, c.Of, proved = now, c.Full, c.Full
				}
			}
			if now.Sub(copies[0].Full) > 12*time.Hour {
				require.Equal(t, copies[0].Full, proved, "%d destinations: a whole copy is not proved after half a day", n)
			}
			for _, c := range copies {
				require.False(t, schedule.EveryFull.Overdue(c, start, now), "%d destinations: %s", n, c.Label)
			}
		}
		days := int(day.Sub(start) / (24 * time.Hour))
		weekly := n * days / 7
		require.LessOrEqual(t, runs, (max(days, weekly)+n)*16/10, "%d destinations: too often", n)
	}
}

func find(copies []schedule.Copy, label string) *schedule.Copy {
	for i := range copies {
		if copies[i].Label == label {
			return &copies[i]
		}
	}
	panic(label)
}

func TestWhatIsProvedNext(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	ago := func(days float64) time.Time { return now.Add(-time.Duration(days * 24 * float64(time.Hour))) }
	proved := func(label string, full, good float64) schedule.Copy {
		return schedule.Copy{Label: label, Full: ago(full), Good: ago(good), Of: ago(good), Tried: ago(good)}
	}
	bad := proved("bad", 1, 9)
	bad.Tried, bad.Bad = ago(0.01), true
	future := proved("future", 1, -400)
	for _, c := range []struct {
		name   string
		rhythm schedule.Rhythm
		copies []schedule.Copy
		label  string
		in     time.Duration
	}{
		{"nothing is there", schedule.EveryFull, []schedule.Copy{{Label: "a"}}, "", 0},
		{"never proved", schedule.Weekly, []schedule.Copy{{Label: "a", Full: ago(1)}}, "a", 0},
		{"off", schedule.Never, []schedule.Copy{{Label: "a", Full: ago(1)}}, "", 0},
		{"a new whole copy", schedule.EveryFull, []schedule.Copy{proved("a", 0.1, 1), proved("b", 0.1, 2)}, "b", 0},
		{"it has not arrived where it is due", schedule.EveryFull, []schedule.Copy{proved("a", 0.1, 1), proved("b", 1.1, 2)}, "a", 0},
		{"weekly does not mind", schedule.Weekly, []schedule.Copy{proved("a", 0.1, 1), proved("b", 0.1, 2)}, "b", 5 * 24 * time.Hour},
		{"it is proved already", schedule.EveryFull, []schedule.Copy{proved("a", 1, 0.9), proved("b", 1, 3)}, "b", 4 * 24 * time.Hour},
		{"a failure waits an hour", schedule.Weekly, []schedule.Copy{bad}, "bad", time.Hour - 864*time.Second},
		{"and another destination goes first", schedule.EveryFull, []schedule.Copy{bad, proved("good", 1, 2)}, "good", 0},
		{"a proof that is not yet", schedule.Weekly, []schedule.Copy{future}, "future", 0},
	} {
		p, ok := c.rhythm.Next(c.copies, now)
		require.Equal(t, c.label != "", ok, c.name)
		require.Equal(t, c.label, p.Label, c.name)
		if ok {
			require.Equal(t, c.in, p.At.Sub(now), c.name)
		}
	}
	require.True(t, schedule.Weekly.Overdue(proved("a", 1, 8.1), now, now))
	require.False(t, schedule.Weekly.Overdue(proved("a", 1, 7.9), now, now))
	require.True(t, schedule.Weekly.Overdue(schedule.Copy{Full: ago(1)}, ago(9), now))
	require.False(t, schedule.Never.Overdue(proved("a", 1, 80), now, now))
}
