package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"panshi/internal/app"
	"panshi/internal/backup/seal"
)

type keyCmd struct {
	Recovery    keyRecoveryCmd    `cmd:"" help:"The recovery sheet, which opens every backup."`
	Cards       keyCardsCmd       `cmd:"" help:"Write the bundle of card keys, which travels apart, or bring it back."`
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

type keyCardsCmd struct {
	File  string  `arg:"" help:"The bundle: written, or read with --place."`
	Place bool    `help:"Bring the bundle back into a shop that was restored without it."`
	Sheet *string `placeholder:"FILE" help:"With --place: the recovery sheet; - reads standard input."`
}

// Help implements kong.HelpProvider.
func (keyCardsCmd) Help() string {
	return `Card keys are encrypted by a keyset of their own, which is in no backup of the rest: who has all copies and their
sheet still reads no card key. This writes that keyset into a file, sealed to the recovery sheet. Keep it by another
channel than the copies (a USB stick in a safe); one file is enough for as long as the shop lives.

  panshi key cards --data /var/lib/panshi /mnt/usb/cards.bundle
  panshi key cards --data /var/lib/panshi --place /mnt/usb/cards.bundle --sheet -`
}

// Run writes the bundle, or places it.
func (c keyCardsCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	cfg, err := g.load(nil)
	if err != nil {
		return err
	}
	if err := plain("<file>", c.File, 4096); err != nil {
		return err
	}
	if !c.Place {
		if err := app.ExportCards(ctx, cfg, c.File); err != nil {
			return err
		}
		return t.result(map[string]string{"file": c.File}, func(w io.Writer) {
			fmt.Fprintf(w, "The keys of card keys are in %s, sealed to the recovery sheet. Keep it apart from the copies.\n", oneLine(c.File))
		})
	}
	if c.Sheet == nil {
		return usage("--sheet", "is needed with --place")
	}
	text, _, err := readSettings(ctx, t, *c.Sheet)
	if err != nil {
		return err
	}
	sheet, err := seal.ParseSheet(string(text))
	if err != nil {
		return err
	}
	if err := app.PlaceCards(cfg, sheet, c.File); err != nil {
		return err
	}
	return t.result(map[string]bool{"open": true}, func(w io.Writer) {
		fmt.Fprintln(w, "Card keys open again from the next start on. 卡密已解锁，重启后生效。")
	})
}
