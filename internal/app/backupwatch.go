package app

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/mirror"
	"panshi/internal/backup/ship"
	"panshi/internal/clock"
	"panshi/internal/notify"
)

const (
	backupLook = 5 * time.Second
	// failingFor is how long what is tried again by itself has to fail before
	// people are told.
	failingFor = 30 * time.Second
	// shipLagging is how old a commit may be that is on this disk only.
	shipLagging = 30 * time.Second
	// fullOverdue is the age of a whole copy that should have been followed by
	// another one: a day, and four hours for a long one.
	fullOverdue = 28 * time.Hour
	// ownBackups begins the subjects of the alerts that this watch keeps.
	ownBackups = "copies/"
	// onSpool stands for the spool where an alert names a destination.
	onSpool = "spool"
)

// The codes of alerts about backups.
const (
	backupFailed  = "backup_failed"
	backupLagging = "backup_lagging"
)

// backupWatch keeps the alerts about backups those that stand. It belongs to one
// goroutine of the one process that ships.
type backupWatch struct {
	status func(context.Context) (ship.Status, error)
	keep   func(ctx context.Context, code, subjects string, now []notify.Alert) error
	clock  clock.Clock
	log    *slog.Logger
	since  map[string]time.Time // when what has to last was found first, by subject
}

// watchBackups looks until ctx ends; of a shop that ships nothing once, so that
// what was told when it did is over. Of several processes only the one that ships
// knows.
func (s *Shop) watchBackups(ctx context.Context) {
	if !s.db.backup.ships && s.cfg.DB.URL != "" {
		return
	}
	w := &backupWatch{
		status: s.db.backup.status, keep: s.notify.KeepUnder, clock: clock.System{}, log: s.log, since: map[string]time.Time{},
	}
	tick := time.NewTicker(backupLook)
	defer tick.Stop()
	for {
		ships, err := w.look(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("backup: alerts cannot be kept", slog.Any("error", err))
		}
		if !ships && err == nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look makes the alerts those that stand.
func (w *backupWatch) look(ctx context.Context) (ships bool, err error) {
	status, err := w.status(ctx)
	if err != nil {
		return true, err
	}
	now := w.clock.Now()
	found := w.lasting(ailing(status, now), now)
	byCode := map[string][]notify.Alert{backupFailed: nil, backupLagging: nil}
	for _, a := range found {
		byCode[a.Code] = append(byCode[a.Code], a.Alert)
	}
	for _, code := range slices.Sorted(maps.Keys(byCode)) {
		if keepErr := w.keep(ctx, code, ownBackups, byCode[code]); keepErr != nil {
			err = cmp.Or(err, keepErr)
		}
	}
	return status.Shipping, err
}

// ailment is an alert that stands once its cause has lasted.
type ailment struct {
	notify.Alert
	after time.Duration
}

// lasting leaves what has lasted long enough.
func (w *backupWatch) lasting(all []ailment, now time.Time) (ripe []ailment) {
	seen := map[string]time.Time{}
	for _, a := range all {
		first, known := w.since[a.Subject]
		if !known {
			first = now
		}
		seen[a.Subject] = first
		if now.Sub(first) >= a.after {
			ripe = append(ripe, a)
		}
	}
	w.since = seen
	return ripe
}

// ailing finds everything about backups that somebody should know.
func ailing(s ship.Status, now time.Time) []ailment {
	if !s.Shipping {
		return nil
	}
	var all []ailment
	if s.Failure != "" {
		all = append(all, failed(onSpool, s.Failure, failingFor))
	}
	if s.Lag > shipLagging {
		all = append(all, lagging(onSpool, s.Lag))
	}
	for _, code := range s.Alarms {
		all = append(all, failed(onSpool, code, 0))
	}
	for _, c := range s.Destinations {
		all = append(all, ailingCopy(c)...)
	}
	for _, p := range s.Schedule {
		all = append(all, overdue(p, now)...)
	}
	return all
}

// ailingCopy is what ails one destination: what the mirror raises, and a proof
// that failed.
func ailingCopy(c backup.Copy) (all []ailment) {
	for _, code := range c.Alarms {
		switch code {
		case mirror.AlarmLag:
			all = append(all, lagging(c.Label, c.Lag))
		case mirror.AlarmFailing:
			a := failed(c.Label, code, failingFor)
			a.Args["code"] = cmp.Or(c.Failure, code)
			all = append(all, a)
		default:
			all = append(all, failed(c.Label, code, 0))
		}
	}
	if c.ProofFailed != "" {
		a := failed(c.Label, "backup_proof_failed", 0)
		a.Args["code"] = "backup_proof_failed: " + c.ProofFailed
		all = append(all, a)
	}
	return all
}

// overdue is what should have happened by itself and did not.
func overdue(p backup.Planned, now time.Time) []ailment {
	switch {
	case p.What == backup.PlannedProof && p.Note == noteOverdue:
		return []ailment{failed(p.Label, "backup_proof_overdue", 0)}
	case p.What == backup.PlannedProof && p.Note == noteDied:
		return []ailment{failed(p.Label, noteDied, 0)}
	case p.What == backup.PlannedFull && !p.LastGood.IsZero() && now.Sub(p.LastGood) > fullOverdue:
		return []ailment{failed(onSpool, "backup_full_overdue", 0)}
	}
	return nil
}

func failed(label, code string, after time.Duration) ailment {
	return ailment{notify.Alert{
		Code: backupFailed, Subject: ownBackups + label + "/" + code, Severity: notify.Critical,
		Args: map[string]string{"destination": label, "code": code},
	}, after}
}

func lagging(label string, lag time.Duration) ailment {
	return ailment{Alert: notify.Alert{
		Code: backupLagging, Subject: ownBackups + label, Severity: notify.Critical,
		Args: map[string]string{"destination": label, "lag": lag.Round(time.Second).String()},
	}}
}
