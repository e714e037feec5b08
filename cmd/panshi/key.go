package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"panshi/internal/app"
)

type keyCmd struct {
	Recovery    keyRecoveryCmd    `cmd:"" help:"The recovery sheet, which opens every backup."`
	Shares      keySharesCmd      `cmd:"" help:"The recovery sheet in shares, of which some open every backup."`
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
	keyRecoveryFlags
	Shares bool `help:"Three shares in the place of one sheet, of which two are needed (panshi key shares new tells more)."`
}

// Help implements kong.HelpProvider.
func (keyRecoveryNewCmd) Help() string {
	return `Print the sheet on paper, twice, and keep the two in different safe places. Its secret half is nowhere else: it
is not stored on this machine, and without it no backup can be read when the machine is lost. Whoever has a sheet and
a copy of the backups can read the whole shop. Restart a running shop afterwards.

  panshi key recovery new --data /var/lib/panshi | lpr`
}

// Run prints the sheet, or its shares.
func (c keyRecoveryNewCmd) Run(_ context.Context, g *globals, t *terminal) error {
	var o app.RecoveryOptions
	if c.Shares {
		o.Threshold, o.Shares = 2, 3
	}
	return c.print(g, t, o)
}

type keyCardsCmd struct {
	sheetFlags
	File  string `arg:"" help:"The bundle: written, or read with --place."`
	Place bool   `help:"Bring the bundle back into a shop that was restored without it; with --sheet or --share."`
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
	sheet, err := c.read(ctx, t)
	if err != nil {
		return err
	}
	if sheet == nil {
		return usage("--sheet", "is needed with --place")
	}
	if err := app.PlaceCards(cfg, *sheet, c.File); err != nil {
		return err
	}
	return t.result(map[string]bool{"open": true}, func(w io.Writer) {
		fmt.Fprintln(w, "Card keys open again from the next start on. 卡密已解锁，重启后生效。")
	})
}
