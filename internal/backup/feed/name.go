package feed

import (
	"fmt"
	"strconv"

	"panshi/internal/backup"
	"panshi/internal/backup/spool"
)

// Object is the name of a spool's file at every destination: its generation,
// written as one number, and all else as it is.
func Object(f spool.File) (string, bool) {
	number, err1 := strconv.ParseUint(f.Generation[:8], 10, 32)
	tail, err2 := strconv.ParseUint(f.Generation[9:], 16, 32)
	s := backup.Segment{Generation: number<<32 | tail, Level: f.Level, Min: f.First, Max: f.Last, Time: f.Time}
	return s.Name(), err1 == nil && err2 == nil
}

// File is the spool's file that Object named, with the size at the destination.
func File(name string, size int64) (spool.File, bool) {
	s, ok := backup.ParseSegment(name)
	if !ok {
		return spool.File{}, false
	}
	f := spool.Named(spool.File{
		Generation: fmt.Sprintf("%08d-%08x", s.Generation>>32, s.Generation&0xffffffff),
		Level:      s.Level, First: s.Min, Last: s.Max, Time: s.Time, Size: size,
	})
	_, ok = spool.Parse(f.Name)
	return f, ok
}
