package drill

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

const (
	// cycle is how many nights pass from one rehearsal of a drill to the next:
	// four weeks, so that one night that is missed makes none overdue.
	cycle = 28
	// rest is the least time between two rehearsals of a drill that passed.
	rest = 48 * time.Hour
	// retry is when one that did not pass is tried again.
	retry = 7 * 24 * time.Hour
	// overdueAfter is how long a drill counts.
	overdueAfter = 31 * 24 * time.Hour
	// nightEnds is the hour at which drills stop beginning; they begin from one
	// o'clock on, before whole copies are made.
	nightBegins, nightEnds = 1, 6
	// missed is how long after its time a drill waits for the next night.
	missed = 24 * time.Hour
)

// Schedule spreads the drills of one shop over four weeks of nights.
type Schedule struct {
	Shop string         // names the shop, so that not all of them rehearse at once
	Zone *time.Location // of its nights
}

func (s Schedule) draw(what string) uint64 {
	sum := sha256.Sum256([]byte(s.Shop + "\n" + what))
	return binary.BigEndian.Uint64(sum[:])
}

// Next gives when a drill is due by how it stands: the first of its nights after
// it ran last, or after since if it never did. Since is when the shop began to
// rehearse. A clock that was ahead when it ran does not put it off.
func (s Schedule) Next(name Name, st Standing, since, now time.Time) time.Time {
	from := since
	if st.Last != nil && st.Last.At.Before(now.Add(rest)) {
		from = st.Last.At.Add(rest)
	}
	next := s.night(name, from)
	if st.Last != nil && !st.Last.Passed() {
		if again := s.begin(name, st.Last.At.Add(retry)); again.Before(next) {
			return again
		}
	}
	return next
}

// night is the first of a drill's nights that begins at a time or later.
func (s Schedule) night(name Name, from time.Time) time.Time {
	all := All()
	place := slices.IndexFunc(all, func(d Drill) bool { return d.Name == name })
	want := (s.draw("shift") + uint64(place*cycle/len(all))) % cycle
	at := s.begin(name, from)
	year, month, date := at.Date()
	return time.Date(year, month, date+int((want+cycle-day(at)%cycle)%cycle), at.Hour(), at.Minute(), 0, 0, s.Zone)
}

// begin is the first time of day at which a drill begins that is not before a
// time: in the first two hours of the night, a minute of its own.
func (s Schedule) begin(name Name, from time.Time) time.Time {
	year, month, date := from.In(s.Zone).Date()
	minute := int(s.draw(string(name)) % 120)
	for ; ; date++ {
		if at := time.Date(year, month, date, nightBegins, minute, 0, 0, s.Zone); !at.Before(from) {
			return at
		}
	}
}

// day numbers the days of the calendar in the zone of a time.
func day(at time.Time) uint64 {
	year, month, date := at.Date()
	return uint64(time.Date(year, month, date, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

// Due gives the drill that is to run now: the one that has waited longest. At
// day only one runs whose night was missed. Those of skip have to wait, and keep
// nobody else waiting.
func (s Schedule) Due(standings map[Name]Standing, since, now time.Time, skip func(Name) bool) (due Drill, ok bool) {
	var longest time.Time
	hour := now.In(s.Zone).Hour()
	night := hour >= nightBegins && hour < nightEnds
	for _, d := range All() {
		next := s.Next(d.Name, standings[d.Name], since, now)
		if next.After(now) || skip(d.Name) || !night && now.Sub(next) < missed {
			continue
		}
		if !ok || next.Before(longest) {
			due, longest, ok = d, next, true
		}
	}
	return due, ok
}

// Overdue tells since when a drill should have passed again, the zero time if it
// need not. A pass that is dated after now proves nothing.
func Overdue(st Standing, since, now time.Time) time.Time {
	from := since
	if st.Passed != nil && !st.Passed.At.After(now) {
		from = st.Passed.At
	}
	if now.Sub(from) < overdueAfter {
		return time.Time{}
	}
	return from
}

// Worrying tells whether people should be alerted of how a drill ended. A disk in
// a drawer is plugged in on its day, and not at night when the clock says so.
func (st Standing) Worrying(now time.Time) bool {
	if st.Last == nil || st.Last.Passed() {
		return false
	}
	return st.Last.Failure != errUntried.Code || st.Passed == nil || now.Sub(st.Passed.At) >= overdueAfter
}

// Unprotected tells whether a drill did not pass because something is missing
// that a shop may do without for a while, such as a second region.
func (r Report) Unprotected() bool {
	switch r.Failure {
	case errNoStandby.Code, errUnprotected.Code, errUntried.Code, errOneRegion.Code, errOneCopy.Code, errOnDataDisk.Code:
		return true
	}
	return false
}
