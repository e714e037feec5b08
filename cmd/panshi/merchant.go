package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"panshi/internal/adminsock"
	"panshi/internal/errs"
)

type merchantCmd struct {
	Put  merchantPutCmd  `cmd:"" help:"Create a merchant, or change the one with this slug."`
	List merchantListCmd `cmd:"" help:"List the merchants."`
}

type merchantPutCmd struct {
	Slug      *string `placeholder:"SLUG" help:"Its short name in commands and sub-domains (required)."`
	Name      *string `placeholder:"TEXT" help:"Its name; a new merchant needs one."`
	NameEN    *string `name:"name-en" placeholder:"TEXT" help:"Its name in English."`
	Host      *string `placeholder:"HOST" help:"The host name of its shop, such as shop.example.com."`
	Tagline   *string `placeholder:"TEXT" help:"What stands under the name."`
	TaglineEN *string `name:"tagline-en" placeholder:"TEXT" help:"The tagline in English."`
	Notice    *string `placeholder:"TEXT" help:"What stands over the shelf."`
	NoticeEN  *string `name:"notice-en" placeholder:"TEXT" help:"The notice in English."`
	Currency  *string `placeholder:"CNY" help:"What it sells in (default CNY); it cannot be changed later."`
	Closed    *bool   `help:"Close the shop; --closed=false opens it again."`
}

// Help implements kong.HelpProvider.
func (merchantPutCmd) Help() string {
	return `A flag that is not given keeps what is there; an empty one (--host=) takes it away. The first merchant answers
for every host name that no other one has. A running shop shows changes within a second.

  panshi merchant put --slug shop --name 我的小店 --name-en "My shop" --host shop.example.com
  panshi merchant put --slug shop --notice "今晚 22:00 维护" --closed`
}

// Run creates or changes a merchant.
func (c merchantPutCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	change, err := c.change()
	if err != nil {
		return err
	}
	none := refuse
	if change.Name != nil {
		none = create // the first merchant makes the shop
	}
	return withShop(ctx, g, t, none, func(s *shop) error {
		m, err := s.PutMerchant(ctx, change)
		if err != nil {
			return asFlags(err)
		}
		return t.result(m, func(w io.Writer) {
			fmt.Fprintf(w, "The shop %s (%s) is stored. 店铺已保存。\n", oneLine(m.Slug), oneLine(m.Name))
		})
	})
}

// change checks every flag before anything is opened.
func (c merchantPutCmd) change() (adminsock.MerchantChange, error) {
	if c.Slug == nil {
		return adminsock.MerchantChange{}, usage("--slug", "is required: the short name of the merchant")
	}
	var wrong []error
	for _, f := range []struct {
		flag  string
		value *string
	}{
		{"--slug", c.Slug},
		{"--name", c.Name},
		{"--name-en", c.NameEN},
		{"--host", c.Host},
		{"--tagline", c.Tagline},
		{"--tagline-en", c.TaglineEN},
		{"--notice", c.Notice},
		{"--notice-en", c.NoticeEN},
		{"--currency", c.Currency},
	} {
		if f.value == nil || *f.value == "" {
			continue
		}
		if err := plain(f.flag, *f.value, 4096); err != nil {
			wrong = append(wrong, err)
		}
	}
	change := adminsock.MerchantChange{
		Slug: *c.Slug, Name: c.Name, NameEN: c.NameEN, Host: c.Host, Tagline: c.Tagline, TaglineEN: c.TaglineEN,
		Notice: c.Notice, NoticeEN: c.NoticeEN, Currency: c.Currency, Closed: c.Closed,
	}
	if len(wrong) > 0 {
		return change, errors.Join(wrong...)
	}
	return change, asFlags(change.Validate())
}

// asFlags names fields by the flags that they were given by.
func asFlags(err error) error {
	if err == nil {
		return nil
	}
	var out []error
	for _, part := range flatten(err) {
		e, known := errors.AsType[*errs.Error](part)
		if known && e.Field != "" && !strings.HasPrefix(e.Field, "--") {
			named := *e
			named.Field = "--" + strings.ReplaceAll(e.Field, "_", "-")
			part = &named
		}
		out = append(out, part)
	}
	return errors.Join(out...)
}

type merchantListCmd struct{}

// Help implements kong.HelpProvider.
func (merchantListCmd) Help() string {
	return `The default merchant stands first: it is the one of commands that name none.

  panshi merchant list
  panshi merchant list --json`
}

// Run lists the merchants.
func (merchantListCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	return withShop(ctx, g, t, refuse, func(s *shop) error {
		all, err := s.Merchants(ctx)
		if err != nil {
			return err
		}
		told := struct {
			Merchants []adminsock.Merchant `json:"merchants"`
		}{all}
		return t.result(told, func(w io.Writer) {
			rows := [][]string{{"SLUG", "STATE", "CURRENCY", "HOST", "NAME"}}
			for _, m := range all {
				rows = append(rows, []string{m.Slug, either(m.Open, "open", "closed"), m.Currency, m.Host, m.Name})
			}
			table(w, rows)
		})
	})
}

func either(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

// table prints rows in columns; "-" stands for nothing.
func table(w io.Writer, rows [][]string) {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer columns.Flush()
	for _, row := range rows {
		for i := range row {
			if row[i] = oneLine(row[i]); row[i] == "" {
				row[i] = "-"
			}
		}
		fmt.Fprintln(columns, strings.Join(row, "\t"))
	}
}
