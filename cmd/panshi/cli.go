package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"panshi/internal/app"
	"panshi/internal/errs"
)

// commandLine is the grammar. A command stands here when it works.
type commandLine struct {
	Globals globals `embed:""`

	Serve     serveCmd     `cmd:"" help:"Run the shop."`
	Demo      demoCmd      `cmd:"" help:"Fill an empty data directory with a demo shop."`
	Sandbox   sandboxCmd   `cmd:"" help:"Run the payment simulator alone."`
	Merchant  merchantCmd  `cmd:"" help:"Create, change and list merchants."`
	Account   accountCmd   `cmd:"" help:"Store and list payment accounts."`
	Import    importCmd    `cmd:"" help:"Import a catalogue or card keys from a file."`
	Migrate   migrateCmd   `cmd:"" help:"Move a shop between SQLite and PostgreSQL, and prove that nothing changed."`
	Check     checkCmd     `cmd:"" help:"Check the business invariants of the shop; exit 1 on any violation."`
	Backup    backupCmd    `cmd:"" help:"What leaves this machine, and how far it is."`
	Restore   restoreCmd   `cmd:"" help:"Bring a shop back from its spool or a copy elsewhere, as it is or as it was at some time."`
	Drill     drillCmd     `cmd:"" help:"Rehearse disasters on scratch copies, measure them, and keep signed reports."`
	Key       keyCmd       `cmd:"" help:"Keys of backups: the recovery sheet, and the bundle of card keys."`
	Promote   promoteCmd   `cmd:"" help:"Make the shop of a standby, and stop the old one from selling."`
	Reconcile reconcileCmd `cmd:"" help:"Compare a day with the payment platforms' bills; exit 1 if anything differs."`
	Notify    notifyCmd    `cmd:"" help:"Try the channels of alerts, list and acknowledge alerts."`
	Doctor    doctorCmd    `cmd:"" help:"Look at configuration and environment, one line a finding."`
	Bench     benchCmd     `cmd:"" help:"Measure this program on this machine, on scratch data."`
	BenchPart benchPartCmd `cmd:"" hidden:"" help:"A reference of a bench; for panshi bench itself."`
	SetupLink setupLinkCmd `cmd:"" help:"Make the one-time link by which an owner gets into the console."`
	Version   versionCmd   `cmd:"" help:"Tell the version."`
}

// globals are the flags of every command. A pointer is nil when the flag was
// not given.
type globals struct {
	Data   *string  `placeholder:"DIR" help:"The data directory (default panshi-data)."`
	Config *string  `placeholder:"FILE" help:"Configuration file (YAML)."`
	Set    []string `placeholder:"KEY=VALUE" sep:"none" help:"Set a configuration key; may be repeated."`
	JSON   bool     `name:"json" help:"Print the result as one JSON document."`
}

// load reads the configuration; more holds the command's own flags by key.
func (g *globals) load(more map[string]*string) (app.Config, error) {
	flags := app.Flags{Set: g.Set, More: map[string]string{}}
	for name, f := range map[string]struct {
		from *string
		to   *string
	}{"--data": {g.Data, &flags.Data}, "--config": {g.Config, &flags.File}} {
		if f.from == nil {
			continue
		}
		if err := plain(name, *f.from, 4096); err != nil {
			return app.Config{}, err
		}
		*f.to = *f.from
	}
	for key, value := range more {
		if value == nil {
			continue
		}
		if err := plain(spell(key), *value, 4096); err != nil {
			return app.Config{}, err
		}
		flags.More[key] = *value
	}
	return app.Load(flags)
}

// again is a command line of this program with the same flags for all commands.
func (g *globals) again(command ...string) ([]string, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append([]string{exe}, command...)
	if g.Data != nil {
		args = append(args, "--data", *g.Data)
	}
	if g.Config != nil {
		args = append(args, "--config", *g.Config)
	}
	for _, set := range g.Set {
		args = append(args, "--set", set)
	}
	return args, nil
}

// plain refuses what is no name, path or address: empty texts, control
// characters, what is not UTF-8, and more than most bytes.
func plain(name, value string, most int) error {
	switch {
	case value == "":
		return usage(name, "must not be empty")
	case len(value) > most:
		return usage(name, "is too long")
	case !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r == utf8.RuneError || unicode.IsControl(r) }):
		return usage(name, "must be UTF-8 text without control characters")
	}
	return nil
}

// address refuses what nothing can listen on, in the words of its flag.
func address(name string, value *string) error {
	if value == nil {
		return nil
	}
	if err := plain(name, *value, 300); err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(*value)
	if _, err2 := strconv.ParseUint(port, 10, 16); err != nil || err2 != nil {
		return usage(name, fmt.Sprintf("%q is not an address such as 127.0.0.1:8080", *value))
	}
	return nil
}

const description = `Panshi (磐石): a shop that never loses a paid order.

  Try it:  panshi demo && panshi serve --sandbox 127.0.0.1:8090
  For real: panshi merchant put --slug shop --name 我的小店
            panshi account put wechatpay wechatpay.json
            panshi serve

Exit codes: 0 done, 1 findings or failure, 2 usage, 3 not permitted, 4 integrity violation.`

// run parses args and runs the command that they name.
func run(ctx context.Context, t *terminal, args []string) error {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	var line commandLine
	parser, err := kong.New(&line, kong.Name("panshi"), kong.Description(description),
		kong.Writers(t.out, t.err), kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(t))
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return errs.New(errs.Invalid, "usage", err.Error()+" (see `panshi --help`)")
	}
	t.json = line.Globals.JSON
	return parsed.Run(&line.Globals)
}
