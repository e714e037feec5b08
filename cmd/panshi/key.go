package main

import (
	"context"
	"fmt"
	"io"

	"panshi/internal/app"
	"panshi/internal/backup/seal"
)

type keyCmd struct {
	Recovery keyRecoveryCmd `cmd:"" help:"Make the keys of backups and print the recovery sheet."`
	Cards    keyCardsCmd    `cmd:"" help:"Write the bundle of card keys, which travels apart, or bring it back."`
}

type keyRecoveryCmd struct {
	Strict  bool `help:"Keep nothing that opens backups: then this machine cannot prove its own."`
	Replace bool `help:"Make another sheet for a shop that has one. Older copies open by the old sheet only."`
}

// Help implements kong.HelpProvider.
func (keyRecoveryCmd) Help() string {
	return `Prints the recovery sheet: with it and one copy of the backups the whole shop can be restored on a bare machine,
and nothing else opens them. It is printed once and stored nowhere. Print it twice, keep both in different places.
Card keys are not covered by it alone: see panshi key cards.

  panshi key recovery --data /var/lib/panshi | lp
  panshi key recovery --data /var/lib/panshi --replace

A shop that runs uses new keys after its next start.`
}

// Run draws keys, prints the sheet and keeps the rest.
func (c keyRecoveryCmd) Run(_ context.Context, g *globals, t *terminal) error {
	cfg, err := g.load(nil)
	if err != nil {
		return err
	}
	sheet, err := app.NewRecovery(cfg, c.Strict, c.Replace)
	if err != nil {
		return err
	}
	return t.result(map[string]string{"sheet": sheet}, func(w io.Writer) { fmt.Fprint(w, sheet) })
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
