package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// child is a process of the program under test.
type child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	log  string        // file of its stderr
	done chan struct{} // closed when it has ended
	err  error         // of Wait; set before done is closed
}

// spawn starts the program with args. It lives in a process group of its own,
// so that Ctrl-C at a terminal reaches the bench first, and dies with it.
func (w *workshop) spawn(name string, args ...string) (*child, error) {
	log, err := os.OpenFile(filepath.Join(w.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()                                                            // the child has it
	cmd := exec.CommandContext(context.WithoutCancel(w.ctx), w.cfg.Exe, args...) //nolint:gosec // this very program
	cmd.Env, cmd.Stderr, cmd.SysProcAttr = cleanEnv(), log, childAttr()
	c := &child{cmd: cmd, log: log.Name(), done: make(chan struct{})}
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	// A pipe of our own: Wait would close cmd's before the last line is read.
	r, stdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdout.Close() // the child has it
	cmd.Stdout, c.out = stdout, bufio.NewReaderSize(r, 64<<10)
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	go func() {
		c.err = cmd.Wait()
		close(c.done)
	}()
	w.children = append(w.children, c)
	return c, nil
}

// cleanEnv is the environment without settings of a shop: they may name a real
// one.
func cleanEnv() []string {
	var out []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PANSHI_") {
			out = append(out, kv)
		}
	}
	return out
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// say sends one line of JSON to the child.
func (c *child) say(v any) error {
	raw, err := json.Marshal(v)
	if err == nil {
		_, err = c.in.Write(append(raw, '\n'))
	}
	return c.explain(err)
}

// hear reads one line of JSON from the child.
func (c *child) hear(ctx context.Context, v any) error {
	type line struct {
		raw []byte
		err error
	}
	got := make(chan line, 1)
	go func() {
		raw, err := c.out.ReadBytes('\n')
		got <- line{raw, err}
	}()
	select {
	case l := <-got:
		if l.err != nil {
			return c.explain(l.err)
		}
		return c.explain(json.Unmarshal(l.raw, v))
	case <-ctx.Done():
		c.kill()
		return ctx.Err()
	}
}

// explain adds the end of the child's log to an error.
func (c *child) explain(err error) error {
	if err == nil {
		return nil
	}
	raw, _ := os.ReadFile(c.log) // best effort: there may be none
	text := strings.TrimSpace(string(raw[max(0, len(raw)-2000):]))
	return fmt.Errorf("panshi %s: %w: %s", c.cmd.Args[1], err, text)
}

// stop asks the child to end, and fails if it does not do so in good order.
func (c *child) stop() error {
	_ = c.in.Close() // references end by it
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
		return c.explain(c.err)
	case <-time.After(time.Minute):
		c.kill()
		return c.explain(errors.New("does not stop"))
	}
}

func (c *child) kill() {
	select {
	case <-c.done:
		return
	default:
	}
	_ = c.cmd.Process.Kill() // it may just have ended
	<-c.done
}
