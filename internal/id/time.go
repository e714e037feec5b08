package id

import (
	"encoding/binary"
	"time"
)

// Time tells when v was made, by its maker's clock: UTC, whole milliseconds.
func (v ID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(v[:8]) >> 16)).UTC()
}

// Lowest returns what sorts before every id that is made at t or later, and
// after all that were made earlier. It is a bound, never the id of something.
func Lowest(t time.Time) ID {
	var v ID
	binary.BigEndian.PutUint64(v[:8], uint64(t.UnixMilli())<<16)
	return v
}
