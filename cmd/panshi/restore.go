package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"panshi/internal/app"
)

type restoreCmd struct {
	From    string  `required:"" placeholder:"DIR" help:"The spool."`
	To      string  `required:"" placeholder:"DIR" help:"The data directory to make; it must not exist."`
	At      *string `placeholder:"TIME" help:"The state as of then, such as 2026-05-03T14:05:00+08:00 (default the newest)."`
	KeyFile *string `placeholder:"FILE" help:"The key file of the shop (default the one that belongs to --to)."`
}

// Help implements kong.HelpProvider.
func (restoreCmd) Help() string {
	return `Brings a shop back from its spool, at its newest state or as it was at some time. Every file is read to its
end and proved before anything is written; a gap or a damaged file ends the restore and is named. What exists is never
touched. At the end all invariants are checked. The spool needs the shop's key file, which is never in it.

  panshi restore --from /var/lib/panshi.spool --to /var/lib/panshi
  panshi restore --from /mnt/panshi.spool --to ./look --key-file /var/lib/panshi.key --at 2026-05-03T14:05:00+08:00

The restored shop goes on in the same spool with a generation of its own.
Exit codes: 0 restored and clean, 1 restored with violations, or failed, 4 the backup has a gap or a damaged file.`
}

// Run restores and prints.
func (c restoreCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	request, err := c.request()
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

func (c restoreCmd) request() (app.RestoreRequest, error) {
	r := app.RestoreRequest{From: c.From}
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

func tellRestored(w io.Writer, r app.Restored, to string) {
	fmt.Fprintf(w, "restored %s from generation %s: %s, %s bytes\n", oneLine(to), r.Generation,
		plural(int64(len(r.Files)), "file"), count(r.Bytes))
	fmt.Fprintf(w, "state of %s (transaction %d)", localTime(r.Time), r.Transaction)
	if r.Lost > 0 {
		fmt.Fprintf(w, ", %s before the time asked for", r.Lost.Round(time.Millisecond))
	}
	fmt.Fprintln(w)
	tellCheck(w, r.Check, r.Took)
}
