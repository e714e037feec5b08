package ship

import (
	"cmp"
	"slices"
	"time"

	"panshi/internal/backup/spool"
)

// Expired names the files that may go, the oldest generation first. files are
// all of the spool, sorted by name; current is the generation that is written
// to. Times are the shop's own, from the names: nothing depends on what a disk
// says about its files.
//
// What always stays: of the current generation everything from its last whole
// copy on, so that its newest state can be restored.
func Expired(files []spool.File, current string, now time.Time, cfg Config) []spool.Name {
	cutoff, fine := now.Add(-cfg.Keep), now.Add(-cfg.KeepFine)
	var gone []spool.Name
	var rest []spool.File
	covered := false // a newer generation has a state from before the cutoff
	for _, g := range slices.Backward(byGeneration(files)) {
		old := outdated(g, covered, cutoff, fine)
		for _, f := range g {
			if old(f) {
				gone = append(gone, f.Name)
				continue
			}
			rest = append(rest, f)
			covered = covered || f.Whole() && !f.Time.After(cutoff)
		}
	}
	slices.Sort(gone)
	slices.SortFunc(rest, func(a, b spool.File) int { return cmp.Compare(a.Name, b.Name) })
	return append(gone, beyond(rest, current, cfg.SpoolMax)...)
}

func byGeneration(files []spool.File) [][]spool.File {
	var out [][]spool.File
	for _, f := range files {
		if n := len(out); n > 0 && out[n-1][0].Generation == f.Generation {
			out[n-1] = append(out[n-1], f)
			continue
		}
		out = append(out, []spool.File{f})
	}
	return out
}

// outdated tells of files of one generation whether no moment since cutoff needs
// them: all, if newer generations have all that is kept; what the last whole
// copy before the cutoff made superfluous; and seconds older than fine.
func outdated(g []spool.File, covered bool, cutoff, fine time.Time) func(spool.File) bool {
	if covered {
		return func(spool.File) bool { return true }
	}
	base := lastWholeBefore(g, cutoff)
	merged := mergedBefore(g, fine)
	return func(f spool.File) bool {
		return f.Last <= base.Last && f.Name != base.Name || f.Level == 0 && f.Last <= merged
	}
}

func newestOf(g []spool.File) spool.File {
	return slices.MaxFunc(g, func(a, b spool.File) int { return a.Time.Compare(b.Time) })
}

// lastWholeBefore is the newest snapshot that is not younger than cutoff; the
// zero File if there is none.
func lastWholeBefore(g []spool.File, cutoff time.Time) (base spool.File) {
	for _, f := range g {
		if f.Level == spool.SnapshotLevel && !f.Time.After(cutoff) && f.Last > base.Last {
			base = f
		}
	}
	return base
}

// mergedBefore is the last transaction of the half minutes that ended before a
// time: their seconds may go, all of them or none.
func mergedBefore(g []spool.File, fine time.Time) (last uint64) {
	for _, f := range g {
		if f.Level == 1 && f.Time.Before(fine) {
			last = max(last, f.Last)
		}
	}
	return last
}

// beyond names what has to go so that a spool fits into most bytes: old
// generations whole, then what comes before the last whole copy of the current
// one. It may not be enough.
func beyond(files []spool.File, current string, most int64) (gone []spool.Name) {
	size := int64(0)
	for _, f := range files {
		size += f.Size
	}
	for _, g := range byGeneration(files) {
		if most == 0 || size <= most {
			return gone
		}
		base := spool.File{Last: 1<<64 - 1}
		if g[0].Generation == current {
			base = lastWholeBefore(g, newestOf(g).Time)
		}
		for _, f := range g {
			if f.Last <= base.Last && f.Name != base.Name {
				gone = append(gone, f.Name)
				size -= f.Size
			}
		}
	}
	return gone
}
