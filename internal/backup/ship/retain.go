package ship

import (
	"slices"
	"time"

	"panshi/internal/backup/spool"
)

// expired names the files that may go, the oldest generation first. files are
// all of the spool, sorted by name; current is the generation that is written
// to. Times are the shop's own, from the names: nothing depends on what a disk
// says about its files.
//
// What always stays: of the current generation everything from its last whole
// copy on, so that its newest state can be restored.
func expired(files []spool.File, current string, now time.Time, cfg Config) []spool.Name {
	var gone []spool.Name
	var rest []spool.File
	for _, g := range byGeneration(files) {
		old := outdated(g, g[0].Generation == current, now.Add(-cfg.Keep), now.Add(-cfg.KeepSeconds))
		for _, f := range g {
			if old[f.Name] {
				gone = append(gone, f.Name)
			} else {
				rest = append(rest, f)
			}
		}
	}
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

// outdated marks the files of one generation that no moment since cutoff
// needs, and those of single seconds that are older than fine.
func outdated(g []spool.File, current bool, cutoff, fine time.Time) map[spool.Name]bool {
	old := map[spool.Name]bool{}
	if !current && newestOf(g).Time.Before(cutoff) {
		for _, f := range g {
			old[f.Name] = true
		}
		return old
	}
	base := lastWholeBefore(g, cutoff)
	merged := lastOf(g, 1)
	for _, f := range g {
		switch {
		case f.Last <= base.Last && f.Name != base.Name:
			old[f.Name] = true
		case f.Level == 0 && f.Time.Before(fine) && f.Last <= merged:
			old[f.Name] = true
		}
	}
	return old
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

// lastOf is the newest transaction of a level.
func lastOf(g []spool.File, level int) (last uint64) {
	for _, f := range g {
		if f.Level == level {
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
