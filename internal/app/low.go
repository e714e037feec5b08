package app

import (
	"os/exec"
	"runtime"
)

// runLow runs a command with the lowest priority that there is for processor and
// disk, and as the first that the system takes memory from.
func runLow(cmd *exec.Cmd) error {
	return onLostThread(func() error {
		lower(cmd)
		if err := cmd.Start(); err != nil {
			return err
		}
		expendable(cmd.Process.Pid)
		return cmd.Wait()
	})
}

// onLostThread runs do on a thread that nobody uses before or after: what starts
// a command gives it its own priority, and cannot raise that again. The first
// thread of the process is spared, because the system shows its priority as that
// of the whole.
func onLostThread(do func() error) error {
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and the thread ends with this goroutine
		if firstThread() {
			defer runtime.UnlockOSThread()
			ended <- onLostThread(do) // on another one, since this one is held
			return
		}
		ended <- do()
	}()
	return <-ended
}
