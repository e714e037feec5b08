package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/app"
	"panshi/internal/backup/seal"
	"panshi/internal/check"
	"panshi/internal/web"
)

// followFlags are what a standby is told.
type followFlags struct {
	From *string `name:"follow" placeholder:"PLACE" help:"Be a standby: follow this destination (its label in the configuration, or its directory) and sell nothing."`
	standbyKeys
}

// standbyKeys open a destination where the shop's own keys do not.
type standbyKeys struct {
	Sheet      *string `placeholder:"FILE" help:"With --follow: the recovery sheet, or - for standard input. The first start needs it."`
	Credential *string `placeholder:"FILE" help:"With --follow: the credential of the destination for the first start (JSON)."`
	Cards      *string `placeholder:"FILE" help:"With --follow: the bundle of card keys; without it they stay shut."`
}

// alone refuses the flags of a standby without --follow.
func (f followFlags) alone() error {
	if f.Sheet != nil || f.Credential != nil || f.Cards != nil {
		return usage("--sheet, --credential, --cards", "go with --follow")
	}
	return nil
}

func (k standbyKeys) request(ctx context.Context, t *terminal, from string) (r app.FollowRequest, err error) {
	r.From = from
	if err := plain("--follow", from, 4096); err != nil {
		return r, err
	}
	if k.Sheet != nil {
		text, _, err := readSettings(ctx, t, *k.Sheet)
		if err != nil {
			return r, err
		}
		sheet, err := seal.ParseSheet(string(text))
		if err != nil {
			return r, err
		}
		r.Sheet = &sheet
	}
	if r.Credential, err = optionalFile("--credential", k.Credential); err != nil {
		return r, err
	}
	r.Cards, err = optionalFile("--cards", k.Cards)
	return r, err
}

func (f followFlags) run(ctx context.Context, cfg app.Config, t *terminal) error {
	r, err := f.request(ctx, t, *f.From)
	if err != nil {
		return err
	}
	lines := web.NewLogWriter(t.err)
	defer func() { _ = lines.Close() }() // stderr is gone, or has everything
	return app.Follow(ctx, cfg, r, lines.Logger(slog.LevelInfo), func(a app.Addresses) { t.ready(a, cfg.Data) })
}

type promoteCmd struct {
	From        *string `placeholder:"PLACE" help:"What the standby followed, if it does not run now: a label, or a directory."`
	Depose      bool    `help:"Take over from a shop that lives; it stops within seconds."`
	OldOneIsOff bool    `name:"old-one-is-off" help:"I have switched the old machine off for good: take no lease."`
}

// Help implements kong.HelpProvider.
func (promoteCmd) Help() string {
	return `Makes the shop of a standby: takes the lease with the next epoch, so that the old machine stops or refuses to start,
applies all that reached the destination, and begins to sell. A standby that runs (serve --follow) goes on as the
shop; one that does not is started with panshi serve afterwards. At the end all invariants are checked.

  panshi promote --data /var/lib/panshi
  panshi promote --data /var/lib/panshi --from nas        the standby does not run

The old machine has to be silent for ten seconds. --depose takes over from one that lives: orders that it took and
that did not reach the destination are lost. Without a lease (SFTP, or the destination is gone) nothing stops the old
machine but you: --old-one-is-off. If it is on, money and goods are promised twice.
Exit codes: 0 promoted and clean, 1 failed, or promoted with findings.`
}

// Run promotes and prints.
func (c promoteCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	cfg, err := g.load(nil)
	if err != nil {
		return err
	}
	how := adminsock.PromoteRequest{Depose: c.Depose, OldOneIsOff: c.OldOneIsOff}
	m := newMeter(ctx, t, "promote")
	client, err := adminsock.Dial(ctx, cfg.Data)
	var done adminsock.Promoted
	switch {
	case err == nil:
		done, err = promoteRunning(ctx, m.say, client, cfg, how)
	case errors.Is(err, adminsock.ErrNotRunning):
		done, err = c.promoteHere(ctx, t, cfg, how, m.say)
	}
	m.end()
	if err != nil {
		return err
	}
	if err := t.result(done, func(w io.Writer) { tellPromoted(w, done) }); err != nil {
		return err
	}
	if done.Check.Violations > 0 || !done.CaughtUp {
		return errFindings
	}
	return nil
}

func (c promoteCmd) promoteHere(ctx context.Context, t *terminal, cfg app.Config, how adminsock.PromoteRequest, say func(string)) (adminsock.Promoted, error) {
	if c.From == nil {
		return adminsock.Promoted{}, usage("--from", "is needed: the standby does not run, so say what it followed")
	}
	r, err := standbyKeys{}.request(ctx, t, *c.From)
	if err != nil {
		return adminsock.Promoted{}, err
	}
	return app.Promote(ctx, cfg, r, how, t.log(slog.LevelWarn), say)
}

// promoteRunning promotes a standby that runs, and checks the shop that it goes on
// as.
func promoteRunning(ctx context.Context, say func(string), client *adminsock.Client, cfg app.Config, how adminsock.PromoteRequest) (adminsock.Promoted, error) {
	done, err := client.Promote(ctx, how, say)
	if err := errors.Join(err, client.Close()); err != nil {
		return done, err
	}
	say("check")
	done.Check, err = checkWhenUp(ctx, cfg)
	return done, err
}

// upPatience is how long a promoted shop may take to answer.
const upPatience = time.Minute

func checkWhenUp(ctx context.Context, cfg app.Config) (check.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, upPatience)
	defer cancel()
	for {
		client, err := adminsock.Dial(ctx, cfg.Data)
		if err == nil {
			var report check.Report
			report, err = client.Check(ctx, func(string, int, int) {})
			_ = client.Close() // it has answered, or never will
			if err == nil {
				return report, nil
			}
		}
		select {
		case <-ctx.Done():
			return check.Report{}, errors.Join(err, ctx.Err())
		case <-time.After(lockPause):
		}
	}
}

func tellPromoted(w io.Writer, p adminsock.Promoted) {
	fmt.Fprintf(w, "promoted, epoch %d: state of %s (generation %s, transaction %d)\n", p.Epoch, localTime(p.Time), p.Generation, p.Transaction)
	if !p.CaughtUp {
		fmt.Fprintln(w, "NOT CAUGHT UP: the destination could not be read; what reached it last is missing 未能补齐目的地中的最新数据")
	}
	if !p.Leased {
		fmt.Fprintln(w, "NO LEASE: nothing stops the old machine but you 没有租约，旧机器须由您确保停用")
	}
	tellFenced(w, p.Fenced)
	tellCheck(w, p.Check, p.Took)
}

// tellFenced names what a former writer brought too late.
func tellFenced(w io.Writer, names []string) {
	for _, name := range names {
		fmt.Fprintf(w, "left out, written by the old machine after it had been deposed: %s\n", oneLine(name))
	}
}
