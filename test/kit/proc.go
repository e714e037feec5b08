package kit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Proc is a process of the program, with all that it starts.
type Proc struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when the process has ended
}

// startProc starts a program whose output is appended to the file log.
func startProc(log string, env []string, name string, args ...string) (*Proc, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = out, out, cleanEnv(env)
	// A group of its own can be killed whole; the kernel kills it with us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Proc{cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the process has ended.
func (p *Proc) Done() <-chan struct{} { return p.done }

// PID is the process id.
func (p *Proc) PID() int { return p.cmd.Process.Pid }

// Log is all output so far, of earlier processes with the same log too.
func (p *Proc) Log() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Kill ends the process and its children as a power cut would, and waits.
func (p *Proc) Kill() {
	select {
	case <-p.done: // its id may be another's by now
		return
	default:
	}
	_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // it may just have ended by itself
	<-p.done
}

// Stop asks the process to end and gives its exit code, or -1 if it had to be
// killed.
func (p *Proc) Stop(within time.Duration) int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		p.Kill()
		return -1
	}
}

// Killed tells whether the process ended by SIGKILL.
func (p *Proc) Killed() bool {
	<-p.done
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// errEnded says that a process ended before it was ready.
var errEnded = errors.New("the process ended")

// await waits until a URL answers 200.
func (p *Proc) await(url string, within time.Duration) error {
	client := &http.Client{Timeout: time.Second}
	deadline := time.Now().Add(within)
	for {
		if resp, err := client.Get(url); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.done:
			return fmt.Errorf("%w: %s\n%s", errEnded, p.cmd.ProcessState, tail(p.Log()))
		case <-time.After(15 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer 200\n%s", url, tail(p.Log()))
		}
	}
}

func tail(text string) string {
	if len(text) > 4000 {
		return "…" + text[len(text)-4000:]
	}
	return text
}

// freeAddr finds a loopback address for a server that is killed and comes back
// to it. It lies below the ports that the kernel gives to outgoing connections,
// so that none of these takes it meanwhile, and no other test's process gets it
// as long as this one lives.
func freeAddr() string {
	for {
		port := strconv.Itoa(10_000 + rand.IntN(22_000))
		addr := net.JoinHostPort("127.0.0.1", port)
		if !reserve(port) {
			continue
		}
		if ln, err := net.Listen("tcp", addr); err == nil {
			_ = ln.Close()
			return addr
		}
	}
}

// reserve locks the file of a port; the lock ends with this process.
func reserve(port string) bool {
	dir := filepath.Join(os.TempDir(), "panshi-test-ports")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false
	}
	fd, err := syscall.Open(filepath.Join(dir, port), syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return false
	}
	if syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		_ = syscall.Close(fd)
		return false
	}
	return true
}
