package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/ship"
)

type backupCmd struct {
	Status    backupStatusCmd    `cmd:"" help:"Tell how far shipping is and what the spool has."`
	Now       backupNowCmd       `cmd:"" help:"Write a whole copy at once and wait until every destination has it."`
	List      backupListCmd      `cmd:"" help:"List the whole copies of the destinations and how far each restores."`
	Verify    backupVerifyCmd    `cmd:"" help:"Read every object of the destinations and compare it with the manifests."`
	Prove     backupProveCmd     `cmd:"" help:"Restore from the destinations to a scratch directory, check, and record it."`
	Offline   backupOfflineCmd   `cmd:"" help:"Whole copies on a disk that is plugged in weekly and taken away."`
	Checklist backupChecklistCmd `cmd:"" help:"The six things that keep a shop from being lost, each with its evidence."`
}

type backupStatusCmd struct{}

// Help implements kong.HelpProvider.
func (backupStatusCmd) Help() string {
	return `Tells what the running shop has shipped, how old the oldest commit is that is on its disk only, and from when
to when each generation in the spool can be restored. Of a shop that stands still it tells what the spool has.

  panshi backup status --data /var/lib/panshi
  panshi backup status --json`
}

// Run asks and prints. Shipping that fails is a finding.
func (backupStatusCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	return withShop(ctx, g, t, refuse, func(s *shop) error {
		status, err := s.BackupStatus(ctx)
		if err != nil {
			return err
		}
		if err := t.result(status, func(w io.Writer) { tellBackup(w, status) }); err != nil {
			return err
		}
		if status.Failure != "" || len(status.Alarms) > 0 || slices.ContainsFunc(status.Destinations, backup.Copy.Ails) {
			return errFindings
		}
		return nil
	})
}

func tellBackup(out io.Writer, s ship.Status) {
	switch {
	case s.Spool == "":
		fmt.Fprintln(out, "nothing is shipped, and there is no spool")
		return
	case !s.Shipping:
		fmt.Fprintf(out, "the shop is not running; its spool is %s\n", oneLine(s.Spool))
	default:
		fmt.Fprintf(out, "shipping to %s: generation %s, transaction %s\n", oneLine(s.Spool), s.Generation, count(int64(s.Transaction)))
		fmt.Fprintf(out, "lag %s, %s bytes since the start\n", s.Lag.Round(time.Millisecond), count(s.Written))
	}
	if ails := strings.TrimSpace(strings.Join(append([]string{s.Failure}, s.Alarms...), " ")); ails != "" {
		fmt.Fprintf(out, "FAILING: %s\n", oneLine(ails))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "GENERATION\tFILES\tBYTES\tFROM\tTO")
	for _, g := range s.Generations {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", g.Name, count(int64(g.Files)), count(g.Bytes), localTime(g.From), localTime(g.To))
	}
	_ = w.Flush() // a terminal that has gone is nobody to tell
	if s.Broken != "" {
		fmt.Fprintf(out, "a history broke off within the last day (%s): what lies between two generations cannot be restored\n", s.Broken)
	}
	tellCopies(out, s.Destinations)
	tellLease(out, s.Lease, s.Standbys)
	tellSchedule(out, s.Schedule)
}

func tellCopies(out io.Writer, copies []backup.Copy) {
	if len(copies) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DESTINATION\tREGION\tSTATE\tRESTORABLE TO\tOBJECTS\tBYTES\tWAITING\tLAG\tPROVED")
	for _, c := range copies {
		to := "-"
		if c.Restorable {
			to = localTime(c.To)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", oneLine(c.Label), oneLine(c.Region), stateOf(c), to, count(int64(c.Objects)),
			count(c.Bytes), count(int64(c.Pending)), c.Lag.Round(time.Millisecond), provedAt(c))
	}
	_ = w.Flush()
}

// provedAt says what the last restore from a destination came to.
func provedAt(c backup.Copy) string {
	switch {
	case c.ProofFailed != "":
		return "FAILED: " + oneLine(c.ProofFailed)
	case c.Proved.IsZero():
		return "not proved"
	}
	return localTime(c.Proved)
}

// stateOf says in a word or in codes how a destination stands.
func stateOf(c backup.Copy) string {
	switch {
	case c.Ails():
		return strings.Join(append(slices.Clone(c.Alarms), c.Failure), " ")
	case !c.Following:
		return "waits for a whole copy"
	case c.ProofFailed != "" || c.Proved.IsZero():
		return "unproved"
	}
	return "good"
}

func localTime(at time.Time) string { return at.Local().Format(time.RFC3339) }
