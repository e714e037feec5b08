package main

import (
	"context"
	"fmt"
	"io"

	"panshi/internal/adminsock"
	"panshi/internal/payment"
)

type accountSetCmd struct {
	ID        string  `arg:"" help:"The account, as 'panshi account list' names it."`
	On        *bool   `help:"Take new payments; --on=false stops it."`
	Position  *int    `placeholder:"N" help:"The smaller comes first."`
	Weight    *int64  `placeholder:"N" help:"Its share among accounts that are equally good, 1 to 100."`
	MinAmount *int64  `placeholder:"FEN" help:"The smallest payment, minor units."`
	MaxAmount *int64  `placeholder:"FEN" help:"The largest payment; 0: no limit."`
	DayAmount *int64  `placeholder:"FEN" help:"All payments of a day; 0: no limit."`
	DayCount  *int64  `placeholder:"N" help:"How many payments a day; 0: no limit."`
	Currency  *string `placeholder:"CNY" help:"The only currency it takes; empty: any."`
	Clients   *string `placeholder:"LIST" help:"Clients it takes payments of (web, miniprogram, api); empty: all."`
	Hours     *string `placeholder:"HOURS" help:"When it is open (UTC+8); empty: always."`
}

// Help implements kong.HelpProvider.
func (accountSetCmd) Help() string {
	return `A flag that is not given keeps what is there. It concerns new payments only: what was begun stays with its account.
Several accounts of one platform and method are one way to pay to buyers; the healthiest that takes a payment gets it,
equals by position, then by weight. Payments of a day are counted from when the limit was set.

  panshi account set 0198f3a0-… --max-amount 500000 --day-amount 10000000
  panshi account set 0198f3a0-… --hours "mon-fri 09:00-18:00, sat 10:00-02:00"
  panshi account set 0198f3a0-… --on=false`
}

// Run changes the account's rules.
func (c accountSetCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	r := adminsock.RulesRequest{Account: c.ID, Change: payment.RuleChange{
		On: c.On, Position: c.Position, Weight: c.Weight, MinAmount: c.MinAmount, MaxAmount: c.MaxAmount,
		DayAmount: c.DayAmount, DayCount: c.DayCount, Currency: c.Currency, Clients: c.Clients, Hours: c.Hours,
	}}
	if r.Change == (payment.RuleChange{}) {
		return usage("--on", "name what to change")
	}
	return withShop(ctx, g, t, refuse, func(s *shop) error {
		a, err := s.SetAccountRules(ctx, r)
		if err != nil {
			return asFlags(err)
		}
		return t.result(a, func(w io.Writer) {
			fmt.Fprintf(w, "The account %s is %s; its rules are stored. 收款账户规则已保存。\n", oneLine(a.MchID), either(a.On, "on", "off"))
		})
	})
}
