package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"panshi/internal/app"
)

type keyCmd struct {
	Recovery    keyRecoveryCmd    `cmd:"" help:"The recovery sheet, which opens every backup."`
	Destination keyDestinationCmd `cmd:"" help:"The credentials of backup destinations."`
}

type keyDestinationCmd struct {
	Put keyDestinationPutCmd `cmd:"" help:"Store the credential of a backup destination."`
}

type keyDestinationPutCmd struct {
	Label string `arg:"" help:"The destination's label in backup.destinations."`
	File  string `arg:"" help:"The credential (JSON); - reads standard input."`
}

// Help implements kong.HelpProvider.
func (keyDestinationPutCmd) Help() string {
	return `The file has access_key and secret_key of an object store, or private_key (OpenSSH's format, no passphrase) of an
SFTP server. It is sealed with the shop's key and never comes back; remove the file afterwards. Restart a running
shop to use it. docs/operations/backup-destinations.md tells which rights it should have.

  panshi key destination put hangzhou oss.json
  panshi key destination put hangzhou - < oss.json`
}

// Run stores the credential.
func (c keyDestinationPutCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	cfg, err := g.load(nil)
	if err != nil {
		return err
	}
	if !hasShop(cfg) {
		return noShop(cfg)
	}
	raw, open, err := readSettings(ctx, t, c.File)
	if err != nil {
		return err
	}
	defer clear(raw)
	if err := app.PutDestinationSecret(cfg, c.Label, raw); err != nil {
		return nameFlag(err)
	}
	if open {
		t.log(slog.LevelWarn).WarnContext(ctx, "other users can read the file: chmod go= it, or remove it", "file", c.File)
	}
	return t.result(map[string]string{"label": c.Label}, func(w io.Writer) { fmt.Fprintln(w, "stored "+c.Label) })
}

type keyRecoveryCmd struct {
	New keyRecoveryNewCmd `cmd:"" help:"Make the keys of backups and print the recovery sheet, once."`
}

type keyRecoveryNewCmd struct {
	Name    *string `placeholder:"TEXT" help:"The shop's name on the sheet (default: the host of shop.public_url)."`
	Strict  bool    `help:"Keep no key on this machine that opens backups; another machine has to prove them."`
	Replace bool    `help:"Make another sheet for a shop that has one. Backups of before need the old sheet."`
}

// Help implements kong.HelpProvider.
func (keyRecoveryNewCmd) Help() string {
	return `Print the sheet on paper, twice, and keep the two in different safe places. Its secret half is nowhere else: it
is not stored on this machine, and without it no backup can be read when the machine is lost. Whoever has a sheet and
a copy of the backups can read the whole shop. Restart a running shop afterwards.

  panshi key recovery new --data /var/lib/panshi | lpr`
}

// Run prints the sheet first and then takes the keys into use: a sheet without
// keys is harmless, keys without a sheet would be a trap.
func (c keyRecoveryNewCmd) Run(_ context.Context, g *globals, t *terminal) error {
	cfg, err := g.load(nil)
	if err != nil {
		return err
	}
	if !hasShop(cfg) {
		return noShop(cfg)
	}
	o := app.RecoveryOptions{Strict: c.Strict, Replace: c.Replace}
	if c.Name != nil {
		if err := plain("--name", *c.Name, 100); err != nil {
			return err
		}
		o.Shop = *c.Name
	}
	r, err := app.NewRecovery(cfg, o, time.Now())
	if err != nil {
		return err
	}
	var printed error
	err = t.result(map[string]string{"sheet": r.Sheet}, func(w io.Writer) { _, printed = fmt.Fprint(w, r.Sheet) })
	if err := errors.Join(err, printed); err != nil {
		return err
	}
	return r.Save()
}
