package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/notify"
)

type notifyCmd struct {
	Test notifyTestCmd `cmd:"" help:"Send a test message and tell what came back; exit 1 if a channel fails."`
	List notifyListCmd `cmd:"" help:"List open alerts, the newest first."`
	Ack  notifyAckCmd  `cmd:"" help:"Tell that somebody is at an alert."`
}

type notifyTestCmd struct {
	Channel *string `arg:"" optional:"" help:"Only this channel of notify.channels."`
}

// Help implements kong.HelpProvider.
func (notifyTestCmd) Help() string {
	return `Sends a message that says it is a test through each channel of notify.channels, or through the one that is
named, and tells what came back. Where a shop runs, its process sends, with its configuration.

  panshi notify test
  panshi notify test wecom --json`
}

// Run sends and prints.
func (c notifyTestCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	channel := ""
	if c.Channel != nil {
		if channel = *c.Channel; plain("CHANNEL", channel, 40) != nil {
			return notify.ErrChannelUnknown
		}
	}
	return withShop(ctx, g, t, refuse, func(s *shop) error {
		results, err := s.TestChannels(ctx, channel)
		if err != nil {
			return err
		}
		if err := t.result(results, func(w io.Writer) { tellTests(w, results) }); err != nil {
			return err
		}
		for _, r := range results {
			if !r.OK {
				return errFindings
			}
		}
		if len(results) == 0 {
			return errFindings
		}
		return nil
	})
}

func tellTests(w io.Writer, results []notify.TestResult) {
	if len(results) == 0 {
		fmt.Fprintln(w, "no channel is configured: set notify.channels (docs/operations/alerts.md)")
	}
	for _, r := range results {
		said := "took it"
		if !r.OK {
			said = r.Error
		}
		fmt.Fprintf(w, "%s: %s (%v)\n", r.Channel, oneLine(said), r.Took.Round(time.Millisecond))
	}
}

type notifyListCmd struct {
	Lang string `enum:"zh-CN,en" default:"zh-CN" help:"Language of the titles: zh-CN or en."`
}

// Run lists.
func (c notifyListCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	return withShop(ctx, g, t, refuse, func(s *shop) error {
		lines, err := s.OpenAlerts(ctx, c.Lang)
		if err != nil {
			return err
		}
		return t.result(lines, func(w io.Writer) { tellAlerts(w, lines) })
	})
}

func tellAlerts(out io.Writer, lines []adminsock.AlertLine) {
	if len(lines) == 0 {
		fmt.Fprintln(out, "no open alerts")
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, a := range lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", a.ID, a.Severity, a.State, a.OpenedAt.Local().Format(time.DateTime), count(a.Count), oneLine(a.Title))
	}
	_ = w.Flush() // a terminal that has gone is nobody to tell
}

type notifyAckCmd struct {
	ID string `arg:"" help:"The alert's id, as panshi notify list and the message tell it."`
}

// Run acknowledges.
func (c notifyAckCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	return withShop(ctx, g, t, refuse, func(s *shop) error {
		if err := s.AcknowledgeAlert(ctx, c.ID); err != nil {
			return err
		}
		return t.result(struct {
			ID string `json:"id"`
		}{c.ID}, func(w io.Writer) { fmt.Fprintln(w, "acknowledged") })
	})
}
