package bench

import (
	"os"
	"runtime"
	"strconv"
	"strings"
)

// machine tells what this is.
func machine() Machine {
	m := Machine{Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH}
	if raw, err := os.ReadFile("/proc/version"); err == nil {
		if f := strings.Fields(string(raw)); len(f) > 2 {
			m.System = f[0] + " " + f[2] + " " + runtime.GOARCH
		}
	}
	m.CPU = lineOf("/proc/cpuinfo", "model name")
	kb, _, _ := strings.Cut(lineOf("/proc/meminfo", "MemTotal"), " ")
	n, _ := strconv.ParseInt(kb, 10, 64) // elsewhere there is no such file
	m.MemoryMB = n >> 10
	return m
}

// lineOf reads the value of the first line of a file that has a name.
func lineOf(path, name string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.SplitSeq(string(raw), "\n") {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
