package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"panshi/internal/app"
	"panshi/internal/backup/extract"
)

// extractFlags take a part out of a backup in the place of restoring it.
type extractFlags struct {
	Table   *string `placeholder:"NAME" help:"Take only this table out, as JSON lines, to be looked at."`
	Order   *string `placeholder:"NO" help:"Take only this order out, with all rows that belong to it."`
	Compare *string `placeholder:"DATA" help:"With --table or --order: tell what differs from the shop in this data directory, which may run."`
}

func (f extractFlags) wanted() bool { return f.Table != nil || f.Order != nil || f.Compare != nil }

// want checks the flags.
func (f extractFlags) want() (w extract.Want, err error) {
	switch {
	case f.Table != nil && f.Order != nil:
		return w, usage("--table, --order", "only one of the two")
	case f.Table != nil:
		w.Table = *f.Table
		return w, plain("--table", w.Table, 100)
	case f.Order != nil:
		w.Order = *f.Order
		return w, plain("--order", w.Order, 100)
	}
	return w, usage("--compare", "goes with --table or --order")
}

// extract takes rows out and prints. Differences from the shop are findings.
func (c restoreCmd) extract(ctx context.Context, g *globals, t *terminal, request app.RestoreRequest) error {
	want, err := c.want()
	if err != nil {
		return err
	}
	live, err := c.live(g)
	if err != nil {
		return err
	}
	g.Data = &c.To
	cfg, err := g.load(nil)
	if err != nil {
		return err
	}
	m := newMeter(ctx, t, "restore")
	done, err := app.Extract(ctx, cfg, request, want, live, t.log(slog.LevelWarn), func(step string, done, total int64) { m.step(done, total, step) })
	m.end()
	if err != nil {
		return err
	}
	if err := t.result(done, func(w io.Writer) { tellExtracted(w, done, cfg.Data) }); err != nil {
		return err
	}
	for _, d := range done.Differences {
		if d.Missing.Count+d.Changed.Count+d.New.Count > 0 {
			return errFindings
		}
	}
	return nil
}

// live is the shop to compare with, nil without one.
func (c restoreCmd) live(g *globals) (*app.Config, error) {
	if c.Compare == nil {
		return nil, nil //nolint:nilnil // there is nothing to compare with, which is no failure
	}
	there := *g
	there.Data = c.Compare
	cfg, err := there.load(nil)
	return &cfg, err
}

func tellExtracted(w io.Writer, e app.Extracted, to string) {
	fmt.Fprintf(w, "state of %s (transaction %d), in %s:\n", localTime(e.Time), e.Transaction, oneLine(to))
	for _, f := range e.Files {
		if f.Rows > 0 {
			fmt.Fprintf(w, "  %s: %s\n", f.Name, plural(f.Rows, "row"))
		}
	}
	tellSums(w, e.Sums)
	if e.Differences == nil {
		return
	}
	fmt.Fprintf(w, "compared with the shop of %s:\n", localTime(e.Live))
	for _, d := range e.Differences {
		tellRows(w, d.Table, "missing in the shop 店铺中缺失", d.Missing)
		tellRows(w, d.Table, "changed 已改动", d.Changed)
		tellRows(w, d.Table, "new in the shop 店铺中新增", d.New)
	}
}

func tellRows(w io.Writer, table, what string, r extract.Rows) {
	if r.Count == 0 {
		return
	}
	fmt.Fprintf(w, "%s: %s %s\n", table, plural(r.Count, "row"), what)
	for _, row := range r.First {
		fmt.Fprintf(w, "  %s\n", oneLine(row))
	}
	if more := r.Count - int64(len(r.First)); more > 0 {
		fmt.Fprintf(w, "  and %s more\n", count(more))
	}
}
