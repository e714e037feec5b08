//go:build faultpoints

package fault

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Env names the point to crash at and the how-manieth passing of it (default
// the first): PANSHI_FAULT=checkout.settle.committed:3.
const Env = "PANSHI_FAULT"

type trigger struct {
	mu   sync.Mutex
	name string
	left int // guarded by mu
}

var armed = parse(os.Getenv(Env))

func parse(v string) *trigger {
	name, count, _ := strings.Cut(v, ":")
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 {
		n = 1
	}
	return &trigger{name: name, left: n}
}

// Point kills the process (SIGKILL, so that nothing is flushed or closed) when
// it is the armed point and its turn has come.
func Point(name string) {
	if armed.name != name {
		return
	}
	armed.mu.Lock()
	defer armed.mu.Unlock()
	armed.left--
	if armed.left > 0 {
		return
	}
	fmt.Fprintln(os.Stderr, "fault: killed at "+name)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
