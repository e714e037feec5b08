package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"panshi/internal/app"
	"panshi/internal/backup/drill"
	"panshi/internal/backup/seal"
	"panshi/internal/errs"
	"panshi/internal/i18n"
)

type drillCmd struct {
	List    drillListCmd    `cmd:"" help:"The disasters, their goals, and when each was rehearsed last."`
	Run     drillRunCmd     `cmd:"" help:"Rehearse one disaster."`
	All     drillAllCmd     `cmd:"" help:"Rehearse all of them, one after the other."`
	Reports drillReportsCmd `cmd:"" help:"List the signed reports."`
	Show    drillShowCmd    `cmd:"" help:"Show one report step by step."`
}

// drillFlags are those of every rehearsal.
type drillFlags struct {
	Destination *string `placeholder:"LABEL" help:"Use this destination alone (default those that chance chooses)."`
	At          *string `placeholder:"TIME" help:"The last good minute, for rows-deleted and runbook (default one of the last hour)."`
	Scratch     *string `placeholder:"DIR" help:"Where to restore to for a moment (default beside the data directory)."`
	Sheet       *string `placeholder:"FILE" help:"The recovery sheet, for a shop whose sheet is strict; - reads standard input."`
	Cards       *string `placeholder:"FILE" help:"The bundle of card keys, to try it."`
	Offline     *string `placeholder:"DIR" help:"An offline disk that is plugged in, for ransomware."`
	Seed        *string `placeholder:"NUMBER" help:"Repeat what chance chose in the drill with this seed."`
}

func (f drillFlags) driller(ctx context.Context, g *globals, t *terminal) (*app.Driller, error) {
	cfg, err := g.load(nil)
	if err != nil {
		return nil, err
	}
	o, err := f.options(ctx, t)
	if err != nil {
		return nil, err
	}
	if !hasShop(cfg) {
		return nil, noShop(cfg)
	}
	return app.NewDriller(cfg, o, t.log(slog.LevelError))
}

func (f drillFlags) options(ctx context.Context, t *terminal) (o app.DrillOptions, err error) {
	o.Seed = uint64(time.Now().UnixNano())
	for _, flag := range []struct {
		name string
		from *string
		to   *string
		most int
	}{{"--destination", f.Destination, &o.Destination, 32}, {"--scratch", f.Scratch, &o.Scratch, 4096}, {"--offline", f.Offline, &o.Offline, 4096}} {
		if flag.from == nil {
			continue
		}
		if err := plain(flag.name, *flag.from, flag.most); err != nil {
			return o, err
		}
		*flag.to = *flag.from
	}
	if f.At != nil {
		if o.At, err = time.Parse(time.RFC3339, *f.At); err != nil {
			return o, usage("--at", "is no time such as 2026-05-03T14:05:00+08:00")
		}
	}
	if f.Seed != nil {
		if o.Seed, err = strconv.ParseUint(*f.Seed, 10, 64); err != nil {
			return o, usage("--seed", "is no number as a report tells it")
		}
	}
	if o.Cards, err = optionalFile("--cards", f.Cards); err != nil || f.Sheet == nil {
		return o, err
	}
	text, _, err := readSettings(ctx, t, *f.Sheet)
	if err != nil {
		return o, err
	}
	sheet, err := seal.ParseSheet(string(text))
	o.Sheet = &sheet
	return o, err
}

type drillRunCmd struct {
	Name string `arg:"" help:"The disaster (panshi drill list)."`
	drillFlags
}

// Help implements kong.HelpProvider.
func (drillRunCmd) Help() string {
	return `Has the disaster happen to scratch copies, brings a shop back by what a real one would leave, checks it, has it take
an order, and measures how much would be lost and how long it takes. The running shop is not touched, and destinations
are only read. The report is signed and kept, with a page for people and for the printer. Scratch shops need room for
the database, up to three times.

  panshi drill run machine-lost --data /var/lib/panshi --config /etc/panshi.yaml --cards /mnt/usb/cards.bundle
  panshi drill run rows-deleted --at 2026-05-03T14:05:00+08:00 --destination nas

Exit codes: 0 passed, 1 not passed.`
}

// Run rehearses and prints.
func (c drillRunCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	d, err := drill.Named(c.Name)
	if err != nil {
		return err
	}
	driller, err := c.driller(ctx, g, t)
	if err != nil {
		return err
	}
	return rehearse(ctx, t, driller, []drill.Drill{d})
}

type drillAllCmd struct {
	drillFlags
}

// Help implements kong.HelpProvider.
func (drillAllCmd) Help() string {
	return `Rehearses every disaster of panshi drill list, one after the other, and goes on when one does not pass.

  panshi drill all --data /var/lib/panshi --config /etc/panshi.yaml --json

Exit codes: 0 all passed, 1 one has not.`
}

// Run rehearses and prints.
func (c drillAllCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	driller, err := c.driller(ctx, g, t)
	if err != nil {
		return err
	}
	return rehearse(ctx, t, driller, drill.All())
}

func rehearse(ctx context.Context, t *terminal, driller *app.Driller, drills []drill.Drill) error {
	texts, err := i18n.Load()
	if err != nil {
		return err
	}
	var all []drill.Kept
	m := newMeter(ctx, t, "drill")
	for _, d := range drills {
		k, err := driller.Run(ctx, d, func(step string, done, total int64) { m.step(done, total, string(d.Name)+": "+step) })
		if err != nil {
			m.end()
			return err
		}
		m.say(string(d.Name) + ": " + drill.Line(k.Report, texts, i18n.English))
		all = append(all, k)
	}
	m.end()
	if err := t.result(map[string]any{"drills": all}, func(w io.Writer) { tellDrills(w, all, texts) }); err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(k drill.Kept) bool { return !k.Passed() }) {
		return errFindings
	}
	return nil
}

func tellDrills(w io.Writer, all []drill.Kept, texts *i18n.Catalogue) {
	for _, k := range all {
		tellDrill(w, k, texts)
	}
}

func tellDrill(w io.Writer, k drill.Kept, texts *i18n.Catalogue) {
	fmt.Fprintf(w, "%s: %s\n", k.Drill, oneLine(drill.Line(k.Report, texts, i18n.English)))
	if k.LossKnown {
		fmt.Fprintf(w, "  lost %s (goal %s)", length(k.Loss), length(k.LossGoal))
	} else {
		fmt.Fprint(w, "  loss not measured")
	}
	fmt.Fprintf(w, ", back within %s (goal %s), %s, %s\n", length(k.Recovery), length(k.RecoveryGoal),
		plural(int64(k.Invariants), "invariant"), plural(int64(k.Violations), "violation"))
	fmt.Fprintf(w, "  report %s: %s\n", k.ID, oneLine(k.Page))
}

func length(ns int64) string { return time.Duration(ns).Round(time.Millisecond).String() }

type drillListCmd struct{}

// Help implements kong.HelpProvider.
func (drillListCmd) Help() string {
	return `The disasters with their goals, and when each was rehearsed and passed last.

  panshi drill list --data /var/lib/panshi`
}

// drillStanding is a line of the list.
type drillStanding struct {
	drill.Drill

	Title string     `json:"title"`
	Last  *time.Time `json:"last,omitempty"`
	// Passed is when it passed last; Failure why the last one has not.
	Passed  *time.Time `json:"passed,omitempty"`
	Failure string     `json:"failure,omitempty"`
}

// Run prints.
func (drillListCmd) Run(_ context.Context, g *globals, t *terminal) error {
	store, texts, err := g.drills()
	if err != nil {
		return err
	}
	var all []drillStanding
	for _, d := range drill.All() {
		s, err := store.Standing(d.Name)
		if err != nil {
			return err
		}
		one := drillStanding{Drill: d, Title: drill.Title(d.Name, texts, i18n.English)}
		if s.Last != nil {
			one.Last, one.Failure = &s.Last.At, s.Last.Failure
		}
		if s.Passed != nil {
			one.Passed = &s.Passed.At
		}
		all = append(all, one)
	}
	return t.result(map[string]any{"drills": all}, func(w io.Writer) { tellStandings(w, all) })
}

func tellStandings(out io.Writer, all []drillStanding) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DRILL\tWHAT HAPPENS\tGOAL\tLAST PASSED\tLAST FAILURE")
	for _, s := range all {
		passed, failure := "never", "-"
		if s.Passed != nil {
			passed = localTime(*s.Passed)
		}
		if s.Failure != "" {
			failure = s.Failure
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.Title, s.Recovery, passed, failure)
	}
	_ = w.Flush() // a terminal that has gone is nobody to tell
}

// drills opens the reports of the shop; a shop without a sheet has none.
func (g *globals) drills() (*drill.Store, *i18n.Catalogue, error) {
	cfg, err := g.load(nil)
	if err != nil {
		return nil, nil, err
	}
	if !hasShop(cfg) {
		return nil, nil, noShop(cfg)
	}
	store, err := app.Drills(cfg)
	if err != nil {
		return nil, nil, err
	}
	texts, err := i18n.Load()
	return store, texts, err
}

type drillReportsCmd struct {
	Name string `arg:"" optional:"" help:"Of this disaster alone."`
}

// Help implements kong.HelpProvider.
func (drillReportsCmd) Help() string {
	return `Lists the reports, newest first, and verifies the signature of each.

  panshi drill reports --data /var/lib/panshi
  panshi drill reports runbook --json

Exit codes: 0 all are sound, 4 one was not signed by this shop, or was changed since.`
}

// Run lists.
func (c drillReportsCmd) Run(_ context.Context, g *globals, t *terminal) error {
	drills := drill.All()
	if c.Name != "" {
		one, err := drill.Named(c.Name)
		if err != nil {
			return err
		}
		drills = []drill.Drill{one}
	}
	store, _, err := g.drills()
	if err != nil {
		return err
	}
	all := []drill.Kept{}
	for _, d := range drills {
		some, err := store.List(d.Name)
		if err != nil {
			return err
		}
		all = append(all, some...)
	}
	if err := t.result(map[string]any{"reports": all}, func(w io.Writer) { tellReports(w, all, time.Now()) }); err != nil {
		return err
	}
	for _, k := range all {
		if k.Forged {
			return forged(k)
		}
	}
	return nil
}

func forged(k drill.Kept) error {
	return errs.Wrap(errors.New(k.ID), errs.Integrity, "drill_report_forged", "a report was not signed by this shop, or was changed since").With("report", k.ID)
}

func tellReports(out io.Writer, all []drill.Kept, now time.Time) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REPORT\tAGE\tVERDICT\tLOST\tBACK WITHIN\tPAGE")
	for _, k := range all {
		if k.Forged {
			fmt.Fprintf(w, "%s\t-\tFORGED OR CHANGED\t-\t-\t%s\n", k.ID, oneLine(k.Page))
			continue
		}
		verdict, lost := "passed", "-"
		if !k.Passed() {
			verdict = "NOT PASSED: " + k.Failure
		}
		if k.LossKnown {
			lost = length(k.Loss)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, now.Sub(k.At).Round(time.Second), verdict, lost, length(k.Recovery), oneLine(k.Page))
	}
	_ = w.Flush()
}

type drillShowCmd struct {
	Report string `arg:"" help:"The report, as panshi drill reports names it; or a disaster, for its newest."`
}

// Help implements kong.HelpProvider.
func (drillShowCmd) Help() string {
	return `Shows a report step by step, after its signature was verified.

  panshi drill show runbook
  panshi drill show disk-lost/1777788889999 --json

Exit codes: 0 shown, 4 it was not signed by this shop, or was changed since.`
}

// Run shows.
func (c drillShowCmd) Run(_ context.Context, g *globals, t *terminal) error {
	if err := plain("<report>", c.Report, 64); err != nil {
		return err
	}
	store, texts, err := g.drills()
	if err != nil {
		return err
	}
	k, err := c.find(store)
	if err != nil {
		return err
	}
	if k.Forged {
		return forged(k)
	}
	return t.result(k, func(w io.Writer) {
		tellDrill(w, k, texts)
		for _, s := range k.Steps {
			fmt.Fprintf(w, "  %10s  %s\n", length(s.Took), oneLine(drill.StepLine(s, texts, i18n.English)))
		}
		for _, o := range k.Orders {
			fmt.Fprintf(w, "  make up: %s %s %d %s %s\n", o.No, o.Status, o.Total, o.Currency, localTime(o.At))
		}
	})
}

func (c drillShowCmd) find(store *drill.Store) (drill.Kept, error) {
	d, err := drill.Named(c.Report)
	if err != nil {
		return store.Load(c.Report)
	}
	all, err := store.List(d.Name)
	if err == nil && len(all) == 0 {
		err = errs.Field("report", "drill_report_unknown", "there is no report of this drill yet; panshi drill run "+c.Report+" makes one")
	}
	if err != nil {
		return drill.Kept{}, err
	}
	return all[0], nil
}
