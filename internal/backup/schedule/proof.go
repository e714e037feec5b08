package schedule

import (
	"cmp"
	"slices"
	"time"
)

// Rhythm is how often backups are proved without being asked.
type Rhythm string

// The rhythms. In each but Never every destination is proved once a week; Daily
// also proves every whole copy, from one destination after the other.
const (
	EveryFull Rhythm = "daily"
	Weekly    Rhythm = "weekly"
	Never     Rhythm = "off"
)

// Rhythms lists all.
func Rhythms() []Rhythm { return []Rhythm{EveryFull, Weekly, Never} }

const (
	week  = 7 * 24 * time.Hour
	grace = 24 * time.Hour
	// again is how long a proof that failed waits: it reads all that is there, and
	// what is damaged seldom mends itself.
	again = time.Hour
)

// Copy is what is known of one destination. A zero time says that there is none.
type Copy struct {
	Label string
	Full  time.Time // its newest whole copy
	Good  time.Time // when a proof last succeeded
	Of    time.Time // the whole copy that this proof began with
	Tried time.Time // when a proof last ended
	Bad   bool      // and it failed
}

// Proof is one that is to come.
type Proof struct {
	Label string
	At    time.Time // now, or later
}

// Next tells which destination is to be proved first, and when; false if none
// is: nothing can be proved where there is no whole copy.
func (r Rhythm) Next(copies []Copy, now time.Time) (Proof, bool) {
	var all []Proof
	good := map[string]time.Time{}
	for _, c := range copies {
		if at, ok := r.When(c, copies, now); ok {
			all = append(all, Proof{c.Label, at})
			good[c.Label] = c.Good
		}
	}
	if len(all) == 0 {
		return Proof{}, false
	}
	return slices.MinFunc(all, func(a, b Proof) int { return cmp.Or(a.At.Compare(b.At), good[a.Label].Compare(good[b.Label])) }), true
}

// When tells when one of the destinations is to be proved.
func (r Rhythm) When(c Copy, copies []Copy, now time.Time) (time.Time, bool) {
	tried, good := believed(c.Tried, now), believed(c.Good, now)
	switch {
	case r == Never || c.Full.IsZero():
		return time.Time{}, false
	case c.Bad && !tried.IsZero():
		return later(tried.Add(again), now), true
	case good.IsZero(), r == EveryFull && c.turn(copies):
		return now, true
	}
	return later(good.Add(week), now), true
}

// turn tells whether it is for this destination to prove the newest whole copy:
// it has it, nobody proved it, and of those that have it this one waited longest.
func (c Copy) turn(copies []Copy) bool {
	newest := c.Full
	for _, other := range copies {
		if other.Full.After(newest) {
			return false // it will come here, too, or the other one proves it
		}
		if !other.Of.Before(newest) {
			return false
		}
	}
	return !slices.ContainsFunc(copies, func(other Copy) bool {
		return other.Full.Equal(newest) && !other.Bad && other.Good.Before(c.Good)
	})
}

// Overdue tells whether nothing good was heard of a destination for more than a
// week and a day. What was never proved counts from when it could have been.
func (r Rhythm) Overdue(c Copy, possible, now time.Time) bool {
	last := believed(c.Good, now)
	if last.IsZero() {
		last = possible
	}
	return r != Never && now.Sub(last) > week+grace
}

// believed is a time, or zero if it is one that is not yet.
func believed(at, now time.Time) time.Time {
	if at.After(now.Add(Ahead)) {
		return time.Time{}
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
