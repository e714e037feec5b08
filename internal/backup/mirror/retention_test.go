package mirror

import (
	"crypto/rand"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
)

// history makes a shop's log: a segment a minute, compacted every ten and every
// hour, a full every full.
func history(from time.Time, minutes int, full time.Duration) []backup.Segment {
	var out []backup.Segment
	for i := range minutes {
		at, tx := from.Add(time.Duration(i)*time.Minute), uint64(i+1)
		out = append(out, backup.Segment{Generation: 1, Min: tx, Max: tx, Time: at})
		if (i+1)%10 == 0 {
			out = append(out, backup.Segment{Generation: 1, Level: 1, Min: tx - 9, Max: tx, Time: at})
		}
		if (i+1)%60 == 0 {
			out = append(out, backup.Segment{Generation: 1, Level: 2, Min: tx - 59, Max: tx, Time: at})
		}
		if time.Duration(i)*time.Minute%full == 0 {
			out = append(out, backup.Segment{Generation: 1, Level: backup.FullLevel, Min: 1, Max: tx, Time: at})
		}
	}
	return out
}

func left(t *testing.T, r Retention, now time.Time, all []backup.Segment) []backup.Segment {
	t.Helper()
	gone, err := r.plan(now, all)
	require.NoError(t, err)
	drop := map[backup.Segment]bool{}
	for _, s := range gone {
		drop[s] = true
	}
	return slices.DeleteFunc(slices.Clone(all), func(s backup.Segment) bool { return drop[s] })
}

func small() Retention {
	return Retention{Fine: 2 * time.Hour, Window: 24 * time.Hour, Daily: 3, Fulls: 2}
}

// restorable tells whether a restore can get to this very moment.
func restorable(at time.Time, segments []backup.Segment) bool {
	before := slices.DeleteFunc(slices.Clone(segments), func(s backup.Segment) bool { return s.Time.After(at) })
	reach, found := backup.Furthest(before)
	return found && !reach.Time.Before(at)
}

func TestRetentionKeepsWhatTheWindowNeeds(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	all := history(begin, 10*24*60, 6*time.Hour)
	end := all[len(all)-1].Time
	kept := left(t, small(), end, all)
	require.Less(t, len(kept), len(all)/10)
	for minute := 0; minute < 24*60; minute += 7 {
		at := end.Add(-time.Duration(minute) * time.Minute)
		step := time.Minute
		if minute >= 120 {
			step = 10 * time.Minute
		}
		require.True(t, restorable(at.Truncate(step).Add(-time.Minute%step), kept), "%s before the end", end.Sub(at))
	}
	days := map[string]bool{}
	for _, s := range kept {
		if s.Full() {
			days[s.Time.Format(time.DateOnly)] = true
		}
	}
	require.Len(t, days, 4, "today, and three days before the window")
}

func TestRetentionDoesNotTrustAClock(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	all := history(begin, 3*24*60, 6*time.Hour)
	end := all[len(all)-1].Time
	atEnd := left(t, small(), end, all)
	for _, ahead := range []time.Duration{2 * time.Hour, 365 * 24 * time.Hour} {
		require.Equal(t, atEnd, left(t, small(), end.Add(ahead), all), "a clock that is ahead expires nothing more")
	}
	_, err := small().plan(end.Add(-2*time.Hour), all)
	require.True(t, backup.Is(err, "backup_retention_unsafe"), "a clock that is behind: %v", err)
}

func TestRetentionWithoutAFullTakesNothing(t *testing.T) {
	all := slices.DeleteFunc(history(time.Unix(0, 0), 3000, 6*time.Hour), backup.Segment.Full)
	gone, err := small().plan(time.Unix(1e6, 0), all)
	require.NoError(t, err)
	require.Empty(t, gone)
}

// TestRetentionNeverMakesAGap plays random histories with holes: whatever could
// be restored at the end and from each kept full still can.
func TestRetentionNeverMakesAGap(t *testing.T) {
	var raw [8]byte
	_, err := rand.Read(raw[:])
	require.NoError(t, err)
	seed := binary.LittleEndian.Uint64(raw[:])
	t.Log("seed", seed)
	next := func(n uint64) uint64 { // xorshift, so that the seed replays a run
		seed ^= seed << 13
		seed ^= seed >> 7
		seed ^= seed << 17
		return seed % n
	}
	for range 40 {
		all := history(time.Unix(1e9, 0), 200+int(next(4000)), time.Duration(1+next(20))*time.Hour)
		all = slices.DeleteFunc(all, func(s backup.Segment) bool { // compaction skipped, and now and then a hole
			return !s.Full() && (s.Level > 0 && next(4) == 0 || next(2000) == 0)
		})
		r := Retention{Fine: time.Duration(1+next(5)) * time.Hour, Window: time.Duration(6+next(40)) * time.Hour, Daily: int(next(4)), Fulls: 2}
		kept := left(t, r, all[len(all)-1].Time, all)
		was, _ := backup.Furthest(all)
		is, _ := backup.Furthest(kept)
		require.Equal(t, was.End, is.End)
		fulls := 0
		for _, s := range kept {
			if s.Full() {
				fulls++
			}
		}
		require.GreaterOrEqual(t, fulls, 1)
	}
}
