package mirror

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"panshi/internal/backup"
	"panshi/internal/errs"
)

// Retention says which recovery points a destination keeps.
type Retention struct {
	// Fine is how far back every second can be restored; older parts of the log
	// are kept in their compacted form.
	Fine time.Duration
	// Window is how far back the log goes.
	Window time.Duration
	// Daily is how many days before the window keep their last full.
	Daily int
	// Fulls is the least number of fulls that is kept whatever the clock says; at
	// least 2.
	Fulls int
}

// DefaultRetention keeps every second of a day, the log of a month, and a full of
// each day of three months.
func DefaultRetention() Retention {
	return Retention{Fine: 24 * time.Hour, Window: 31 * 24 * time.Hour, Daily: 92, Fulls: 3}
}

// Validate reports all faults at once.
func (r Retention) Validate() error {
	var faults []error
	if r.Fine <= 0 || r.Window < r.Fine {
		faults = append(faults, errs.Field("retention.window", "backup_retention_invalid",
			"fine is above zero and the window is not shorter"))
	}
	if r.Fulls < 2 || r.Daily < 0 {
		faults = append(faults, errs.Field("retention.fulls", "backup_retention_invalid", "at least two fulls are kept"))
	}
	return errors.Join(faults...)
}

// clockSlack is how far apart times may be that should be in order.
const clockSlack = 10 * time.Minute

// errUnsafe is the error of a plan that could take what is needed.
func errUnsafe(why string) error {
	return errs.Wrap(errors.New(why), errs.Integrity, "backup_retention_unsafe", "retention does not run: it could take what is needed")
}

// plan gives the segments that no kept recovery point needs. Age is counted from
// the newest segment, not from the clock, so that a shop that stands still, or a
// clock that jumped ahead, expires nothing; the clock is only compared. Without a
// full nothing is given up.
func (r Retention) plan(now time.Time, all []backup.Segment) ([]backup.Segment, error) {
	full, found := backup.Furthest(all)
	if !found {
		return nil, nil
	}
	newest := slices.MaxFunc(all, func(a, b backup.Segment) int { return a.Time.Compare(b.Time) }).Time
	if newest.After(now.Add(clockSlack)) {
		return nil, errUnsafe("segments are newer than the clock says it is")
	}
	p := planner{Retention: r, newest: newest, begin: newest.Add(-r.Window), all: all}
	keep := p.keep()
	for _, from := range []backup.Segment{p.base[full.Full.Generation], full.Full} {
		if backup.From(from, keep).End < backup.From(from, all).End {
			return nil, errUnsafe("the log after " + from.Name() + " would have a gap")
		}
	}
	kept := map[backup.Segment]bool{}
	for _, s := range keep {
		kept[s] = true
	}
	return slices.DeleteFunc(slices.Clone(all), func(s backup.Segment) bool { return kept[s] }), nil
}

// planner chooses what stays.
type planner struct {
	Retention
	newest, begin time.Time // of all segments; of the window
	all           []backup.Segment
	// base is, by generation, the kept full that a restore to the beginning of the
	// window begins with: the log has to reach on from there.
	base map[uint64]backup.Segment
}

func (p *planner) keep() []backup.Segment {
	keep := p.fulls()
	p.bases(keep)
	var fine []backup.Segment
	for _, s := range p.all {
		switch {
		case s.Full() || !p.follows(s):
		case s.Level == 0:
			fine = append(fine, s)
		default:
			keep = append(keep, s)
		}
	}
	compacted := spansOf(keep)
	for _, s := range fine {
		if s.Time.After(p.newest.Add(-p.Fine)) || !compacted.cover(s) {
			keep = append(keep, s)
		}
	}
	return keep
}

// fulls are those inside the window and the one before it, the last of each day
// of Daily days before, and the newest Fulls; newest first.
func (p *planner) fulls() []backup.Segment {
	var fulls []backup.Segment
	for _, s := range p.all {
		if s.Full() {
			fulls = append(fulls, s)
		}
	}
	slices.SortFunc(fulls, func(a, b backup.Segment) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.Max, a.Max))
	})
	days, older := map[string]bool{}, false
	var keep []backup.Segment
	for i, s := range fulls {
		day := s.Time.UTC().Format(time.DateOnly)
		daily := s.Time.After(p.begin.AddDate(0, 0, -p.Daily)) && !days[day]
		if i < p.Fulls || !older || daily {
			keep = append(keep, s)
			days[day] = true
		}
		older = older || !s.Time.After(p.begin)
	}
	return keep
}

// bases finds the newest kept full before the window, or the oldest in it.
func (p *planner) bases(fulls []backup.Segment) {
	p.base = map[uint64]backup.Segment{}
	for _, f := range fulls {
		if b, found := p.base[f.Generation]; !found || b.Time.After(p.begin) {
			p.base[f.Generation] = f
		}
	}
}

// follows tells whether a segment carries the log on within the window. Segments
// of a generation without a full are kept for the window's length.
func (p *planner) follows(s backup.Segment) bool {
	if base, found := p.base[s.Generation]; found {
		return s.Max > base.Max
	}
	return s.Time.After(p.begin)
}

// spans are, by generation, the ranges of transactions that compacted segments
// have, joined and sorted.
type spans map[uint64][]span

type span struct{ from, to uint64 }

func spansOf(segments []backup.Segment) spans {
	out := spans{}
	for _, s := range segments {
		if !s.Full() && s.Level > 0 {
			out[s.Generation] = append(out[s.Generation], span{s.Min, s.Max})
		}
	}
	for generation, list := range out {
		slices.SortFunc(list, func(a, b span) int { return cmp.Compare(a.from, b.from) })
		joined := list[:0]
		for _, next := range list {
			if n := len(joined); n > 0 && next.from <= joined[n-1].to+1 {
				joined[n-1].to = max(joined[n-1].to, next.to)
				continue
			}
			joined = append(joined, next)
		}
		out[generation] = joined
	}
	return out
}

// cover tells whether compacted segments have all transactions of s.
func (c spans) cover(s backup.Segment) bool {
	list := c[s.Generation]
	i, found := slices.BinarySearchFunc(list, s.Min, func(r span, at uint64) int { return cmp.Compare(r.from, at) })
	if !found {
		i--
	}
	return i >= 0 && list[i].from <= s.Min && list[i].to >= s.Max
}
