package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"panshi/internal/backup/drill"
	"panshi/internal/backup/seal"
	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/notify"
)

// The values of backup.drills.
const (
	drillsMonthly = "monthly"
	drillsOff     = "off"
)

const (
	// drillFirst is how long after a start it is looked whether a drill is due,
	// drillLook how often from then on.
	drillFirst, drillLook = 10 * time.Second, time.Minute
	// drillTell is how often alerts are compared with how drills stand.
	drillTell = 10 * time.Minute
	// drillAgain is how long a drill that left no report is let be.
	drillAgain = 6 * time.Hour
)

// alerter is what of notify.Service a rehearsal needs.
type alerter interface {
	Keep(ctx context.Context, code string, now []notify.Alert) error
}

// rehearsals has disasters rehearsed while a shop serves, one at a time and each
// in a process of its own, and tells people of those that did not pass.
type rehearsals struct {
	cfg    Config
	alerts alerter
	clock  clock.Clock
	zone   *time.Location
	// start runs a drill and waits for its end.
	start func(ctx context.Context, name drill.Name) error
	log   *slog.Logger

	// The loop's own.
	told time.Time                // when alerts were compared last
	died map[drill.Name]time.Time // when a drill ended without a report
}

func (s *Shop) newRehearsals() *rehearsals {
	r := &rehearsals{
		cfg: s.cfg, alerts: s.notify, clock: clock.System{}, zone: time.Local, log: s.log, //nolint:gosmopolitan // nights are those of the machine
		died: map[drill.Name]time.Time{},
	}
	r.start = r.child
	return r
}

// run rehearses what is due until ctx ends.
func (r *rehearsals) run(ctx context.Context) {
	if len(r.cfg.Backup.Destinations) == 0 || r.cfg.spoolDir() == "" || r.cfg.Backup.Drills == drillsOff || len(r.cfg.DrillCommand) == 0 {
		return
	}
	r.sweep()
	next := time.NewTimer(drillFirst)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			next.Reset(drillLook)
			if err := r.look(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("drill: looking for what is due failed", slog.Any("error", err))
			}
		}
	}
}

// sweep takes away what a drill left that ended with the shop before this one.
func (r *rehearsals) sweep() {
	free, err := r.cfg.alone()
	if err != nil {
		return // somebody is at it
	}
	if err := errors.Join(sweepScratch(r.cfg.scratchDir()), free.Close()); err != nil {
		r.log.Warn("drill: what another one left cannot be removed", slog.Any("error", err))
	}
}

// look runs the drill that is due, if one is, and keeps alerts as drills stand.
func (r *rehearsals) look(ctx context.Context) error {
	keys, err := backupKeys(r.cfg)
	if err != nil {
		return err
	}
	store, now := r.cfg.drills(keys), r.clock.Now()
	since, err := store.Since(now)
	if err != nil {
		return err
	}
	standings, err := store.Standings()
	if err != nil {
		return err
	}
	due, ok := r.schedule(keys).Due(standings, since, now, func(name drill.Name) bool { return now.Sub(r.died[name]) < drillAgain })
	if ok && !keys.Strict() {
		if err := r.rehearse(ctx, store, due.Name, standings[due.Name]); err != nil {
			return err
		}
		r.told = time.Time{}
	}
	if now.Sub(r.told) < drillTell {
		return nil
	}
	r.told = now
	return r.tell(ctx, store, since)
}

// schedule is that of the shop which signs with these keys.
func (r *rehearsals) schedule(keys *seal.Keys) drill.Schedule {
	return drill.Schedule{Shop: string(keys.Signer()), Zone: r.zone}
}

// rehearse has one drill run. What comes of it is in its report; a process that
// left none is noted, and its drill waits.
func (r *rehearsals) rehearse(ctx context.Context, store *drill.Store, name drill.Name, before drill.Standing) error {
	free, err := r.cfg.alone()
	if errs.CodeOf(err) == "drill_running" {
		return nil // a proof, or one by hand; this one comes after it
	}
	if err != nil {
		return err
	}
	if err := free.Close(); err != nil {
		return err
	}
	if err = r.cfg.roomToProve(r.cfg.scratchDir()); err == nil {
		err = r.start(ctx, name)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	after, readErr := store.Standing(name)
	if readErr != nil {
		return readErr
	}
	if after.Last == nil || before.Last != nil && !after.Last.At.After(before.Last.At) {
		r.died[name] = r.clock.Now()
		r.log.Error("drill: it ended without a report", slog.String("drill", string(name)), slog.Any("error", err))
		return nil
	}
	delete(r.died, name)
	r.log.Info("drill: rehearsed", slog.String("drill", string(name)), slog.String("report", after.Last.ID), slog.String("failure", after.Last.Failure))
	return nil
}

// child is the process that runs a drill, on one processor and with the lowest
// priority.
func (r *rehearsals) child(ctx context.Context, name drill.Name) error {
	args := append(slices.Clone(r.cfg.DrillCommand[1:]), "--json", "--scratch", r.cfg.scratchDir(), string(name))
	cmd := exec.CommandContext(ctx, r.cfg.DrillCommand[0], args...) //nolint:gosec // this very program
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	said := &tail{most: proofWords}
	cmd.Stderr = said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = proveStop
	err := runLow(cmd)
	if err != nil {
		r.log.Warn("drill: it did not pass, or did not run", slog.String("drill", string(name)), slog.String("said", strings.TrimSpace(said.String())))
	}
	return err
}

// tell makes the open alerts those of the drills that did not pass or that have
// not for too long. A pass ends both.
func (r *rehearsals) tell(ctx context.Context, store *drill.Store, since time.Time) error {
	standings, err := store.Standings()
	if err != nil {
		return err
	}
	var failed, overdue []notify.Alert
	now := r.clock.Now()
	for _, d := range drill.All() {
		st := standings[d.Name]
		if st.Worrying(now) {
			failed = append(failed, alertOf("drill_failed", d.Name, st, "code", st.Last.Failure))
		}
		if from := drill.Overdue(st, since, now); !from.IsZero() {
			overdue = append(overdue, alertOf("drill_overdue", d.Name, st, "days", strconv.Itoa(int(now.Sub(from)/(24*time.Hour)))))
		}
	}
	if err := r.alerts.Keep(ctx, "drill_failed", failed); err != nil {
		return err
	}
	return r.alerts.Keep(ctx, "drill_overdue", overdue)
}

// alertOf is critical, unless only a protection is missing that many shops do
// without.
func alertOf(code string, name drill.Name, st drill.Standing, arg, value string) notify.Alert {
	a := notify.Alert{Code: code, Subject: string(name), Severity: notify.Critical, Args: map[string]string{"drill": string(name), arg: value}}
	if st.Last != nil && st.Last.Unprotected() {
		a.Severity = notify.Warning
	}
	return a
}
