package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/backup/proof"
)

type backupNowCmd struct {
	Wait  time.Duration `default:"30m" placeholder:"30m" help:"How long destinations are waited for."`
	Prove bool          `help:"Then restore from each destination, check, and record it."`
}

// Help implements kong.HelpProvider.
func (backupNowCmd) Help() string {
	return `Has the running shop ship what was committed, write a whole copy, and waits until every destination has it and says so
in a signed manifest: before an upgrade, or before a disk is changed. A destination that does nothing but fail is not waited
for longer than 20 s.

  panshi backup now --data /var/lib/panshi
  panshi backup now --config /etc/panshi.yaml --prove

Exit codes: 0 every destination has it, 1 one has not, 4 (with --prove) a destination is damaged.`
}

// Run asks the shop, waits, and proves if that is wanted.
func (c backupNowCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	if c.Wait < time.Second || c.Wait > 24*time.Hour {
		return usage("--wait", "1s to 24h")
	}
	var told struct {
		adminsock.BackupNowReport
		Proofs []proof.Record `json:"proofs,omitempty"`
	}
	if err := withShop(ctx, g, t, refuse, func(s *shop) (err error) {
		m := newMeter(ctx, t, "backup")
		defer m.end()
		told.BackupNowReport, err = s.BackupNow(ctx, adminsock.BackupNowRequest{Wait: c.Wait},
			func(p adminsock.BackupNowProgress) { m.step(p.Done, p.Total, p.Step) })
		return err
	}); err != nil {
		return err
	}
	if c.Prove && len(told.Destinations) > 0 {
		var err error
		if told.Proofs, err = proveAll(ctx, g, t, nil, ""); err != nil {
			return err
		}
	}
	if err := t.result(told, func(w io.Writer) { tellNow(w, told.BackupNowReport); tellProofs(w, told.Proofs) }); err != nil {
		return err
	}
	if slices.ContainsFunc(told.Destinations, func(d adminsock.CopyNow) bool { return !d.Has }) {
		return errFindings
	}
	return proved(told.Proofs)
}

func tellNow(w io.Writer, r adminsock.BackupNowReport) {
	fmt.Fprintf(w, "a whole copy of %s (transaction %s), %s bytes, took %s\n", localTime(r.Time), count(int64(r.Transaction)), count(r.Bytes), r.Took.Round(time.Millisecond))
	for _, d := range r.Destinations {
		switch {
		case d.Has:
			fmt.Fprintf(w, "%s has it\n", oneLine(d.Label))
		case d.Failure != "":
			fmt.Fprintf(w, "%s DOES NOT HAVE IT: %s\n", oneLine(d.Label), oneLine(d.Failure))
		default:
			fmt.Fprintf(w, "%s does not have it yet\n", oneLine(d.Label))
		}
	}
	if len(r.Destinations) == 0 {
		fmt.Fprintln(w, "it is in the spool only: there is no destination (backup.destinations)")
	}
}
