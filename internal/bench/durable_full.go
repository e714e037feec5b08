package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"panshi/internal/backup/spool"
)

// full measures orders at half of what the shop can do, before a whole copy and
// from its first byte until the destination has it.
func (r *run) full(ctx context.Context, c *copier) error {
	l, err := open(ctx, r.cfg.Clients*2, c.buying())
	if err != nil {
		return err
	}
	defer func() { _ = l.close() }() // nothing is sent any more
	fastest := l.closed(ctx, time.Second)
	rate := fastest.rate() / 2
	if rate <= 0 {
		return errors.New("no order was placed")
	}
	var without, within sample
	last := len(c.wholes())
	for n := range 2 {
		calm, busy, err := r.oneFull(ctx, c, l, rate, last+n)
		if err != nil {
			return err
		}
		without.add(calm)
		within.add(busy)
		within.took += busy.took
	}
	c.bought(l)
	before, during := latencyOf(without.latencies), latencyOf(within.latencies)
	about := fmt.Sprintf("of orders at %.0f/s", rate)
	r.figure(Figure{"full_p99_without", c.behind, before.P99, "ms", about + " while no whole copy is written"})
	r.figure(Figure{"full_p99_within", c.behind, during.P99, "ms", about + " while one is written and brought to a directory; aim: 1.5 times that"})
	r.figure(Figure{"full_took", c.behind, within.took.Seconds() / 2, "s", "from the first byte of a whole copy until the directory has it"})
	r.say(fmt.Sprintf("full at %d: p99 %.1f ms without, %.1f ms within, ratio %.2f", c.behind, before.P99, during.P99, during.P99/before.P99))
	if lost := without.errors + within.errors; lost > 0 {
		r.report.Problems = append(r.report.Problems, fmt.Sprintf("full at %d: %d orders failed", c.behind, lost))
	}
	return ctx.Err()
}

// oneFull places orders at a rate for a time, waits until a whole copy is due,
// and places orders at the same rate as long as it lasts.
func (r *run) oneFull(ctx context.Context, c *copier, l *load, rate float64, had int) (calm, busy sample, err error) {
	bounded, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	calm = l.paced(bounded, r.cfg.Time, rate)
	for bounded.Err() == nil && !c.writingWhole() && len(c.wholes()) == had {
		_ = l.paced(bounded, 20*time.Millisecond, 50) // nothing is copied of a shop that stands still
	}
	during, stop := context.WithCancel(bounded)
	defer stop()
	go func() {
		defer stop()
		for during.Err() == nil && len(c.wholes()) == had {
			time.Sleep(5 * time.Millisecond)
		}
	}()
	busy = l.paced(during, 10*time.Minute, rate)
	return calm, busy, bounded.Err()
}

// wholes are the whole copies that the directory has.
func (c *copier) wholes() []string {
	names, _ := filepath.Glob(filepath.Join(c.nas, "seg", "*", strconv.Itoa(spool.SnapshotLevel), "[0-9a-f]*")) // the pattern is right
	return names
}

// writingWhole tells whether the shop writes a whole copy into its spool now, or
// has one that is not brought away.
func (c *copier) writingWhole() bool {
	names, _ := filepath.Glob(filepath.Join(c.data()+".spool", "*", strconv.Itoa(spool.SnapshotLevel), "*")) // as above
	return len(names) > len(c.wholes())
}
