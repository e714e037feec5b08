package disk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// isolated is the environment variable by which a process knows that it has a
// mount table of its own.
const isolated = "POWERLOSS_ISOLATED"

// Isolate runs this program again in a mount table of its own, and gives its
// exit code; done is false in the one that must go on. What is mounted then
// vanishes with the last process of the test, however it ends: a kill cannot
// leave a dead mount behind. Call it first in TestMain.
func Isolate() (code int, done bool) {
	if os.Getenv(isolated) != "" {
		return 0, false
	}
	if err := probe(); err != nil {
		fmt.Fprintln(os.Stderr, "powerloss: this test needs FUSE and does not pass without:", err)
		return 1, true
	}
	runtime.LockOSThread() // the kernel kills the child with this thread
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), isolated+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Unshareflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "powerloss: this test needs a mount table of its own and does not pass without:", err)
		return 1, true
	}
	if cmd.ProcessState.ExitCode() < 0 { // killed
		return 1, true
	}
	return cmd.ProcessState.ExitCode(), true
}

// probe looks whether there is a FUSE to speak to.
func probe() error {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}
