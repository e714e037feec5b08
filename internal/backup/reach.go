package backup

import (
	"cmp"
	"slices"
	"time"
)

// Reach says how far a set of segments can restore.
type Reach struct {
	Full Segment   // where a restore begins
	End  uint64    // last transaction that it gets to without a gap
	Time time.Time // time of the last segment on the way
	// Gap is the first transaction that is missing while later ones are there;
	// 0 if nothing is.
	Gap uint64
}

// Furthest finds the newest generation that has a full, and how far a restore
// from its newest full gets; false if there is no full at all.
func Furthest(segments []Segment) (Reach, bool) {
	full, found := newestFull(segments)
	if !found {
		return Reach{}, false
	}
	return From(full, segments), true
}

func newestFull(segments []Segment) (full Segment, found bool) {
	for _, s := range segments {
		if s.Full() && (!found || newer(s, full)) {
			full, found = s, true
		}
	}
	return full, found
}

// newer orders fulls: by transaction within a generation, by time between two,
// because their transactions have nothing to do with each other.
func newer(a, b Segment) bool {
	if a.Generation != b.Generation {
		return a.Time.After(b.Time)
	}
	return a.Max > b.Max
}

// From tells how far a restore gets that begins with full.
func From(full Segment, segments []Segment) Reach {
	var log []Segment
	for _, s := range segments {
		if s.Generation == full.Generation && s.Max > full.Max {
			log = append(log, s)
		}
	}
	slices.SortFunc(log, func(a, b Segment) int { return cmp.Compare(a.Min, b.Min) })
	r := Reach{Full: full, End: full.Max, Time: full.Time}
	for _, s := range log {
		if s.Min > r.End+1 {
			r.Gap = r.End + 1
			return r
		}
		if s.Max > r.End {
			r.End, r.Time = s.Max, s.Time
		}
	}
	return r
}

// Segments gives those of the names that are segments.
func Segments(names []string) []Segment {
	var out []Segment
	for _, name := range names {
		if s, ok := ParseSegment(name); ok {
			out = append(out, s)
		}
	}
	return out
}
