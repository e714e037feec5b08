package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"panshi/internal/app"
	"panshi/internal/backup/seal"
)

type keySharesCmd struct {
	New keySharesNewCmd `cmd:"" help:"Make the keys of backups and print the recovery sheet in shares, once."`
}

type keySharesNewCmd struct {
	keyRecoveryFlags
	Threshold int `default:"2" help:"How many shares open the backups."`
	Shares    int `default:"3" help:"How many there are, 9 at most."`
}

// Help implements kong.HelpProvider.
func (keySharesNewCmd) Help() string {
	return `In the place of one recovery sheet there are several, of which two (or --threshold) open every backup and one alone
opens and tells nothing. Each share begins with a form feed, so each comes on a page of its own; give each to another
person. Lines that are typed by hand are checked one by one. Nothing is stored on this machine. A shop that has a sheet
needs --replace, and backups of before need the old sheet. Restart a running shop afterwards.

  panshi key shares new --data /var/lib/panshi | lpr
  panshi key shares new --threshold 3 --shares 5 --replace | lpr`
}

// Run prints the shares and then takes the keys into use.
func (c keySharesNewCmd) Run(_ context.Context, g *globals, t *terminal) error {
	return c.print(g, t, app.RecoveryOptions{Threshold: c.Threshold, Shares: c.Shares})
}

// keyRecoveryFlags are those of both kinds of sheets.
type keyRecoveryFlags struct {
	Name    *string `placeholder:"TEXT" help:"The shop's name on the sheet (default: the host of shop.public_url)."`
	Strict  bool    `help:"Keep no key on this machine that opens backups; another machine has to prove them."`
	Replace bool    `help:"Make another sheet for a shop that has one. Backups of before need the old sheet."`
}

// print prints the sheets first and then takes the keys into use: a sheet
// without keys is harmless, keys without a sheet would be a trap.
func (c keyRecoveryFlags) print(g *globals, t *terminal, o app.RecoveryOptions) error {
	cfg, err := g.load(nil)
	if err != nil {
		return err
	}
	if !hasShop(cfg) {
		return noShop(cfg)
	}
	o.Strict, o.Replace = c.Strict, c.Replace
	if c.Name != nil {
		if err := plain("--name", *c.Name, 100); err != nil {
			return err
		}
		o.Shop = *c.Name
	}
	r, err := app.NewRecovery(cfg, o, time.Now())
	if err != nil {
		return nameFlag(err)
	}
	var value any = map[string]string{"sheet": r.Sheet}
	if len(r.Shares) > 0 {
		value = map[string][]string{"shares": r.Shares}
	}
	var printed error
	err = t.result(value, func(w io.Writer) {
		_, printed = fmt.Fprint(w, r.Sheet+strings.Join(r.Shares, "\f"))
	})
	if err := errors.Join(err, printed); err != nil {
		return err
	}
	return r.Save()
}

// sheetFlags open what was sealed for a recovery sheet.
type sheetFlags struct {
	Sheet *string  `placeholder:"FILE" help:"The recovery sheet, or its two lines with the keys; - reads standard input."`
	Share []string `placeholder:"FILE" sep:"none" help:"In the place of the sheet: one of its shares; give the flag once for each. - asks for all lines."`
}

// read gives the sheet, nil if no flag names one.
func (f sheetFlags) read(ctx context.Context, t *terminal) (*seal.Sheet, error) {
	if f.Sheet != nil && len(f.Share) > 0 {
		return nil, usage("--sheet, --share", "only one of the two")
	}
	if len(f.Share) > 0 {
		return readShares(ctx, t, f.Share)
	}
	if f.Sheet == nil {
		return nil, nil //nolint:nilnil // no sheet was named, which is no failure
	}
	text, _, err := readSettings(ctx, t, *f.Sheet)
	if err != nil {
		return nil, err
	}
	sheet, err := seal.ParseSheet(string(text))
	return &sheet, err
}

func readShares(ctx context.Context, t *terminal, paths []string) (*seal.Sheet, error) {
	var c seal.Shares
	for _, path := range paths {
		if path == "-" {
			if err := askShares(ctx, t, &c); err != nil {
				return nil, err
			}
			continue
		}
		text, _, err := readSettings(ctx, t, path)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			if err := c.Line(line); err != nil {
				return nil, err
			}
		}
	}
	sheet, err := c.Sheet()
	return &sheet, err
}

// askShares takes lines until everything is there. A person who slipped types
// the line again; a file that has a slip is refused.
func askShares(ctx context.Context, t *terminal, c *seal.Shares) error {
	if t.in == nil {
		return usage("--share", "there is no standard input")
	}
	lines := linesOf(ctx, t.in)
	for next := c.Next(); next != ""; next = c.Next() {
		if t.live {
			fmt.Fprintf(t.err, "line %s of the share 份额的 %s 行: %s ", next, next, next)
		}
		line, ok := <-lines
		if !ok {
			return ctx.Err() // what is missing is told by who asks for the sheet
		}
		if label, _, _ := strings.Cut(strings.TrimSpace(line), " "); t.live && !strings.EqualFold(label, next) {
			line = next + " " + line // people type what stands behind the label
		}
		if err := c.Line(line); err != nil {
			if !t.live {
				return err
			}
			fmt.Fprintln(t.err, oneLine(err.Error()))
		}
	}
	return nil
}

// linesOf reads lines in a goroutine, because nothing else can leave a terminal.
// The channel is closed at the end, or when ctx ends.
func linesOf(ctx context.Context, from io.Reader) <-chan string {
	read, out := make(chan string), make(chan string)
	go func() {
		defer close(read)
		for s := bufio.NewScanner(from); s.Scan(); {
			select {
			case read <- s.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() {
		defer close(out)
		for {
			select {
			case line, ok := <-read:
				if !ok {
					return
				}
				select {
				case out <- line:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
