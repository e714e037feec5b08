package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/app"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/proof"
	"panshi/internal/i18n"
)

type backupVerifyCmd struct {
	Labels []string `arg:"" optional:"" name:"label" help:"Destinations (default all)."`
}

// Help implements kong.HelpProvider.
func (backupVerifyCmd) Help() string {
	return `Reads every object of every destination and compares it with the signed manifests: what is missing, altered,
forged, set back or interrupted is named. Of a running shop it also asks what was written last. It writes nothing but
a note at the destination that keeps retention waiting meanwhile.

  panshi backup verify --data /var/lib/panshi --config /etc/panshi.yaml
  panshi backup verify --config /etc/panshi.yaml nas oss --json

Exit codes: 0 sound, 1 a destination cannot be read, 4 findings.`
}

// Run verifies one destination after the other.
func (c backupVerifyCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	p, labels, err := prover(ctx, g, t, c.Labels)
	if err != nil {
		return err
	}
	var all []app.Verified
	m := newMeter(ctx, t, "verify")
	for _, label := range labels {
		v, err := p.Verify(ctx, label, func(_ string, done, total int64) { m.step(done, total, label) })
		if err != nil {
			m.end()
			return err
		}
		all = append(all, v)
	}
	m.end()
	if err := t.result(map[string]any{"destinations": all}, func(w io.Writer) { tellVerified(w, all) }); err != nil {
		return err
	}
	return verdict(all)
}

// verdict makes the exit code: a finding outweighs what could not be read.
func verdict(all []app.Verified) error {
	for _, v := range all {
		if len(v.Findings) > 0 {
			return altered(v.Findings[0])
		}
	}
	if slices.ContainsFunc(all, func(v app.Verified) bool { return v.Failure != "" }) {
		return errFindings
	}
	return nil
}

func tellVerified(w io.Writer, all []app.Verified) {
	for _, v := range all {
		switch {
		case v.Failure != "":
			fmt.Fprintf(w, "%s CANNOT BE READ: %s\n", oneLine(v.Label), oneLine(v.Failure))
		case len(v.Findings) > 0:
			fmt.Fprintf(w, "%s is DAMAGED: %s\n", oneLine(v.Label), plural(int64(len(v.Findings)), "finding"))
		default:
			fmt.Fprintf(w, "%s is sound: %s, %s bytes\n", oneLine(v.Label), plural(int64(v.Objects), "object"), count(v.Bytes))
		}
		tellFindings(w, v.Findings)
	}
}

func tellFindings(w io.Writer, findings []manifest.Finding) {
	for _, f := range findings {
		fmt.Fprintf(w, "  %s  %s  %s\n", f.Kind, oneLine(f.Name), oneLine(f.Detail))
	}
}

type backupProveCmd struct {
	Labels  []string `arg:"" optional:"" name:"label" help:"Destinations (default all)."`
	Scratch *string  `placeholder:"DIR" help:"Where to restore to for a moment (default beside the data directory)."`
}

// Help implements kong.HelpProvider.
func (backupProveCmd) Help() string {
	return `Verifies a destination, restores its newest recovery point into a directory that is taken away afterwards, runs every
invariant on the restored shop, counts it, and keeps a signed record of that. The running shop is not touched. The
directory needs room for the database twice. A shop with a strict recovery sheet cannot open its own copies.

  panshi backup prove --data /var/lib/panshi --config /etc/panshi.yaml
  panshi backup prove --config /etc/panshi.yaml --scratch /mnt/spare nas

Exit codes: 0 proved, 1 not proved, 4 not proved because the destination is damaged.`
}

// Run proves one destination after the other.
func (c backupProveCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	scratch := ""
	if c.Scratch != nil {
		if err := plain("--scratch", *c.Scratch, 4096); err != nil {
			return err
		}
		scratch = *c.Scratch
	}
	all, err := proveAll(ctx, g, t, c.Labels, scratch)
	if err != nil {
		return err
	}
	if err := t.result(map[string]any{"proofs": all}, func(w io.Writer) { tellProofs(w, all) }); err != nil {
		return err
	}
	return proved(all)
}

// proveAll proves destinations, all if none is named.
func proveAll(ctx context.Context, g *globals, t *terminal, named []string, scratch string) ([]proof.Record, error) {
	p, labels, err := prover(ctx, g, t, named)
	if err != nil {
		return nil, err
	}
	m := newMeter(ctx, t, "prove")
	defer m.end()
	alone, err := p.Alone(ctx, func() { m.say("a drill or another proof runs; waiting for its end") })
	if err != nil {
		return nil, err
	}
	defer func() { _ = alone.Close() }() // the lock goes with the process
	var all []proof.Record
	for _, label := range labels {
		r, err := p.Prove(ctx, label, scratch, func(step string, done, total int64) { m.step(done, total, label+": "+step) })
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
	return all, nil
}

func proved(all []proof.Record) error {
	for _, r := range all {
		if len(r.Findings) > 0 {
			return altered(r.Findings[0])
		}
	}
	if slices.ContainsFunc(all, func(r proof.Record) bool { return !r.Good() }) {
		return errFindings
	}
	return nil
}

func tellProofs(w io.Writer, all []proof.Record) {
	for _, r := range all {
		if !r.Good() {
			fmt.Fprintf(w, "%s is NOT PROVED: %s\n", oneLine(r.Destination), oneLine(r.Why()))
			tellFindings(w, r.Findings)
			continue
		}
		fmt.Fprintf(w, "%s is proved: state of %s (transaction %d), %s bytes restored, %s without a violation, %s\n", oneLine(r.Destination),
			localTime(r.Time), r.Transaction, count(r.Restored), plural(int64(r.Invariants), "invariant"), time.Duration(r.Took).Round(time.Millisecond))
	}
}

// prover gets what verifies, with what the running shop knows of its copies.
func prover(ctx context.Context, g *globals, t *terminal, named []string) (*app.Prover, []string, error) {
	cfg, err := g.load(nil)
	if err != nil {
		return nil, nil, err
	}
	for _, label := range named {
		if err := plain("<label>", label, 32); err != nil {
			return nil, nil, err
		}
	}
	if !hasShop(cfg) {
		return nil, nil, noShop(cfg)
	}
	p, err := app.NewProver(cfg, t.log(slog.LevelWarn))
	if err != nil {
		return nil, nil, err
	}
	labels, err := p.Labels(named)
	if err != nil {
		return nil, nil, err
	}
	p.Heads, err = knownHeads(ctx, cfg)
	return p, labels, err
}

// knownHeads asks the shop if it runs.
func knownHeads(ctx context.Context, cfg app.Config) (map[string]manifest.Head, error) {
	client, err := adminsock.Dial(ctx, cfg.Data)
	if errors.Is(err, adminsock.ErrNotRunning) {
		return map[string]manifest.Head{}, nil
	}
	if err != nil {
		return nil, err
	}
	status, err := client.BackupStatus(ctx)
	return app.Heads(status.Destinations), errors.Join(err, client.Close())
}

type backupChecklistCmd struct{}

// Help implements kong.HelpProvider.
func (backupChecklistCmd) Help() string {
	return `The six things that keep a shop from being lost, each with its evidence and the age of that: a standby, a daily copy
on a second disk, encrypted copies in two regions, a weekly copy offline, a restore that was really tested, and card
keys by a channel of their own. What was not proved is red, what was proved too long ago is stale.

  panshi backup checklist --data /var/lib/panshi --config /etc/panshi.yaml
  panshi backup checklist --json

Exit codes: 0 all green, 1 something is not.`
}

// Run judges and prints.
func (backupChecklistCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	cfg, err := g.load(nil)
	if err != nil {
		return err
	}
	if !hasShop(cfg) {
		return noShop(cfg)
	}
	items, err := app.Checklist(ctx, cfg)
	if err != nil {
		return err
	}
	told, err := wordsOf(items)
	if err != nil {
		return err
	}
	if err := t.result(map[string]any{"items": told}, func(w io.Writer) { tellChecklist(w, told) }); err != nil {
		return err
	}
	if !proof.AllGreen(items) {
		return errFindings
	}
	return nil
}

// itemTold is an item with its evidence in words.
type itemTold struct {
	proof.Item
	Evidence string `json:"evidence"`
}

func wordsOf(items []proof.Item) ([]itemTold, error) {
	texts, err := i18n.Load()
	if err != nil {
		return nil, err
	}
	var told []itemTold
	for _, i := range items {
		told = append(told, itemTold{i, i.Text(texts, i18n.English)})
	}
	return told, nil
}

func tellChecklist(out io.Writer, items []itemTold) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STATE\tITEM\tAGE\tEVIDENCE")
	for _, i := range items {
		age := "-"
		if !i.At.IsZero() {
			age = i.Age.Round(time.Second).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", i.State, i.Name, age, oneLine(i.Evidence))
	}
	_ = w.Flush()
}

// doctorChecklist sums the checklist up in a line.
func doctorChecklist(ctx context.Context, cfg app.Config) []finding {
	if !cfg.Ships() || len(cfg.Backup.Destinations) == 0 {
		return nil // told by what is missing
	}
	items, err := app.Checklist(ctx, cfg)
	if err != nil {
		return []finding{bad("checklist", "%s", explain(ctx, err))}
	}
	var open []string
	for _, i := range items {
		if i.State != proof.Green {
			open = append(open, i.Name)
		}
	}
	if len(open) == 0 {
		return []finding{ok("checklist", "all %d items of panshi backup checklist are green", len(items))}
	}
	return []finding{warn("checklist", "%d of %d items are green; open: %s (panshi backup checklist)", len(items)-len(open), len(items), strings.Join(open, ", "))}
}
