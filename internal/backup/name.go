package backup

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"panshi/internal/errs"
)

// MaxName is the longest name in bytes. Destinations add a prefix of their own,
// and S3 ends at 1,024.
const MaxName = 200

// ValidName refuses what some destination could not keep or would read as
// another name: parts of small letters, digits and ._~-, joined by single
// slashes, none of them beginning with a dot. Code backup_name_invalid.
func ValidName(name string) error {
	if len(name) > MaxName || !validParts(name) {
		return errs.New(errs.Invalid, "backup_name_invalid", "this cannot be the name of an object").With("name", name)
	}
	return nil
}

func validParts(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789._~-") != "" {
			return false
		}
	}
	return true
}

// Numbered gives the name of the n-th spare copy of an object; n = 0 is the
// object itself.
func Numbered(name string, n int) string {
	if n == 0 {
		return name
	}
	return name + "~" + strconv.Itoa(n)
}

// Logical gives the name without the number of a spare copy.
func Logical(name string) string {
	if n := len(name); n > 2 && name[n-2] == '~' && name[n-1] >= '1' && name[n-1] <= '9' {
		return name[:n-2]
	}
	return name
}

// LeasePrefix begins the names of objects that are exchanged (Swapper) and not
// immutable.
const LeasePrefix = "lease/"

// GenerationsAnEpoch is how many generations a shop may begin before another
// epoch: generation numbers of a later epoch are higher than all of an earlier
// one, so that what a former writer leaves late sorts below what counts.
const GenerationsAnEpoch = 10000

// FirstOf is the number after which generations of an epoch begin; those of the
// first epoch, and of shops without a lease, begin with 1.
func FirstOf(epoch uint64) uint64 {
	if epoch < 2 {
		return 0
	}
	return min(epoch, 9998) * GenerationsAnEpoch // eight digits
}

// FullLevel is the level of segments that hold the whole database.
const FullLevel = 9

// Segment is what the name of a piece of the log tells.
type Segment struct {
	Generation uint64 // a restored or promoted shop writes a new one
	Level      int    // 0 is the finest, FullLevel a full
	Min, Max   uint64 // first and last transaction
	Time       time.Time
}

// Full tells whether a restore may begin with this segment: it has everything
// from the first transaction on. Those of FullLevel do; so does the first of a
// generation, and what it was compacted into.
func (s Segment) Full() bool { return s.Min == 1 }

// Name is the segment's name at every destination.
func (s Segment) Name() string {
	return fmt.Sprintf("seg/%016x/%d/%016x-%016x-%013d", s.Generation, s.Level, s.Min, s.Max, s.Time.UnixMilli())
}

// ParseSegment reads what Name wrote, spare copies included.
func ParseSegment(name string) (Segment, bool) {
	name = Logical(name)
	if len(name) != len("seg/0123456789abcdef/0/0123456789abcdef-0123456789abcdef-0123456789012") {
		return Segment{}, false
	}
	var s Segment
	var errs [5]error
	s.Generation, errs[0] = strconv.ParseUint(name[4:20], 16, 64)
	s.Level, errs[1] = strconv.Atoi(name[21:22])
	s.Min, errs[2] = strconv.ParseUint(name[23:39], 16, 64)
	s.Max, errs[3] = strconv.ParseUint(name[40:56], 16, 64)
	ms, err := strconv.ParseInt(name[57:], 10, 64)
	errs[4] = err
	s.Time = time.UnixMilli(ms).UTC()
	return s, cmp.Or(errs[:]...) == nil && s.Min <= s.Max && s.Name() == name
}

// TimeOf gives the time at the end of any name of ours: a segment, a box, a
// manifest; false when there is none.
func TimeOf(name string) (time.Time, bool) {
	name = Logical(name)
	digits := name[strings.LastIndexByte(name, '-')+1:]
	if len(digits) != len("0123456789012") || len(digits) == len(name) {
		return time.Time{}, false
	}
	ms, err := strconv.ParseUint(digits, 10, 63)
	return time.UnixMilli(int64(ms)).UTC(), err == nil
}
