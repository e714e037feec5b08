package main

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"
)

// Bounds of what the doctor calls well.
const (
	diskBad   = 512 << 20 // bytes free
	diskWarn  = 4 << 30
	filesWarn = 4096 // open files: a buyer is one
)

// doctorSystem judges disk, clock and limits of the machine.
func doctorSystem(data string, now time.Time) []finding {
	return append([]finding{doctorDisk(data), doctorLimit()}, doctorClock(now)...)
}

// doctorDisk judges the space where the data directory is or will be.
func doctorDisk(data string) finding {
	dir, err := filepath.Abs(data)
	if err != nil {
		return warn("disk", "%s", err)
	}
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return warn("disk", "cannot be asked: %s", err)
	}
	return judgeDisk(int64(fs.Bavail)*fs.Bsize, int64(fs.Files), int64(fs.Ffree))
}

// judgeDisk judges free bytes and inodes; some file systems count no inodes.
func judgeDisk(free, inodes, freeInodes int64) finding {
	switch {
	case free < diskBad:
		return bad("disk", "only %d MiB free: the shop stops selling when it cannot write", free>>20)
	case inodes > 0 && freeInodes < 1000:
		return bad("disk", "only %d files can be made", freeInodes)
	case free < diskWarn:
		return warn("disk", "%d MiB free", free>>20)
	}
	return ok("disk", "%d GiB free", free>>30)
}

func doctorLimit() finding {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return warn("limits", "cannot be asked: %s", err)
	}
	if limit.Cur < filesWarn {
		return warn("limits", "%d open files: a rush of buyers needs more (LimitNOFILE=65536)", limit.Cur)
	}
	return ok("limits", "%d open files", limit.Cur)
}

// doctorClock judges the clock: callbacks are refused when it is five minutes
// off, and orders expire by it.
func doctorClock(now time.Time) []finding {
	if built := buildTime(); now.Before(built) {
		return []finding{bad("clock", "it says %s, before this program was built (%s)", now.UTC().Format(time.RFC3339), built.UTC().Format(time.RFC3339))}
	}
	synced, known := clockSynced()
	switch {
	case !known:
		return []finding{ok("clock", "%s; whether it is synchronised cannot be asked here", now.UTC().Format(time.RFC3339))}
	case !synced:
		return []finding{warn("clock", "%s, and not synchronised: payments are refused when it is 5 minutes off; run an NTP client", now.UTC().Format(time.RFC3339))}
	}
	return []finding{ok("clock", "%s, synchronised", now.UTC().Format(time.RFC3339))}
}

// buildTime is the time of the commit that was built; a build without one is
// no older than this code.
func buildTime() time.Time {
	if info, found := debug.ReadBuildInfo(); found {
		for _, s := range info.Settings {
			if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return at
			}
		}
	}
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
}
