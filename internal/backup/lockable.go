package backup

import "strings"

// Lockable tells whether an object is among those that a destination with locks
// is asked to lock: what a restore begins with, what follows in compacted form,
// and the keys, without which all of it is noise. The finest pieces are too many
// and live too shortly.
func Lockable(name string) bool {
	s, ok := ParseSegment(name)
	return ok && (s.Level > 0 || s.Full()) || strings.HasPrefix(name, "box/")
}
