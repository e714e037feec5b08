package mirror

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/seal"
	"panshi/internal/clock"
	"panshi/internal/errs"
)

// File is an immutable file of the source. Its name is the object's name at
// every destination (backup.Segment for pieces of the log) and never used again.
type File struct {
	Name string
	Size int64 // bytes
}

// Source is where the files come from. A file that List shows is complete and
// does not change. Its methods may be called at any time, also for files that are
// gone: Open then fails with backup_object_missing, Remove does nothing.
type Source interface {
	// List gives the files whose names sort after the given one, sorted; a page
	// may end early, an empty one is the end.
	List(ctx context.Context, after string) ([]File, error)
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// Remove says that no destination needs the file any more. The source may
	// keep and go on showing it for reasons of its own.
	Remove(ctx context.Context, name string) error
}

// Alert is something that a person should know, or that it is over.
type Alert struct {
	Code   string // alarm codes below
	Label  string // of the destination, "" for the mirror as a whole
	Raised bool   // false: over
	Detail string // for the log and the message; English, no secrets
	At     time.Time
}

// Codes of alerts.
const (
	AlarmFailing    = "backup_failing"          // a destination does not take objects
	AlarmLag        = "backup_lag"              // a destination is further behind than allowed
	AlarmNeedsFull  = "backup_needs_full"       // a destination cannot go on without a full
	AlarmLie        = "backup_object_damaged"   // a destination said "stored" and it was not so
	AlarmSplitBrain = "backup_split_brain"      // another machine writes there under our key
	AlarmVanished   = "backup_object_vanished"  // objects that were there are gone
	AlarmRetention  = "backup_retention_unsafe" // retention refuses to run
	AlarmSurplus    = "backup_surplus"          // objects that were deleted are still there
	AlarmQuiet      = "backup_quiet"            // no new segment for too long
	AlarmSpool      = "backup_spool_full"       // the spool is over its bound
	AlarmIntake     = "backup_intake"           // files cannot be read or sealed
	AlarmBulk       = "backup_intake_full"      // a large file cannot be read or sealed
)

// Target is one destination and how it is treated.
type Target struct {
	Label  string // unique, small letters, digits and hyphens
	Region string // where it stands, for the policy of several places
	// Dest is wrapped as wanted already: backup.Retry, Limit, Meter.
	Dest      backup.Destination
	Retention Retention
	LagAlarm  time.Duration // more behind than this raises AlarmLag
	// LockFor asks the destination to lock compacted segments and fulls for so
	// long; zero does not ask.
	LockFor time.Duration
}

// Config is what the mirror needs. All fields are required.
type Config struct {
	Dir      string // local state, made if missing
	SpoolMax int64  // bytes of files that wait, sealed copies included
	// Poll is how often the source is looked at without a call of Notice.
	Poll time.Duration
	// ManifestEvery is the longest time that an object is there and not listed.
	ManifestEvery time.Duration
	// ExpireEvery is how often retention runs and claims are compared with what
	// is listed.
	ExpireEvery time.Duration
	// AttestEvery is the longest time without a manifest that says up to when
	// everything is there, also when there is nothing new.
	AttestEvery time.Duration
	// QuietAlarm is how long no new file may come.
	QuietAlarm time.Duration

	Source  Source
	Keys    *seal.Keys
	Epoch   uint64 // of the lease that this shop holds, 0 for none
	Targets []Target
	Clock   clock.Clock
	Log     *slog.Logger
	// Alert is told each alarm once when it is raised and once when it is over. It
	// must not wait.
	Alert func(Alert)
	// Sums counts the shop for a base manifest; an error leaves the sums out and
	// is logged.
	Sums func(context.Context) (manifest.Sums, error)
	// Complete tells up to when the source has everything that happened; the zero
	// time if it does not know.
	Complete func() time.Time
	// WantFull asks for a new full, because a destination waits for one. It must
	// not wait; it may be called again.
	WantFull func(label string)
}

// AttestEvery keeps what is known of a shop in which nothing happens fresher
// than a quarter of an hour.
const AttestEvery = 10 * time.Minute

// Defaults fills in the times and the bound that suit a shop.
func Defaults(c Config) Config {
	c.SpoolMax = 4 << 30
	c.Poll = time.Second
	c.ManifestEvery = 10 * time.Second
	c.ExpireEvery = time.Hour
	c.AttestEvery = AttestEvery
	c.QuietAlarm = 16 * time.Minute
	return c
}

// ValidLabel refuses what cannot name a destination; code backup_label_invalid.
func ValidLabel(label string) error {
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`).MatchString(label) {
		return labelInvalid(label)
	}
	return nil
}

func labelInvalid(label string) error {
	return errs.Field("backup.destinations", "backup_label_invalid",
		"a label is unique and has 1 to 32 small letters, digits and hyphens").With("label", label)
}

// Validate reports all faults at once.
func (c Config) Validate() error {
	var faults []error
	seen := map[string]bool{}
	for _, t := range c.Targets {
		if seen[t.Label] {
			faults = append(faults, labelInvalid(t.Label))
		}
		seen[t.Label] = true
		faults = append(faults, ValidLabel(t.Label), t.Retention.Validate())
	}
	if c.SpoolMax <= 0 || c.Poll <= 0 || c.ManifestEvery <= 0 || c.ExpireEvery <= 0 || c.AttestEvery <= 0 || c.QuietAlarm <= 0 {
		faults = append(faults, errs.Field("backup", "required", "times and bounds of the mirror are above zero"))
	}
	return errors.Join(faults...)
}
