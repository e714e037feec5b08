package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"panshi/internal/app"
	"panshi/internal/bench"
	"panshi/internal/db"
	"panshi/internal/errs"
)

type benchCmd struct {
	Engine    string   `default:"sqlite" placeholder:"NAME" help:"sqlite or postgres (default ${default})."`
	Scenarios []string `placeholder:"NAME,..." help:"Only these: list, detail, order, sold_out, callback, reveal, import, start, memory; ship, copy, full, restore."`
	Sizes     []string `default:"1e3" placeholder:"N,..." help:"Orders in the history, and cards behind each product (default ${default})."`
	Seconds   float64  `default:"5" placeholder:"S" help:"For each scenario; the reference gets as much (default ${default})."`
	Rounds    int      `default:"5" placeholder:"N" help:"Turns of shop and reference (default ${default})."`
	Clients   int      `default:"64" placeholder:"N" help:"Connections of the load generator (default ${default})."`
	Dir       *string  `placeholder:"DIR" help:"Where scratch data may lie (default the system's place for temporary files)."`
	Compare   *string  `placeholder:"FILE" help:"A report of --json to compare with."`
	Show      *string  `placeholder:"FILE" help:"Measure nothing: print a report of --json as text."`
	FailOver  *string  `placeholder:"10%" help:"With --compare: exit 1 if a ratio fell by more, and beyond the noise."`
}

// Help implements kong.HelpProvider.
func (benchCmd) Help() string {
	return `Measures this program on this machine: a shop of its own on scratch data, never an existing one, beside a
reference that does no more than must be done. Takes about 2 × seconds for each scenario and size, and the time to make
the data (minutes at 1e6). Nothing is left behind.

  panshi bench
  panshi bench --scenarios order,list --seconds 10
  panshi bench --engine postgres --sizes 1e3,1e5,1e6 --json > new.json
  panshi bench --engine postgres --set db.url=postgres://user@host/name     two new databases there, dropped at the end
  panshi bench --compare old.json --fail-over 10%

Columns:
  ops/s    successes a second, median of the rounds       ref/s   the same of the reference, on the same cores, in turn
  ratio    ops/s by ref/s, median of the rounds: the figure that compares between days and machines
  ±        half of what the middle half of the rounds' ratios spans, relative: the noise
  p50, p99, p99.9  latency as the clients see it, in ms; "at 80%" sends orders at a fixed 80% of the measured rate and
           counts from the moment at which each was due
  CPU µs   processor time for one operation: of the shop, of the load generator (this process), of the database server,
           and of the reference for one of its operations
  errors   operations that failed        others   share of the machine that other programs and the host took meanwhile

References:
  list, detail, sold_out   net/http that writes the same bytes
  order, reveal, import    the same rows read and written by the same engine, 64 (import: 400) a commit, no HTTP, no shop
  callback                 RSA verification and AES-GCM opening of the same callbacks, on all cores
  start                    the same binary starting to tell its version

What keeping everything costs is measured when it is named, on SQLite only: --scenarios ship,copy,full,restore
  ship, copy               orders of a shop that ships, of one that also copies itself to a directory; reference: one that does neither
  full                     orders at half of that rate while a whole copy is written and brought away; without, as a figure
  restore                  panshi restore of that directory, check, start, first order; restic restore of the same file, where installed`
}

// Run measures, prints, and compares; or shows what was measured before.
func (c benchCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	if c.Show != nil {
		report, err := readReport("--show", *c.Show)
		if err != nil {
			return err
		}
		return t.result(report, func(w io.Writer) { _ = report.Text(w) })
	}
	cfg, err := c.config(g)
	if err != nil {
		return err
	}
	old, failOver, err := c.baseline()
	if err != nil {
		return err
	}
	begin := time.Now()
	report, err := bench.Run(ctx, cfg, func(text string) {
		if t.live {
			fmt.Fprintf(t.err, "bench: %4.0f s  %s\n", time.Since(begin).Seconds(), oneLine(text))
		}
	})
	if err != nil && len(report.Results) == 0 {
		return err
	}
	var changes []bench.Change
	if old != nil {
		changes = bench.Compare(*old, report, failOver)
	}
	told := struct {
		bench.Report
		Changes []bench.Change `json:"changes,omitempty"`
	}{report, changes}
	err2 := t.result(told, func(w io.Writer) {
		_ = report.Text(w) // to a terminal
		if old != nil {
			_ = bench.TellChanges(w, changes)
		}
	})
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	return c.verdict(report, changes)
}

// verdict is a finding where operations failed or ratios fell.
func (c benchCmd) verdict(report bench.Report, changes []bench.Change) error {
	for _, r := range report.Results {
		if r.Errors > 0 {
			return errFindings
		}
	}
	for _, ch := range changes {
		if c.FailOver != nil && ch.Regression {
			return errFindings
		}
	}
	return nil
}

func (c benchCmd) config(g *globals) (bench.Config, error) {
	if g.Data != nil || g.Config != nil {
		return bench.Config{}, usage("--data", "a bench works on scratch data of its own, never on a shop; say with --dir where it may lie")
	}
	cfg := bench.Config{
		Engine: db.Engine(c.Engine), Scenarios: c.Scenarios, Time: time.Duration(c.Seconds * float64(time.Second)),
		Rounds: c.Rounds, Clients: c.Clients, Build: thisBuild(),
	}
	if len(cfg.Scenarios) == 0 {
		cfg.Scenarios = bench.Usual()
	}
	for _, kv := range g.Set {
		if address, ok := strings.CutPrefix(kv, "db.url="); ok {
			cfg.URL = address
			continue
		}
		cfg.Set = append(cfg.Set, kv)
	}
	for _, text := range c.Sizes {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n != math.Trunc(n) || math.Abs(n) > 1e9 {
			return cfg, usage("--sizes", fmt.Sprintf("%q is not a number such as 1e5", text))
		}
		cfg.Sizes = append(cfg.Sizes, int64(n))
	}
	if c.Dir != nil {
		if err := plain("--dir", *c.Dir, 4096); err != nil {
			return cfg, err
		}
		cfg.Dir = *c.Dir
	}
	var err error
	cfg.Exe, err = os.Executable()
	return cfg, errors.Join(err, cfg.Validate())
}

// baseline reads what to compare with, before anything is measured.
func (c benchCmd) baseline() (old *bench.Report, failOver float64, err error) {
	if c.FailOver != nil {
		text, percent := strings.CutSuffix(*c.FailOver, "%")
		failOver, err = strconv.ParseFloat(text, 64)
		if percent {
			failOver /= 100
		}
		if err != nil || !(failOver >= 0 && failOver < 1) {
			return nil, 0, usage("--fail-over", fmt.Sprintf("%q is not a share such as 10%%", *c.FailOver))
		}
		if c.Compare == nil {
			return nil, 0, usage("--fail-over", "goes with --compare")
		}
	}
	if c.Compare == nil {
		return nil, failOver, nil
	}
	old, err = readReport("--compare", *c.Compare)
	return old, failOver, err
}

// readReport reads what --json printed earlier.
func readReport(flag, path string) (*bench.Report, error) {
	raw, err := os.ReadFile(path)
	report := &bench.Report{}
	if err == nil {
		err = json.Unmarshal(raw, report)
	}
	if err == nil && len(report.Results) == 0 {
		err = errors.New("it has no results")
	}
	if err != nil {
		wrong := errs.Wrap(err, errs.Invalid, "usage", "cannot read the report "+path)
		wrong.Field = flag
		return nil, wrong
	}
	return report, nil
}

// thisBuild tells what is being measured.
func thisBuild() bench.Build {
	b := bench.Build{Version: app.Version(), Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			b.Commit += "+"
		}
	}
	return b
}

// benchPartCmd is how a bench starts its references.
type benchPartCmd struct {
	Kind string `arg:"" help:"Which."`
}

// Run works until standard input ends.
func (c benchPartCmd) Run(ctx context.Context, t *terminal) error {
	return bench.RunPart(ctx, c.Kind, t.in, t.out)
}
