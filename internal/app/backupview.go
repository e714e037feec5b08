package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"panshi/internal/backup/proof"
	"panshi/internal/clock"
	"panshi/internal/consoleapi"
	"panshi/internal/errs"
	"panshi/internal/id"
)

const (
	// seenFor is for how long what was seen of destinations is shown as it is; a
	// look reads a thousand manifests at worst, which some vendors charge for.
	seenFor = 10 * time.Minute
	// lookEvery is how old it gets while nobody asks.
	lookEvery = time.Hour
	// standbyEvery is how often the standby's own word is read, one small object:
	// what is older than five minutes is no evidence.
	standbyEvery = 2 * time.Minute
)

// watchedCopies is what was last seen of the destinations, and who looks again.
type watchedCopies struct {
	look  func(context.Context) ([]proof.Copy, error)
	heed  func(context.Context) error // records what the standby says
	clock clock.Clock
	log   *slog.Logger
	asked chan struct{} // holds one token while somebody wants a newer look

	mu   sync.Mutex
	seen []proof.Copy // guarded by mu
	at   time.Time    // guarded by mu; zero until a look has ended
}

func newWatchedCopies(look func(context.Context) ([]proof.Copy, error), heed func(context.Context) error, now clock.Clock, log *slog.Logger) *watchedCopies {
	return &watchedCopies{look: look, heed: heed, clock: now, log: log, asked: make(chan struct{}, 1)}
}

// run looks at the start, when somebody asked, and now and then.
func (w *watchedCopies) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.once(ctx)
		w.rest(ctx)
	}
}

// rest lasts until the next look; meanwhile only the standby is listened to.
func (w *watchedCopies) rest(ctx context.Context) {
	tick := time.NewTicker(standbyEvery)
	defer tick.Stop()
	enough := time.After(lookEvery)
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.asked:
			return
		case <-enough:
			return
		case <-tick.C:
			if err := w.heed(ctx); err != nil && ctx.Err() == nil {
				w.log.Warn("backup: what the standby says was not recorded", slog.Any("error", err))
			}
		}
	}
}

func (w *watchedCopies) once(ctx context.Context) {
	began := w.clock.Now()
	seen, err := w.look(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.log.Warn("backup: the destinations were not looked at", slog.Any("error", err))
		}
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen, w.at = seen, began // what happened since the look began may be missing
}

// last gives what was seen, without waiting. What is old, or was never seen, is
// looked at again behind.
func (w *watchedCopies) last() (seen []proof.Copy, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.clock.Now().Sub(w.at) > seenFor {
		select {
		case w.asked <- struct{}{}:
		default: // somebody asked already
		}
	}
	return w.seen, w.at
}

// staffBackups shows backups to the staff of the default merchant, who run the
// installation.
type staffBackups struct{ shop *Shop }

var _ consoleapi.Backups = staffBackups{}

func (b staffBackups) allowed(ctx context.Context, merchantID id.ID) error {
	sc, err := staffAlerts(b).scope(ctx, merchantID)
	if err == nil && !sc.Platform {
		err = errs.New(errs.Forbidden, "forbidden", "backups are the business of those who run the installation")
	}
	return err
}

// Checklist implements consoleapi.Backups.
func (b staffBackups) Checklist(ctx context.Context, merchantID id.ID) (consoleapi.BackupChecklist, error) {
	if err := b.allowed(ctx, merchantID); err != nil {
		return consoleapi.BackupChecklist{}, err
	}
	seen, at := b.shop.watched.last()
	if at.IsZero() {
		return consoleapi.BackupChecklist{}, nil
	}
	now := clock.System{}.Now()
	items, err := b.shop.cfg.judge(seen, now)
	return consoleapi.BackupChecklist{SeenAt: at, Age: now.Sub(at), Items: items}, err
}

// Status implements consoleapi.Backups.
func (b staffBackups) Status(ctx context.Context, merchantID id.ID) (consoleapi.BackupStatus, error) {
	if err := b.allowed(ctx, merchantID); err != nil {
		return consoleapi.BackupStatus{}, err
	}
	s, err := b.shop.db.backup.status(ctx)
	if err != nil {
		return consoleapi.BackupStatus{}, err
	}
	return consoleapi.BackupStatus{
		Shipping: s.Shipping, ShippedAt: s.ShippedAt, Lag: s.Lag, Failure: s.Failure, SpoolBytes: s.Bytes, Copies: s.Destinations, Schedule: s.Schedule,
	}, nil
}

// proofsShown is how many records of each destination are shown.
const proofsShown = 100

// Proofs implements consoleapi.Backups.
func (b staffBackups) Proofs(ctx context.Context, merchantID id.ID) (all consoleapi.BackupProofs, err error) {
	if err := b.allowed(ctx, merchantID); err != nil {
		return all, err
	}
	cfg := b.shop.cfg
	keys, err := cfg.evidenceKeys()
	if keys == nil {
		return all, err
	}
	for _, label := range cfg.Backup.labels() {
		some, err := cfg.proofs(keys).All(label, proofsShown)
		if err != nil {
			return all, err
		}
		all.Restores = append(all.Restores, some...)
	}
	all.Disks, err = cfg.proofs(keys).Disks()
	return all, err
}
