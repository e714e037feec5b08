package main

import (
	"context"
	"fmt"
	"io"
)

type demoCmd struct{}

// Help implements kong.HelpProvider.
func (demoCmd) Help() string {
	return `Two merchants, about 24 products with pictures, a card product with 2,000 keys. It may be repeated, and it
never touches a shop that is not a demo. A running shop can be filled too.

  panshi demo --data ./try
  panshi serve --data ./try --sandbox 127.0.0.1:8090`
}

// Run fills the demo shop.
func (demoCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	return withShop(ctx, g, t, create, func(s *shop) error {
		m := newMeter(ctx, t, "demo")
		summary, err := s.Demo(ctx, m.say)
		m.end()
		if err != nil {
			return err
		}
		told := struct {
			Merchants int   `json:"merchants"`
			SKUs      int64 `json:"skus"`
			Cards     int64 `json:"cards"`
			Unchanged bool  `json:"unchanged"`
		}{summary.Merchants, summary.SKUs, summary.Cards, summary.Unchanged}
		return t.result(told, func(w io.Writer) {
			if told.Unchanged {
				fmt.Fprintln(w, "The demo shop was complete already. 演示商店已存在，未作改动。")
				return
			}
			fmt.Fprintf(w, "The demo shop is ready: %s, %s, %s.\n演示商店已就绪：%s 家商户，%s 个规格，%s 张卡密。\n",
				plural(int64(told.Merchants), "merchant"), plural(told.SKUs, "SKU"), plural(told.Cards, "card key"),
				count(int64(told.Merchants)), count(told.SKUs), count(told.Cards))
		})
	})
}
