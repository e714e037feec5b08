package offline

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"panshi/internal/backup/manifest"
	"panshi/internal/errs"
)

// Keep says which sets a disk keeps: the newest of each of the last weeks and
// months in which there is one. They are counted, so a long pause, or a clock that
// is far ahead, takes no set away that nothing replaced.
type Keep struct {
	Weekly  int // at least 1
	Monthly int
}

// DefaultKeep keeps four weeks and a year.
func DefaultKeep() Keep { return Keep{Weekly: 4, Monthly: 12} }

// Validate refuses what would keep nothing. Code offline_keep.
func (k Keep) Validate() error {
	if k.Weekly < 1 || k.Monthly < 0 || k.Weekly > 1000 || k.Monthly > 1000 {
		return errs.Field("keep", "offline_keep", "between 1 and 1,000 weekly sets and at most 1,000 monthly ones are kept")
	}
	return nil
}

// clockSlack is how far ahead of the clock the time of a set may be.
const clockSlack = 10 * time.Minute

// choose gives the sets that stay, the oldest first. unsafe says that all of
// them do because the clock cannot be right.
func (k Keep) choose(sets []manifest.Set, now time.Time) (kept []manifest.Set, unsafe bool) {
	newestFirst := slices.SortedStableFunc(slices.Values(sets), func(a, b manifest.Set) int { return cmp.Compare(b.Taken, a.Taken) })
	if len(newestFirst) > 0 && newestFirst[0].Taken > now.Add(clockSlack).UnixMilli()+1 {
		return sets, true
	}
	weeks, months := map[string]bool{}, map[string]bool{}
	for i, s := range newestFirst {
		at := time.UnixMilli(s.Taken).UTC()
		year, week := at.ISOWeek()
		weekly := first(weeks, fmt.Sprint(year, "-", week), k.Weekly)
		monthly := first(months, at.Format("2006-01"), k.Monthly)
		if i == 0 || weekly || monthly {
			kept = append(kept, s)
		}
	}
	slices.Reverse(kept)
	return kept, false
}

// first tells whether key is new and among the first most ones.
func first(seen map[string]bool, key string, most int) bool {
	if seen[key] || len(seen) >= most {
		return false
	}
	seen[key] = true
	return true
}
