package bench

import (
	"context"
	"debug/elf"
	"errors"
	"os"
	"time"

	"panshi/internal/adminsock"
)

// imports measures how fast card keys come in, through the socket of the
// running shop as `panshi import cards` does it.
func (r *run) imports(ctx context.Context) error {
	s := r.shop
	if err := r.open(ctx); err != nil {
		return err
	}
	ref, err := r.rowsOf(ctx, Import)
	if err != nil {
		return err
	}
	rate := 0.0 // cards a second, as far as is known
	var problems []string
	ours := func(_ context.Context, d time.Duration) (out sample, err error) {
		n := int64(2000)
		if rate > 0 {
			n = max(1000, int64(rate*d.Seconds()))
		}
		err = s.admin(func(c *adminsock.Client) error {
			out.took, err = s.importCards(c, "BENCH-000", n)
			return err
		})
		out.ops = n
		rate = out.rate()
		return out, err
	}
	d := &duel{
		result: Result{Scenario: Import, Size: s.behind, Reference: "the same rows by Update, 400 cards a commit", Unit: "card"},
		shop:   ours, ref: byPart(ref), shopPID: s.pid(), refPID: ref.pid(), serverID: r.store.server(),
	}
	return errors.Join(r.duel(ctx, d, problems), ref.stop(), s.stop())
}

// starts measures from the start of the process to its word that buyers can
// buy, each time after a clean stop, and what it then holds in memory.
func (r *run) starts(ctx context.Context) error {
	s := r.shop
	var all []time.Duration
	var used time.Duration // by all of them, until they stopped
	ours := func(context.Context, time.Duration) (sample, error) {
		if err := s.start(); err != nil {
			return sample{}, err
		}
		if r.cfg.has(Memory) && len(all) == r.cfg.Rounds { // the warm-up and the rounds before
			if err := r.idle(ctx); err != nil {
				return sample{}, err
			}
		}
		all = append(all, s.startup)
		err := s.stop()
		state := s.cmd.ProcessState
		used += state.UserTime() + state.SystemTime()
		return sample{ops: 1, took: s.startup, latencies: []time.Duration{s.startup}}, err
	}
	theirs := func(context.Context, time.Duration) (sample, error) {
		begin := time.Now()
		err := r.workshop.run("version")
		return sample{ops: 1, took: time.Since(begin)}, err
	}
	d := &duel{
		result: Result{Scenario: Start, Size: s.behind, Reference: "the same binary starting to tell its version", Unit: "start"},
		shop:   ours, ref: theirs, serverID: r.store.server(),
	}
	if err := d.fight(ctx, r.cfg.Rounds, r.cfg.round()); err != nil {
		return err
	}
	d.result.CPU = CPU{Shop: us(used) / float64(len(all))}
	if r.cfg.has(Start) {
		r.keep1(d.result, nil)
		r.figure(Figure{"ready", s.behind, d.result.Latency.P50, "ms", "from the start of the process until buyers can buy, after a clean stop: median"})
	}
	return r.binary()
}

// idle waits until a fresh shop has settled and looks at its memory.
func (r *run) idle(ctx context.Context) error {
	select {
	case <-time.After(min(5*time.Second, max(time.Second, r.cfg.Time))):
	case <-ctx.Done():
		return ctx.Err()
	}
	own, files := memory(r.shop.pid())
	r.figure(Figure{"memory_idle", r.shop.behind, mb(own + files), "MB", "resident some seconds after a start, pages of files included"})
	r.figure(Figure{"memory_idle_own", r.shop.behind, mb(own), "MB", "the same without pages of files, which the kernel may drop"})
	return nil
}

// binary tells the size of the program.
func (r *run) binary() error {
	info, err := os.Stat(r.cfg.Exe)
	if err != nil {
		return err
	}
	about := "the program, not stripped"
	if f, err := elf.Open(r.cfg.Exe); err == nil {
		if f.Section(".symtab") == nil && f.Section(".debug_info") == nil {
			about = "the program, stripped"
		}
		_ = f.Close() // only read
	}
	for _, f := range r.report.Figures {
		if f.Name == "binary" {
			return nil
		}
	}
	r.figure(Figure{"binary", 0, mb(info.Size()), "MB", about})
	return nil
}
