package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"panshi/internal/check"
)

type checkCmd struct{}

// Help implements kong.HelpProvider.
func (checkCmd) Help() string {
	return `Runs every business invariant on a running shop or on one that stands still, and changes nothing: no card
on two orders, every paid order delivered, refunded or held, counters equal rows, postings sum to zero.

  panshi check --data /var/lib/panshi
  panshi check --json`
}

// Run checks and prints.
func (checkCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	return withShop(ctx, g, t, refuse, func(s *shop) error {
		m := newMeter(ctx, t, "check")
		start := time.Now()
		report, err := s.Check(ctx, func(name string, done, total int) { m.step(int64(done), int64(total), name) })
		m.end()
		if err != nil {
			return err
		}
		took := time.Since(start)
		if err := t.result(report, func(w io.Writer) { tellCheck(w, report, took) }); err != nil {
			return err
		}
		if report.Violations > 0 {
			return errFindings
		}
		return nil
	})
}

func tellCheck(w io.Writer, r check.Report, took time.Duration) {
	for _, result := range r.Results {
		if result.Count == 0 {
			continue
		}
		fmt.Fprintf(w, "VIOLATED %s (%s): %s\n", result.Name, result.About, plural(int64(result.Count), "violation"))
		for _, v := range result.Violations {
			fmt.Fprintf(w, "  %s: %s\n", oneLine(v.Subject), oneLine(v.Detail))
		}
		if more := result.Count - len(result.Violations); more > 0 {
			fmt.Fprintf(w, "  and %s more\n", count(int64(more)))
		}
	}
	fmt.Fprintf(w, "checked %s in %s: %s\n", plural(int64(len(r.Results)), "invariant"), took.Round(time.Millisecond),
		plural(int64(r.Violations), "violation"))
}
