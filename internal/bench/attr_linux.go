package bench

import "syscall"

// childAttr makes the kernel kill a child with us, whatever kills us.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
