package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"panshi/internal/app"
	"panshi/internal/backup/seal"
)

type restoreCmd struct {
	From       string  `required:"" placeholder:"PLACE" help:"The spool; or, with --sheet, a destination: its directory, or its label in the configuration."`
	To         string  `required:"" placeholder:"DIR" help:"The data directory to make; it must not exist."`
	At         *string `placeholder:"TIME" help:"The state as of then, such as 2026-05-03T14:05:00+08:00 (default the newest)."`
	KeyFile    *string `placeholder:"FILE" help:"The key file of the shop, for a spool (default the one that belongs to --to)."`
	Sheet      *string `placeholder:"FILE" help:"The recovery sheet, or its two lines with the keys; - reads standard input."`
	Credential *string `placeholder:"FILE" help:"With the label of an object store or an SFTP server: its credential (JSON, as in panshi key destination put)."`
	Cards      *string `placeholder:"FILE" help:"The bundle of card keys (panshi key cards); without it they stay shut."`
	Salvage    bool    `help:"Take what is left of a destination that somebody ruined, though its signed lists are gone or name what is."`
}

// Help implements kong.HelpProvider.
func (restoreCmd) Help() string {
	return `Brings a shop back from its spool or from a destination, at its newest state or as it was at some time. Every
file is read to its end and proved before anything is written; a gap or a damaged file ends the restore and is named.
What exists is never touched. At the end all invariants are checked. The spool needs the shop's key file, which is
never in it. A destination needs the recovery sheet and nothing else; card keys come with their own bundle.

  panshi restore --from /var/lib/panshi.spool --to /var/lib/panshi
  panshi restore --from /mnt/panshi.spool --to ./look --key-file /var/lib/panshi.key --at 2026-05-03T14:05:00+08:00
  panshi restore --from /mnt/nas/panshi --to /var/lib/panshi --sheet - --cards /mnt/usb/cards.bundle
  panshi restore --from oss --to /var/lib/panshi --config panshi.yaml --sheet sheet.txt --credential oss.json

The restored shop goes on with a generation of its own.
Exit codes: 0 restored and clean, 1 restored with violations, or failed, 4 the backup has a gap or a damaged file.`
}

// Run restores and prints.
func (c restoreCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	request, err := c.request(ctx, t)
	if err != nil {
		return err
	}
	g.Data = &c.To
	cfg, err := g.load(nil)
	if err != nil {
		return err
	}
	m := newMeter(ctx, t, "restore")
	done, err := app.Restore(ctx, cfg, request, t.log(slog.LevelWarn), func(step string, done, total int64) { m.step(done, total, step) })
	m.end()
	if err != nil {
		return err
	}
	if err := t.result(done, func(w io.Writer) { tellRestored(w, done, cfg.Data) }); err != nil {
		return err
	}
	if done.Check.Violations > 0 {
		return errFindings
	}
	return nil
}

func (c restoreCmd) request(ctx context.Context, t *terminal) (app.RestoreRequest, error) {
	r := app.RestoreRequest{From: c.From, Salvage: c.Salvage}
	if err := c.secrets(ctx, t, &r); err != nil {
		return r, err
	}
	if err := plain("--from", c.From, 4096); err != nil {
		return r, err
	}
	if c.KeyFile != nil {
		if err := plain("--key-file", *c.KeyFile, 4096); err != nil {
			return r, err
		}
		r.KeyFile = *c.KeyFile
	}
	if c.At != nil {
		at, err := time.Parse(time.RFC3339, *c.At)
		if err != nil {
			return r, usage("--at", "is no time such as 2026-05-03T14:05:00+08:00")
		}
		r.At = at
	}
	return r, nil
}

// secrets reads what opens a destination.
func (c restoreCmd) secrets(ctx context.Context, t *terminal, r *app.RestoreRequest) error {
	if c.Sheet == nil {
		if c.Cards != nil || c.Credential != nil {
			return usage("--cards, --credential", "go with --sheet")
		}
		return nil
	}
	text, _, err := readSettings(ctx, t, *c.Sheet)
	if err != nil {
		return err
	}
	sheet, err := seal.ParseSheet(string(text))
	if err != nil {
		return err
	}
	r.Sheet = &sheet
	if r.Cards, err = optionalFile("--cards", c.Cards); err != nil {
		return err
	}
	r.Credential, err = optionalFile("--credential", c.Credential)
	return err
}

// optionalFile reads the file of a flag; nil without one.
func optionalFile(flag string, path *string) ([]byte, error) {
	if path == nil {
		return nil, nil
	}
	content, err := os.ReadFile(*path)
	if err != nil {
		return nil, usage(flag, "cannot be read")
	}
	return content, nil
}

func tellRestored(w io.Writer, r app.Restored, to string) {
	fmt.Fprintf(w, "restored %s from generation %s: %s, %s bytes\n", oneLine(to), r.Generation,
		plural(int64(len(r.Files)), "file"), count(r.Bytes))
	fmt.Fprintf(w, "state of %s (transaction %d)", localTime(r.Time), r.Transaction)
	if r.Lost > 0 {
		fmt.Fprintf(w, ", %s before the time asked for", r.Lost.Round(time.Millisecond))
	}
	fmt.Fprintln(w)
	if r.Unborn != "" {
		fmt.Fprintf(w, "YOUNGER files of generation %s are there without their whole copy, and nothing can be made of them 更新的一代数据缺少全量，无法恢复\n", r.Unborn)
	}
	if r.Salvaged {
		fmt.Fprintln(w, "SALVAGED from what was left: nobody can tell what came after this state 由残存对象恢复，其后是否还有数据无从得知")
	}
	if r.CardsShut {
		fmt.Fprintln(w, "card keys are SHUT: bring their own bundle by panshi key cards --place FILE 卡密尚未解锁")
	}
	if r.Settings != "" {
		fmt.Fprintf(w, "the old machine's settings are in %s\n", oneLine(r.Settings))
	}
	tellServer(w, r.Server, to)
	tellFenced(w, r.Fenced)
	tellCheck(w, r.Check, r.Took)
}

// tellServer says how a shop on PostgreSQL goes on.
func tellServer(w io.Writer, s app.RestoredServer, to string) {
	if s.Major == 0 {
		return
	}
	data := oneLine(filepath.Join(to, s.Directory))
	fmt.Fprintf(w, "the data of the PostgreSQL %d server are in %s; nobody serves them yet. To do so:\n", s.Major, data)
	fmt.Fprintf(w, "  chown -R postgres: %s && sudo -u postgres /usr/lib/postgresql/%d/bin/pg_ctl -D %s -l %s/log start\n", data, s.Major, data, data)
	fmt.Fprintf(w, "  panshi serve --data %s --set db.url=postgres://%s@HOST/%s\n", oneLine(to), oneLine(s.Role), oneLine(s.Database))
}
