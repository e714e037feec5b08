package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// workshop is the place of one run: its scratch folder, its processes, its
// platform. Close takes all of it away.
type workshop struct {
	ctx      context.Context //nolint:containedctx // the run's one scope; every step would pass it on
	cfg      Config
	say      func(text string)
	dir      string
	keeper   io.Closer // its closing removes dir
	swept    <-chan error
	children []*child
	platform *platform
	store    store
}

func newWorkshop(ctx context.Context, cfg Config, say func(string)) (w *workshop, err error) {
	w = &workshop{ctx: ctx, cfg: cfg, say: say}
	if w.dir, err = os.MkdirTemp(cfg.Dir, "panshi-bench-"); err != nil {
		return nil, err
	}
	if err := w.keep(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(w.dir))
	}
	if w.platform, err = newPlatform(filepath.Join(w.dir, "platform")); err != nil {
		return nil, errors.Join(err, w.close())
	}
	if w.store, err = newStore(w); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// keep starts a shell that removes the scratch folder when our end of its
// input closes: also if we are killed.
func (w *workshop) keep() error {
	const script = `read -r forever; exec rm -rf "$0"`
	cmd := exec.CommandContext(context.WithoutCancel(w.ctx), "/bin/sh", "-c", script, w.dir) //nolint:gosec // w.dir was made just now
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	swept := make(chan error, 1)
	go func() { swept <- cmd.Wait() }()
	w.keeper, w.swept = in, swept
	return nil
}

// close ends every process and removes every file. Whoever still runs was
// needed no longer or failed: it is not asked politely.
func (w *workshop) close() error {
	var faults []error
	for _, c := range slices.Backward(w.children) {
		c.kill()
	}
	if w.store != nil {
		faults = append(faults, w.store.close())
	}
	if w.platform != nil {
		faults = append(faults, w.platform.close())
	}
	faults = append(faults, w.keeper.Close(), <-w.swept)
	return errors.Join(faults...)
}

// run runs a command of the program to its end.
func (w *workshop) run(args ...string) error {
	cmd := exec.CommandContext(w.ctx, w.cfg.Exe, args...) //nolint:gosec // this very program
	cmd.Env, cmd.SysProcAttr = cleanEnv(), childAttr()
	if out, err := cmd.CombinedOutput(); err != nil {
		if w.ctx.Err() != nil {
			return w.ctx.Err()
		}
		return fmt.Errorf("panshi %s: %w: %s", args[0], err, out[max(0, len(out)-2000):])
	}
	return nil
}

// spin is how long a fixed piece of work takes: the best of a few, so that it
// tells the speed of the processor and not who else was running.
func spin() time.Duration {
	best := time.Hour
	for range 5 {
		begin := time.Now()
		x := uint64(88172645463325252)
		for range 2_000_000 {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
		}
		if took := time.Since(begin); x != 0 && took < best {
			best = took
		}
	}
	return best
}
