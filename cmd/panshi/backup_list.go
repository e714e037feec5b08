package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"panshi/internal/app"
)

// mostPoints is the most that one page has.
const mostPoints = 1000

type backupListCmd struct {
	Labels []string `arg:"" optional:"" name:"label" help:"Destinations (default all)."`
	Limit  int      `default:"20" placeholder:"20" help:"Whole copies of each, 1 to 1000."`
	Before *string  `placeholder:"TIME" help:"Only those before this time: the next page, as the one before told it."`
}

// Help implements kong.HelpProvider.
func (backupListCmd) Help() string {
	return `Reads the signed manifests of the destinations and lists the whole copies there, the newest first: a restore
(panshi restore --from LABEL --at TIME) gets to every moment from FULL to TO. What else is there is not read: panshi
backup verify does that.

  panshi backup list --config /etc/panshi.yaml
  panshi backup list nas --limit 100 --json
  panshi backup list nas --before 2026-05-03T03:25:42.117Z

Exit codes: 0, or 1 if a destination cannot be read or its manifests are not sound.`
}

// Run reads one destination after the other.
func (c backupListCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	if c.Limit < 1 || c.Limit > mostPoints {
		return usage("--limit", "1 to 1000")
	}
	var before time.Time
	if c.Before != nil {
		var err error
		if before, err = time.Parse(time.RFC3339, *c.Before); err != nil {
			return usage("--before", "is no time such as 2026-05-03T03:25:42Z")
		}
	}
	p, labels, err := prover(ctx, g, t, c.Labels)
	if err != nil {
		return err
	}
	var all []app.RecoveryPoints
	for _, label := range labels {
		points, err := p.RecoveryPoints(ctx, label, before, c.Limit)
		if err != nil {
			return err
		}
		all = append(all, points)
	}
	if err := t.result(map[string]any{"destinations": all}, func(w io.Writer) { tellPoints(w, all) }); err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(p app.RecoveryPoints) bool { return p.Failure != "" }) {
		return errFindings
	}
	return nil
}

func tellPoints(out io.Writer, all []app.RecoveryPoints) {
	for _, d := range all {
		if d.Failure != "" {
			fmt.Fprintf(out, "%s CANNOT BE READ: %s\n", oneLine(d.Label), oneLine(d.Failure))
			continue
		}
		fmt.Fprintf(out, "%s (%s): %s from %s to %s, %s bytes\n", oneLine(d.Label), oneLine(d.Region), plural(int64(d.Fulls), "full"),
			timeOrDash(d.Oldest), timeOrDash(d.Newest), count(d.Bytes))
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  GENERATION\tFULL\tTO\tTRANSACTIONS\tBYTES\tPROVED")
		for _, p := range d.Points {
			fmt.Fprintf(w, "  %s\t%s\t%s\t%d-%d\t%s\t%s\n", p.Generation, localTime(p.Full), localTime(p.To), p.Transaction, p.Last, count(p.Bytes), timeOrDash(p.Proved))
		}
		_ = w.Flush()
		if !d.Next.IsZero() {
			fmt.Fprintf(out, "  more: --before %s\n", d.Next.Format(time.RFC3339Nano))
		}
	}
}
