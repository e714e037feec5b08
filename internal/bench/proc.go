package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ticks converts CPU time as /proc has it: hundredths of a second on Linux.
func ticks(n int64) time.Duration { return time.Duration(n) * 10 * time.Millisecond }

// stat is what /proc/PID/stat tells of a process.
type stat struct {
	parent int
	own    time.Duration // user and system time of all its threads
	reaped time.Duration // of children that ended
}

func readStat(pid int) (stat, bool) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	end := bytes.LastIndexByte(raw, ')') // the name before it may hold anything
	if err != nil || end < 0 {
		return stat{}, false
	}
	f := strings.Fields(string(raw[end+1:]))
	if len(f) < 15 {
		return stat{}, false
	}
	n := func(i int) int64 {
		v, _ := strconv.ParseInt(f[i], 10, 64) // the kernel writes numbers
		return v
	}
	return stat{int(n(1)), ticks(n(11) + n(12)), ticks(n(13) + n(14))}, true
}

// cpuOf is the CPU time that a process has used.
func cpuOf(pid int) time.Duration {
	s, _ := readStat(pid)
	return s.own
}

// cpuOfTree is the CPU time of a process and of its children, living and
// ended. 0 stands for no process.
func cpuOfTree(pid int) time.Duration {
	if pid == 0 {
		return 0
	}
	top, _ := readStat(pid)
	sum := top.own + top.reaped
	names, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
	for _, name := range names {
		child, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		if s, ok := readStat(child); ok && s.parent == pid {
			sum += s.own
		}
	}
	return sum
}

// cpuOfSelf is the CPU time of this process.
func cpuOfSelf() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// machineCPU is the time that all processors together were busy, and the part
// that the host of a virtual machine took away.
func machineCPU() (busy, stolen time.Duration) {
	raw, err := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(raw), "\n")
	f := strings.Fields(line)
	if err != nil || len(f) < 9 {
		return 0, 0
	}
	for i, v := range f[1:9] {
		n, _ := strconv.ParseInt(v, 10, 64) // the kernel writes numbers
		switch i {
		case 3, 4: // idle, waiting for a disk
		case 7:
			stolen += ticks(n)
		default:
			busy += ticks(n)
		}
	}
	return busy, stolen
}

// memory is what a process holds in RAM, in bytes: its own pages, and those of
// files such as the program itself, which the kernel may drop.
func memory(pid int) (own, files int64) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, 0
	}
	for line := range strings.SplitSeq(string(raw), "\n") {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(f[1], 10, 64) // lines of interest hold numbers
		switch f[0] {
		case "RssAnon:":
			own = n << 10
		case "RssFile:", "RssShmem:":
			files += n << 10
		}
	}
	return own, files
}
