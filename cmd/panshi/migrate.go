package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"panshi/internal/db/transfer"
	"panshi/internal/errs"
	"panshi/internal/migrate"
	"panshi/internal/vault"
)

type migrateCmd struct {
	From     *string `placeholder:"PLACE" help:"Where the shop is: a data directory or postgres://… (required)."`
	To       *string `placeholder:"PLACE" help:"Where it goes: an empty data directory or an empty database."`
	CopyKeys bool    `help:"Copy the keys, too, if the shop goes to another data directory."`
	DryRun   bool    `help:"Only tell what would be moved."`
	Reopen   bool    `help:"Let the shop at --from be served there again: the move is given up or undone."`
}

// Help implements kong.HelpProvider.
func (migrateCmd) Help() string {
	return `Copies a shop between SQLite (a data directory) and PostgreSQL (a URL), in either direction, and proves that
nothing is different: row counts, sums of every integer column and a SHA-256 over all rows of each table, read
anew from both sides. Stop the shop, move it, start it at its new place:

  panshi migrate --from /var/lib/panshi --to postgres://panshi:secret@db/shop --dry-run
  panshi migrate --from /var/lib/panshi --to postgres://panshi:secret@db/shop
  panshi serve   --data /var/lib/panshi --set db.url=postgres://panshi:secret@db/shop

An interrupted move goes on where it stopped: run the same command again. Until the move is verified the new
place refuses to be served, and from its beginning on the old one does, so that nobody sells from both. The old
place stays as it was and says so when it is started. To sell from there again, of course without the orders
that came since:

  panshi migrate --from /var/lib/panshi --reopen

Keys are files and never enter a database. A shop on PostgreSQL is served with the data directory that has its
keys: keep it (its panshi.db is not used any more), and give it as --data when the shop moves back. A new data
directory needs the keys, in DIR/keys and beside it in DIR.key; --copy-keys copies them:

  panshi migrate --data /var/lib/panshi --from postgres://panshi:secret@db/shop --to /srv/shop --copy-keys

A URL in the arguments can be seen by others on this machine; one without a password takes it from PGPASSWORD or
~/.pgpass. Exit code 4 if a table differs; then the first row that does is named, and nothing is given up.`
}

// Run moves the shop.
func (c migrateCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	r, err := c.request(g, t)
	if err != nil {
		return err
	}
	if c.Reopen {
		return reopenShop(ctx, t, r)
	}
	m, start := newMeter(ctx, t, "migrate"), time.Now()
	pace := pacer{clock: time.Now}
	r.Progress = func(p transfer.Progress) { m.step(p.Steps(), 2*p.Total, pace.note(p)) }
	report, err := migrate.Run(ctx, r)
	m.end()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return errs.New(errs.Unavailable, "interrupted", "interrupted; run the same command again to go on where it stopped")
	}
	if err != nil && errs.CodeOf(err) != transfer.ErrDiffers.Code {
		return err
	}
	took := time.Since(start)
	return errors.Join(t.result(report, func(w io.Writer) { tellMove(w, report, took) }), err)
}

// request reads the flags.
func (c migrateCmd) request(g *globals, t *terminal) (migrate.Request, error) {
	if c.From == nil {
		return migrate.Request{}, usage("--from", "is required: a data directory or the URL of a PostgreSQL database")
	}
	if (c.To == nil) != c.Reopen || c.Reopen && (c.DryRun || c.CopyKeys) {
		return migrate.Request{}, usage("--to", "is required, or --reopen alone instead of it")
	}
	cfg, err := g.load(nil)
	if err != nil {
		return migrate.Request{}, err
	}
	r := migrate.Request{
		Data: cfg.Data, Keys: vault.Config(cfg.Vault), CopyKeys: c.CopyKeys, DryRun: c.DryRun, Log: t.log(slog.LevelWarn),
	}
	if r.From, err = place("from", c.From); err != nil || c.Reopen {
		return r, err
	}
	r.To, err = place("to", c.To)
	return r, err
}

func place(name string, value *string) (migrate.Place, error) {
	if err := plain("--"+name, *value, 4096); err != nil {
		return migrate.Place{}, err
	}
	return migrate.ParsePlace("--"+name, *value)
}

func reopenShop(ctx context.Context, t *terminal, r migrate.Request) error {
	place, err := migrate.Reopen(ctx, r)
	if err != nil {
		return err
	}
	told := struct {
		From   string `json:"from"`
		Had    string `json:"had_moved_to"` // "" if it had not
		Opened bool   `json:"reopened"`
	}{r.From.String(), place, place != ""}
	return t.result(told, func(w io.Writer) {
		if place == "" {
			fmt.Fprintf(w, "The shop at %s had not been moved; nothing was changed.\n", told.From)
			return
		}
		fmt.Fprintf(w, "The shop at %s can be served again. What was sold at %s since the move is not in it;\n"+
			"see to it that nobody serves that one any more.\n", told.From, place)
	})
}

// pacer tells how fast a move is and how long it will take. It is used by one
// goroutine at a time.
type pacer struct {
	clock     func() time.Time
	verifying bool
	start     time.Time
	first     int64 // rows done before this run
}

// note says what is being done.
func (p *pacer) note(now transfer.Progress) string {
	verb := "copying "
	if now.Verifying {
		verb = "verifying "
	}
	if p.start.IsZero() || p.verifying != now.Verifying {
		p.verifying, p.start, p.first = now.Verifying, p.clock(), now.Done
	}
	passed := p.clock().Sub(p.start).Seconds()
	if passed < 0.5 || now.Done == p.first {
		return verb + now.Table
	}
	speed := float64(now.Done-p.first) / passed
	left := time.Duration(float64(now.Total-now.Done) / speed * float64(time.Second))
	return fmt.Sprintf("%s%s, %s rows/s, %s left", verb, now.Table, count(int64(speed)), left.Round(time.Second))
}

// tellMove prints what a move did.
func tellMove(w io.Writer, r migrate.Report, took time.Duration) {
	if r.DryRun {
		for _, p := range r.Plan {
			fmt.Fprintf(w, "%-28s %14s\n", p.Table, count(p.Rows))
		}
		fmt.Fprintf(w, "%s would be moved from %s to %s.\nKeys: %s.\nNothing was changed: this was a dry run.\n",
			plural(r.Rows, "row"), r.From, r.To, r.Keys)
		return
	}
	for _, table := range r.Tables {
		if table.Same {
			fmt.Fprintf(w, "same     %-28s %14s rows  sha256 %s\n", table.Table, count(table.Source.Rows), table.Source.Digest[:16])
			continue
		}
		fmt.Fprintf(w, "DIFFERS  %-28s %s\n", table.Table, oneLine(table.Difference))
	}
	if !r.Moved {
		fmt.Fprintf(w, "The shop was not moved. Neither place is served until this is cleared up: empty %s and run the\n"+
			"command again, or go on selling at %s after `panshi migrate --reopen --from` it.\n", r.To, r.From)
		return
	}
	if r.Resumed {
		fmt.Fprintln(w, "an interrupted move was continued")
	}
	fmt.Fprintf(w, "%s moved and verified in %s. The shop is at %s now; %s refuses to be served.\nKeys: %s.\n"+
		"商店已迁移并核对无误：%s 行。\n", plural(r.Rows, "row"), took.Round(time.Millisecond), r.To, r.From, r.Keys, count(r.Rows))
}
