package app

import (
	"context"
	"slices"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/backup"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/errs"
)

// nowPatience is how long a destination that fails is waited for.
const nowPatience = 20 * time.Second

// nowFunc is what BackupNow does for a database.
type (
	nowFunc     func(context.Context, adminsock.BackupNowRequest, nowProgress) (adminsock.BackupNowReport, error)
	nowProgress = func(adminsock.BackupNowProgress)
)

// errNotShipped says that there is nothing to write a whole copy of.
var errNotShipped = errs.New(errs.Conflict, "backup_not_shipped", "this shop ships nothing: backup.spool is off, or a server has its database")

// BackupNow implements adminsock.Backups.
func (s *Shop) BackupNow(ctx context.Context, r adminsock.BackupNowRequest, progress nowProgress) (adminsock.BackupNowReport, error) {
	if !s.serving.Load() {
		return adminsock.BackupNowReport{}, adminsock.ErrNotRunning
	}
	return s.db.backup.now(ctx, r, progress)
}

// fuller writes a whole copy and waits for it.
type fuller interface {
	FullNow(ctx context.Context) (spool.File, error)
}

// backupNow writes a whole copy and waits for the destinations.
func backupNow(ctx context.Context, by shipper, c *copies, r adminsock.BackupNowRequest, progress nowProgress,
) (report adminsock.BackupNowReport, err error) {
	s, able := by.(fuller)
	if !able {
		return report, errNotShipped
	}
	start := clock.System{}.Now()
	progress(adminsock.BackupNowProgress{Step: "full", Total: 1})
	full, err := s.FullNow(ctx)
	if err != nil {
		return report, err
	}
	report = adminsock.BackupNowReport{
		Generation: full.Generation, Transaction: full.Last, Time: full.Time, Bytes: full.Size, Destinations: []adminsock.CopyNow{},
	}
	if name, ok := feed.Object(full); ok {
		report.Destinations, err = c.await(ctx, name, r.Wait, progress)
	}
	report.Took = clock.System{}.Now().Sub(start)
	return report, err
}

// await waits until every destination has an object that the spool has, except
// for those that only fail.
func (c *copies) await(ctx context.Context, name string, most time.Duration, progress nowProgress) ([]adminsock.CopyNow, error) {
	m := c.running.Load()
	if m == nil {
		return []adminsock.CopyNow{}, nil
	}
	m.Notice()
	now := clock.System{}.Now
	end, failing := now().Add(most), map[string]time.Time{}
	for {
		var all []adminsock.CopyNow
		waits, has := false, int64(0)
		for _, s := range c.told() {
			_, listed := m.Holds(s.Label, name)
			all = append(all, adminsock.CopyNow{Label: s.Label, Has: listed, Failure: s.Failure})
			waits = waits || !listed && !hopelessFor(s, failing, now())
			has += int64(oneIf(listed))
		}
		progress(adminsock.BackupNowProgress{Step: "copy", Done: has, Total: int64(len(all))})
		if !waits || !now().Before(end) {
			return all, nil
		}
		if err := backup.Pause(ctx, mirrorPoll); err != nil {
			return all, err
		}
	}
}

// hopelessFor tells whether a destination has done nothing but fail for too
// long; failing remembers since when.
func hopelessFor(c backup.Copy, failing map[string]time.Time, now time.Time) bool {
	if c.Failure == "" && !slices.Contains(c.Alarms, "backup_failing") {
		delete(failing, c.Label)
		return false
	}
	if failing[c.Label].IsZero() {
		failing[c.Label] = now
	}
	return now.Sub(failing[c.Label]) > nowPatience
}
