package fetch

import (
	"panshi/internal/backup/manifest"
)

// Sums gives what the shop had counted of a generation, to compare a restore to
// a transaction with: the newest that the restore passes, else the oldest after
// it. False if the manifests tell of none that these keys open.
func (f *Fetcher) Sums(generation string, transaction uint64) (best manifest.Sums, ok bool) {
	for _, link := range f.links {
		if len(link.Sums) == 0 {
			continue
		}
		s, err := link.Opened(f.reader)
		if err != nil || s.Generation != generation {
			continue // sealed to a sheet before this one, or of another history
		}
		if !ok || nearer(s.Tx, best.Tx, transaction) {
			best, ok = s, true
		}
	}
	return best, ok
}

// nearer tells whether tx serves better than best for a restore to goal.
func nearer(tx, best, goal uint64) bool {
	switch {
	case tx <= goal && best <= goal:
		return tx >= best
	case tx > goal && best > goal:
		return tx < best
	}
	return tx <= goal
}
