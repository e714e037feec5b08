package app

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

const (
	lowest = 19
	// ioIdle is the class of who gets the disk when nobody else wants it (see
	// ioprio_set(2)); ioThread says that it is for a thread.
	ioIdle   = 3 << 13
	ioThread = 1
)

// lower gives the calling thread the lowest priority, which what it starts
// inherits, and has the kernel end that when this process ends. What the system
// refuses is done without.
func lower(cmd *exec.Cmd) {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowest)
	_, _, _ = syscall.Syscall(syscall.SYS_IOPRIO_SET, ioThread, 0, ioIdle)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// expendable has the system end this process before others when memory is
// short.
func expendable(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("1000"), 0o600)
}

func firstThread() bool { return syscall.Gettid() == syscall.Getpid() }
