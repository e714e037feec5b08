package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

const (
	opens = 3             // the hour at which the window of whole copies begins
	width = 2 * time.Hour // and how long it is
	// Ahead is how far a time may be ahead of the clock and still be believed: a
	// clock is set back by an hour or two, and what it said before was true enough.
	Ahead = 3 * time.Hour
)

// Daily is the moment of a shop's whole copies. Make it with NewDaily.
type Daily struct {
	zone   *time.Location
	offset time.Duration // from the opening of the window, whole seconds
}

// NewDaily gives the moment that follows from a shop's name: always the same for
// one shop, and spread over the window for many.
func NewDaily(shop string, zone *time.Location) Daily {
	sum := sha256.Sum256([]byte("panshi full " + shop))
	spread := binary.BigEndian.Uint64(sum[:]) % uint64(width/time.Second)
	return Daily{zone: zone, offset: time.Duration(spread) * time.Second}
}

// on is the moment of a local day.
func (d Daily) on(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, opens, 0, int(d.offset/time.Second), 0, d.zone)
}

// Last is the newest moment that is not after now.
func (d Daily) Last(now time.Time) time.Time {
	year, month, day := now.In(d.zone).Date()
	if at := d.on(year, month, day); !at.After(now) {
		return at
	}
	return d.on(year, month, day-1)
}

// Next is the first moment after now.
func (d Daily) Next(now time.Time) time.Time {
	year, month, day := now.In(d.zone).Date()
	if at := d.on(year, month, day); at.After(now) {
		return at
	}
	return d.on(year, month, day+1)
}

// Due tells whether it is time for a whole copy when the last one is of a time;
// the zero time says that there was none.
func (d Daily) Due(last, now time.Time) bool {
	return last.Before(d.Last(now)) || last.After(now.Add(Ahead))
}

// When is the time of the next whole copy: now if it is due.
func (d Daily) When(last, now time.Time) time.Time {
	if d.Due(last, now) {
		return now
	}
	return d.Next(now)
}
