package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/app"
	"panshi/internal/backup/ship"
	"panshi/internal/notify"
)

// The levels of a finding.
const (
	levelOK   = "ok"
	levelWarn = "warn" // works, and somebody should know
	levelBad  = "bad"  // mend it
)

// finding is one line of the doctor.
type finding struct {
	Level string `json:"level"`
	Name  string `json:"name"`
	Text  string `json:"text"`
}

func ok(name, text string, args ...any) finding {
	return finding{levelOK, name, fmt.Sprintf(text, args...)}
}

func warn(name, text string, args ...any) finding {
	return finding{levelWarn, name, fmt.Sprintf(text, args...)}
}

func bad(name, text string, args ...any) finding {
	return finding{levelBad, name, fmt.Sprintf(text, args...)}
}

// worryingLag is how old a commit that has not left the disk may be.
const worryingLag = 30 * time.Second

type doctorCmd struct{}

// Help implements kong.HelpProvider.
func (doctorCmd) Help() string {
	return `Looks at the configuration, the data directory, the key file, the disk, the clock and, if there is one, the
shop. It changes nothing. Each line is ok, warn or bad; exit 1 if one is bad.

  panshi doctor --data /var/lib/panshi --config /etc/panshi.yaml`
}

// Run looks at everything that can be looked at and prints what it found.
func (doctorCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	cfg, err := g.load(nil)
	if err != nil {
		return err // what cannot be read cannot be judged, and this is usage
	}
	findings := slices.Concat(doctorConfig(cfg), doctorFiles(cfg), doctorChannels(ctx, cfg), doctorSystem(cfg.Data, time.Now()), doctorShop(ctx, t, cfg))
	if err := ctx.Err(); err != nil {
		return err
	}
	told := struct {
		Findings []finding `json:"findings"`
	}{findings}
	if err := t.result(told, func(w io.Writer) {
		for _, f := range findings {
			fmt.Fprintf(w, "%-4s  %-10s  %s\n", f.Level, f.Name, oneLine(f.Text))
		}
	}); err != nil {
		return err
	}
	if slices.ContainsFunc(findings, func(f finding) bool { return f.Level == levelBad }) {
		return errFindings
	}
	return nil
}

// doctorShop asks the running shop, or opens one that stands still: then the
// key file and the database were proved to fit.
func doctorShop(ctx context.Context, t *terminal, cfg app.Config) []finding {
	if !hasShop(cfg) {
		if cfg.DB.URL != "" {
			return []finding{warn("shop", "%s", noShop(cfg))}
		}
		return []finding{ok("shop", "none yet; `panshi merchant put` or `panshi demo` makes one")}
	}
	s, err := openShop(ctx, t, cfg, refuse)
	if err != nil {
		return []finding{bad("shop", "cannot be opened: %s", explain(ctx, err))}
	}
	status, err := s.Status(ctx)
	shipping, err2 := s.BackupStatus(ctx)
	if err := cmp.Or(err, err2, s.close()); err != nil {
		return []finding{bad("shop", "does not tell its status: %s", explain(ctx, err))}
	}
	return slices.Concat(doctorRunning(status), doctorPayments(status), doctorAccounts(status), doctorReconcile(status, time.Now()),
		doctorAlerts(status.Alerts), doctorBackup(cfg, shipping, time.Now()), doctorRecovery(status.Unshipped, time.Now()), doctorChecklist(ctx, cfg), doctorDrills(cfg, time.Now()))
}

// doctorAlerts judges whether somebody hears of what happens.
func doctorAlerts(s notify.Standing) []finding {
	var out []finding
	switch {
	case s.Channels == 0:
		out = append(out, warn("alerts", "nobody is told: set notify.channels (docs/operations/alerts.md)"))
	case s.Undelivered > 0:
		out = append(out, bad("alerts", "%s that no channel takes (%s): run panshi notify test", plural(s.Undelivered, "message"), s.LastError))
	default:
		out = append(out, ok("alerts", "told through %s", plural(int64(s.Channels), "channel")))
	}
	if s.Open > 0 {
		out = append(out, warn("alerts", "%s open: panshi notify list", plural(s.Open, "alert")))
	}
	return out
}

// doctorBackup judges how far what was sold has left this disk.
func doctorBackup(cfg app.Config, s ship.Status, now time.Time) []finding {
	switch {
	case !cfg.Ships() && cfg.DB.URL != "":
		return []finding{warn("backup", "this machine does not back the database server up (backup.spool, backup.destinations); does another one?")}
	case !cfg.Backup.Enabled():
		return []finding{warn("backup", "is off: what is lost with this disk is lost (backup.spool)")}
	case !s.Shipping && len(s.Generations) == 0:
		return []finding{ok("backup", "begins when the shop runs")}
	case !s.Shipping:
		return []finding{ok("backup", "the spool has the shop as of %s", localTime(s.Generations[len(s.Generations)-1].To))}
	case s.Failure != "" || s.Lag > worryingLag:
		return []finding{bad("backup", "what was committed in the last %v is on this disk only: %s",
			s.Lag.Round(time.Second), cmp.Or(s.Failure, "shipping stands still"))}
	case s.Broken != "":
		return []finding{warn("backup", "a history broke off within the last day (%s): panshi backup status", s.Broken)}
	case s.ShippedAt.IsZero():
		return []finding{warn("backup", "the first whole copy is being written")}
	}
	return []finding{ok("backup", "the spool had everything %v ago", now.Sub(s.ShippedAt).Round(time.Millisecond))}
}

func doctorRunning(s adminsock.Status) []finding {
	out := []finding{ok("engine", "%s", s.Engine)}
	if s.Since.IsZero() {
		return append(out, ok("shop", "opens; it is not running"))
	}
	out = append(out, ok("shop", "runs since %s as process %d at %s", s.Since.Format(time.RFC3339), s.PID, s.Shop))
	out = append(out, doctorRoles(s.Roles)...)
	out = append(out, doctorReplicas(s.Replicas)...)
	if mine := app.Version(); s.Version != mine {
		out = append(out, warn("version", "the running shop is %s, this program is %s: restart the shop", s.Version, mine))
	}
	return out
}

// doctorRoles tells what the running process leaves to others.
func doctorRoles(roles []string) []finding {
	var others []string
	for _, r := range app.Roles() {
		if !slices.Contains(roles, string(r)) {
			others = append(others, string(r))
		}
	}
	if slices.Contains(roles, "all") {
		return nil
	}
	out := []finding{ok("roles", "this process is %s", strings.Join(roles, ", "))}
	if len(others) > 0 {
		out = append(out, warn("roles", "%s must run in other processes on the same database", strings.Join(others, ", ")))
	}
	return out
}

func doctorReplicas(replicas []adminsock.Replica) []finding {
	var out []finding
	for _, r := range replicas {
		lag := r.Lag.Round(time.Millisecond)
		if r.InUse {
			out = append(out, ok("replica", "%s is read; at most %v behind", r.Address, lag))
		} else {
			out = append(out, warn("replica", "%s is not read: it is %v behind or does not follow db.url; the primary answers in its place", r.Address, lag))
		}
	}
	return out
}
