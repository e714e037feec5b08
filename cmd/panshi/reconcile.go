package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"panshi/internal/adminsock"
	"panshi/internal/i18n"
	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/reconcile"
)

type reconcileCmd struct {
	Date     string  `required:"" placeholder:"DATE" help:"The platform's day, such as 2026-05-03 (Asia/Shanghai)."`
	Merchant *string `placeholder:"SLUG" help:"Only this merchant's accounts."`
	Account  *string `placeholder:"ACCOUNT" help:"Only this account: its id, or its merchant number at the platform."`
	Lang     string  `enum:"zh-CN,en" default:"zh-CN" help:"Language of the table: zh-CN or en."`
}

// Help implements kong.HelpProvider.
func (reconcileCmd) Help() string {
	return `Fetches the bill of each payment account, matches it with the shop's payments, refunds and books, and
closes the day if all agree to the fen. Bills are ready at 10:00 of the next day. Money that the shop missed is asked
for at the platform and settled; what else differs becomes a case for a person. Running it again changes nothing
that is right.

  panshi reconcile --date 2026-05-03
  panshi reconcile --date 2026-05-03 --merchant shop --lang en

Exit codes: 0 all days closed, 1 differences or no bill yet, 2 usage.`
}

// Run reconciles and prints.
func (c reconcileCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	if _, err := reconcile.ParseDate(c.Date); err != nil {
		return err
	}
	r := adminsock.ReconcileRequest{Date: c.Date}
	for _, f := range []struct {
		name string
		from *string
		to   *string
	}{{"merchant", c.Merchant, &r.Merchant}, {"account", c.Account, &r.Account}} {
		if f.from == nil {
			continue
		}
		if err := plain("--"+f.name, *f.from, 128); err != nil {
			return err
		}
		*f.to = *f.from
	}
	texts, err := i18n.Load()
	if err != nil {
		return err
	}
	return withShop(ctx, g, t, refuse, func(s *shop) error {
		m := newMeter(ctx, t, "reconcile")
		report, err := s.Reconcile(ctx, r, func(p adminsock.ReconcileProgress) { m.step(p.Done, p.Total, p.Step) })
		m.end()
		if err != nil {
			return err
		}
		b := billTable{texts, i18n.Lang(c.Lang)}
		if err := t.result(report, func(w io.Writer) { b.tell(w, report) }); err != nil {
			return err
		}
		if !report.Clean() {
			return errFindings
		}
		return nil
	})
}

// billTable prints a report in one language.
type billTable struct {
	texts *i18n.Catalogue
	lang  i18n.Lang
}

func (b billTable) text(key string) string {
	return b.texts.Text(b.lang, "console.reconcile."+key, nil)
}

func (b billTable) tell(out io.Writer, r reconcile.Report) {
	fmt.Fprintf(out, "%s %s\n", b.text("title"), r.Date)
	if len(r.Days) == 0 {
		fmt.Fprintln(out, b.text("none"))
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", b.text("account"), b.text("lines"), b.text("bill"), b.text("ours"),
		b.text("books"), b.text("difference"), b.text("fees"), b.text("state"))
	for _, d := range r.Days {
		yuan := func(minor int64) string { return money.Of(minor, money.Currency(d.Currency)).Decimal() }
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", oneLine(b.account(d)), count(d.BillCount), yuan(d.BillPaid-d.BillRefunded),
			yuan(d.OurPaid-d.OurRefunded), yuan(d.LedgerNet), yuan(d.Difference()), yuan(d.Fees), b.state(d))
	}
	_ = w.Flush() // a terminal that has gone is nobody to tell
	for _, d := range r.Days {
		b.cases(out, d)
	}
}

func (b billTable) account(d reconcile.DayReport) string {
	name := d.Name
	if b.lang != i18n.Lang("zh-CN") && d.NameEN != "" {
		name = d.NameEN
	}
	if d.Sandbox {
		name += " (" + b.text("sandbox") + ")"
	}
	return name + " " + d.Number
}

// state tells how a day stands, and why if it did not get there.
func (b billTable) state(d reconcile.DayReport) string {
	text := b.text("state." + string(d.State))
	if d.Problem != "" {
		text += ": " + b.texts.Text(b.lang, "error."+d.Problem, nil)
	}
	return oneLine(text)
}

func (b billTable) cases(out io.Writer, d reconcile.DayReport) {
	if d.Open == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s: %s %s\n", oneLine(b.account(d)), count(d.Open), b.text("cases"))
	for _, c := range d.Cases {
		yuan := func(minor int64) string { return money.Of(minor, money.Currency(c.Currency)).Decimal() }
		line := b.text("line.payment")
		if c.LineKind == payment.BillRefund {
			line = b.text("line.refund")
		}
		fmt.Fprintf(out, "  %s %s %s (%s): %s %s, %s %s\n    -> %s\n", b.text("kind."+string(c.Kind)), line, oneLine(c.Number), oneLine(c.TransactionID),
			b.text("bill"), yuan(c.BillAmount), b.text("ours"), yuan(c.OurAmount), b.text("remedy."+string(c.Remedy)))
	}
	if more := d.Open - int64(len(d.Cases)); more > 0 {
		fmt.Fprintf(out, "  ... %s\n", count(more))
	}
}
