package ship

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"panshi/internal/backup/restore"
	"panshi/internal/backup/spool"
)

// history makes the files that a shop leaves: seconds, half minutes (of three
// seconds here), longer ones, and a whole copy now and then.
func history(generation string, from time.Time, seconds int, wholeEvery int) []spool.File {
	var out []spool.File
	add := func(level, first, last int) {
		out = append(out, spool.Named(spool.File{
			Generation: generation, Level: level, First: uint64(first), Last: uint64(last), Size: 1000,
			Time: from.Add(time.Duration(last) * time.Minute),
		}))
	}
	for n := 1; n <= seconds; n++ {
		add(0, n, n)
		if n%3 == 0 {
			add(1, n-2, n)
		}
		if n%9 == 0 {
			add(2, n-8, n)
		}
		if n%wholeEvery == 0 {
			add(spool.SnapshotLevel, 1, n)
		}
	}
	return out
}

func sorted(files []spool.File) []spool.File {
	slices.SortFunc(files, func(a, b spool.File) int { return cmp.Compare(a.Name, b.Name) })
	return files
}

func without(files []spool.File, gone []spool.Name) []spool.File {
	return slices.DeleteFunc(slices.Clone(files), func(f spool.File) bool { return slices.Contains(gone, f.Name) })
}

// Whatever goes, every moment that is to be kept can still be restored: to the
// second while seconds are kept, else to the half minute. And what is neither
// kept nor needed is gone.
func TestRetentionKeepsWhatAKeptMomentNeeds(t *testing.T) {
	start := time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(r *rapid.T) {
		const first, second = "00000001-0123abcd", "00000002-89abcdef"
		n1, n2 := rapid.IntRange(1, 120).Draw(r, "first"), rapid.IntRange(1, 120).Draw(r, "second")
		split := start.Add(time.Duration(n1) * time.Minute)
		every := rapid.IntRange(2, 50).Draw(r, "every")
		all := sorted(append(history(first, start, n1, every), history(second, split, n2, every)...))
		now := split.Add(time.Duration(n2+rapid.IntRange(0, 300).Draw(r, "idle")) * time.Minute)
		cfg := Config{Keep: time.Duration(rapid.IntRange(60, 200).Draw(r, "keep")) * time.Minute}
		cfg.KeepFine = time.Duration(rapid.IntRange(5, 60).Draw(r, "fine")) * time.Minute
		left := without(all, Expired(all, second, now, cfg))
		newest, err := restore.Make(left, restore.Target{})
		if err != nil || newest.Transaction != uint64(n2) {
			r.Fatalf("the newest state is gone: %v", err)
		}
		for at := now.Add(-cfg.Keep); !at.After(now); at = at.Add(time.Minute) {
			want, err := restore.Make(all, restore.Target{At: at})
			if err != nil {
				continue // before the shop
			}
			got, err := restore.Make(left, restore.Target{At: at})
			if err != nil && at.Before(start.Add(4*time.Minute)) {
				continue // the seconds before the first half minute was full
			}
			if err != nil {
				r.Fatalf("%v before now: %v", now.Sub(at), err)
			}
			slack := 3 * time.Minute
			if now.Sub(at) < cfg.KeepFine {
				slack = 0
			}
			if want.Time.Sub(got.Time) > slack {
				r.Fatalf("%v before now: the state of %v, not of %v", now.Sub(at), got.Time, want.Time)
			}
		}
	})
}

func TestRetentionRemoves(t *testing.T) {
	start := time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC)
	const old, current = "00000001-0123abcd", "00000002-89abcdef"
	all := sorted(append(history(old, start, 30, 10), history(current, start.Add(time.Hour), 100, 10)...))
	now := start.Add(time.Hour + 100*time.Minute)
	left := without(all, Expired(all, current, now, Config{Keep: time.Hour, KeepFine: 10 * time.Minute}))
	seconds := 0
	for _, f := range left {
		require.Equal(t, current, f.Generation)
		require.GreaterOrEqual(t, f.Last, uint64(40), "from the last whole copy before what is kept")
		if f.Level == 0 {
			seconds++
		}
	}
	require.LessOrEqual(t, seconds, 14)

	small := without(all, Expired(all, current, now, Config{Keep: 1000 * time.Hour, KeepFine: 1000 * time.Hour, SpoolMax: 20_000}))
	require.Less(t, len(small), 21)
	plan, err := restore.Make(small, restore.Target{})
	require.NoError(t, err)
	require.Equal(t, uint64(100), plan.Transaction)
	require.Empty(t, Expired(all, current, now, Config{Keep: 1000 * time.Hour, KeepFine: 1000 * time.Hour}))
}
