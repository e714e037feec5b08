package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"panshi/internal/app"
)

type configCmd struct {
	History  configHistoryCmd  `cmd:"" help:"List the versions of the configuration file that starts found."`
	Diff     configDiffCmd     `cmd:"" help:"Tell which keys differ between two versions."`
	Rollback configRollbackCmd `cmd:"" help:"Make the configuration file that of a version again."`
}

type configHistoryCmd struct{}

// Help implements kong.HelpProvider.
func (configHistoryCmd) Help() string {
	return `Each start of a shop that is run with --config keeps the file, sealed beside the keysets, if it is another than last
time: who started, whose file it is, when it was written. The versions are in the backup, and work beside a running shop.

  panshi config history --data /var/lib/panshi`
}

// configRow is a version without its content.
type configRow struct {
	Number   int                `json:"number"`
	At       time.Time          `json:"at"`
	By       string             `json:"by"`
	Owner    string             `json:"owner"`
	Modified time.Time          `json:"modified"`
	Changes  []app.ConfigChange `json:"changes"`
}

// Run lists.
func (configHistoryCmd) Run(_ context.Context, g *globals, t *terminal) error {
	h, _, err := history(g)
	if err != nil {
		return err
	}
	all, err := h.List()
	if err != nil {
		return err
	}
	rows := []configRow{}
	was := app.ConfigVersion{}
	for _, v := range all {
		rows = append(rows, configRow{v.Number, v.At, v.By, v.Owner, v.Modified, app.ConfigDiff(was, v)})
		was = v
	}
	return t.result(rows, func(w io.Writer) { tellVersions(w, rows) })
}

func tellVersions(out io.Writer, rows []configRow) {
	if len(rows) == 0 {
		fmt.Fprintln(out, "no start with a configuration file was seen")
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tFOUND\tBY\tFILE OF\tWRITTEN\tKEYS THAT CHANGED")
	for _, r := range rows {
		var keys []string
		for _, c := range r.Changes[:min(5, len(r.Changes))] {
			keys = append(keys, c.Key)
		}
		if more := len(r.Changes) - len(keys); more > 0 {
			keys = append(keys, fmt.Sprintf("and %d more", more))
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", r.Number, localTime(r.At), oneLine(r.By), oneLine(r.Owner), localTime(r.Modified),
			oneLine(strings.Join(keys, ", ")))
	}
	_ = w.Flush() // a terminal that has gone is nobody to tell
}

// history opens the versions of the shop that g names, whatever its file says.
func history(g *globals) (*app.ConfigHistory, app.Flags, error) {
	flags, err := g.flags(nil)
	if err != nil {
		return nil, flags, err
	}
	h, err := app.OpenConfigHistory(flags)
	return h, flags, err
}

type configDiffCmd struct {
	From int  `arg:"" help:"A version."`
	To   *int `arg:"" optional:"" help:"Another one (default: the file as it stands)."`
}

// Help implements kong.HelpProvider.
func (configDiffCmd) Help() string {
	return `Tells the keys that differ. Secrets are hidden, and so is what stands behind the host of an address.

  panshi config diff 3 --data /var/lib/panshi --config /etc/panshi.yaml
  panshi config diff 2 3 --data /var/lib/panshi`
}

// Run compares.
func (c configDiffCmd) Run(_ context.Context, g *globals, t *terminal) error {
	h, _, err := history(g)
	if err != nil {
		return err
	}
	was, err := h.Version(c.From)
	if err != nil {
		return err
	}
	is, err := c.to(h)
	if err != nil {
		return err
	}
	changes := app.ConfigDiff(was, is)
	return t.result(changes, func(w io.Writer) { tellChanges(w, changes) })
}

func (c configDiffCmd) to(h *app.ConfigHistory) (app.ConfigVersion, error) {
	if c.To == nil {
		return h.Now()
	}
	return h.Version(*c.To)
}

func tellChanges(w io.Writer, changes []app.ConfigChange) {
	if len(changes) == 0 {
		fmt.Fprintln(w, "no key differs")
	}
	for _, c := range changes {
		fmt.Fprintf(w, "%s: %s -> %s\n", oneLine(c.Key), orUnset(c.Was), orUnset(c.Is))
	}
}

func orUnset(value string) string {
	if value == "" {
		return "(not set)"
	}
	return oneLine(value)
}

type configRollbackCmd struct {
	Version int  `arg:"" help:"The version to go back to."`
	Yes     bool `help:"Do not ask."`
}

// Help implements kong.HelpProvider.
func (configRollbackCmd) Help() string {
	return `Shows what would change, checks that a shop would start with it, asks, and then replaces the file of --config. What
stood there is kept as a version first. It works with a file that is broken. Restart the shop afterwards.

  panshi config rollback 3 --data /var/lib/panshi --config /etc/panshi.yaml`
}

// Run shows, validates, asks and writes, in this order.
func (c configRollbackCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	h, flags, err := history(g)
	if err != nil {
		return err
	}
	now, err := h.Now()
	if err != nil {
		return err
	}
	to, err := h.Version(c.Version)
	if err != nil {
		return err
	}
	if err := h.Validate(to, flags); err != nil {
		return err
	}
	changes := app.ConfigDiff(now, to)
	if !c.Yes {
		tellChanges(t.err, changes)
		fmt.Fprintf(t.err, "Go back to version %d? Type yes. 确认回退请输入 yes：", c.Version)
		if strings.TrimSpace(firstLine(ctx, t)) != "yes" {
			return usage("--yes", "or the answer yes is needed; nothing was changed")
		}
	}
	if err := h.Rollback(to, now); err != nil {
		return err
	}
	return t.result(map[string]any{"version": c.Version, "changes": changes}, func(w io.Writer) {
		tellChanges(w, changes)
		fmt.Fprintf(w, "the file is that of version %d; it counts from the next start on 重启后生效\n", c.Version)
	})
}

func firstLine(ctx context.Context, t *terminal) string {
	if t.in == nil {
		return ""
	}
	return <-linesOf(ctx, t.in)
}
