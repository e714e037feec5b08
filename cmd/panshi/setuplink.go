package main

import (
	"context"
	"fmt"
	"io"
)

type setupLinkCmd struct {
	Merchant *string `placeholder:"SLUG" help:"Whose owner (default: the first merchant)."`
}

// Help implements kong.HelpProvider.
func (setupLinkCmd) Help() string {
	return `Whoever opens the link chooses a password and a second factor and is an owner of the shop from then on. It is
good for 24 hours and one use; a new one ends the one before. It is also the way back in for an owner who lost both.

  panshi setup-link --data /var/lib/panshi --merchant demo`
}

// Run makes a link and prints it.
func (c setupLinkCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	slug, err := merchantSlug(c.Merchant)
	if err != nil {
		return err
	}
	return withShop(ctx, g, t, refuse, func(s *shop) error {
		url, err := s.SetupLink(ctx, slug)
		if err != nil {
			return nameFlag(err)
		}
		if t.live {
			fmt.Fprintln(t.err, "Open this once, within 24 hours. 请在 24 小时内打开，仅可使用一次：")
		}
		return t.result(map[string]string{"url": url}, func(w io.Writer) { fmt.Fprintln(w, url) })
	})
}

// merchantSlug reads --merchant; "" is the first merchant.
func merchantSlug(flag *string) (string, error) {
	if flag == nil {
		return "", nil
	}
	return *flag, plain("--merchant", *flag, 40)
}
