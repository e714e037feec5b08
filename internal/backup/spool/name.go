package spool

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SnapshotLevel is the level of whole databases.
const SnapshotLevel = 9

// suffix ends the name of every file that is whole.
const suffix = ".ltx"

// Name is a file's path below the spool, with slashes.
type Name string

// File is what a spool knows of one file without opening it.
type File struct {
	Name       Name
	Size       int64 // bytes, as encrypted
	Generation string
	Level      int       // 0 to SnapshotLevel
	First      uint64    // first transaction in it, from 1
	Last       uint64    // last transaction in it
	Time       time.Time // of the last transaction, by the shop's clock; whole milliseconds, UTC
}

// Whole tells whether the file needs none before it.
func (f File) Whole() bool { return f.First == 1 }

// Named returns f with the name that its other fields make, its time cut to
// milliseconds.
func Named(f File) File {
	f.Time = f.Time.UTC().Truncate(time.Millisecond)
	f.Name = Name(fmt.Sprintf("%s/%d/%016x-%016x-%016d%s", f.Generation, f.Level, f.First, f.Last, f.Time.UnixMilli(), suffix))
	return f
}

// Parse reads a name. It accepts exactly what this package writes.
func Parse(name Name) (File, bool) {
	parts := strings.Split(string(name), "/")
	if len(parts) != 3 || !isGeneration(parts[0]) {
		return File{}, false
	}
	level, err := strconv.Atoi(parts[1])
	if err != nil || level < 0 || level > SnapshotLevel {
		return File{}, false
	}
	words := strings.Split(strings.TrimSuffix(parts[2], suffix), "-")
	if len(words) != 3 {
		return File{}, false
	}
	first, err1 := strconv.ParseUint(words[0], 16, 64)
	last, err2 := strconv.ParseUint(words[1], 16, 64)
	millis, err3 := strconv.ParseInt(words[2], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || first == 0 || last < first {
		return File{}, false
	}
	f := Named(File{Generation: parts[0], Level: level, First: first, Last: last, Time: time.UnixMilli(millis)})
	return f, f.Name == name // no second spelling
}

// NextGeneration names the generation that comes after all of the given ones.
// What does not name a generation is passed over.
func NextGeneration(known ...string) string {
	most := uint64(0)
	for _, g := range known {
		if isGeneration(g) {
			n, _ := strconv.ParseUint(g[:8], 10, 64) // isGeneration has looked
			most = max(most, n)
		}
	}
	var tail [4]byte
	_, _ = rand.Read(tail[:]) // never fails
	return fmt.Sprintf("%08d-%s", most+1, hex.EncodeToString(tail[:]))
}

// isGeneration tells whether s looks like 00000002-9f3ac1d0.
func isGeneration(s string) bool {
	return len(s) == 17 && s[8] == '-' && strings.Trim(s[:8], "0123456789") == "" && strings.Trim(s[9:], "0123456789abcdef") == ""
}
