package drill

import (
	"context"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/seal"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// Copy is one destination, as a disaster finds it.
type Copy struct {
	Label, Region string
	Dest          backup.Destination

	OnDataDisk bool // lost together with the disk of the data
	// What withstands somebody who has the shop's own credentials:
	Locked   bool // compacted segments, fulls and bundles are locked
	NoDelete bool // the credential may not delete
	Offline  bool // it is not reached from the shop's machine
}

// Want says which state is wanted.
type Want struct {
	At time.Time // zero is the newest
	// FullBefore takes no whole copy of this time or later, so that the log has
	// to be replayed; zero takes any.
	FullBefore time.Time
	// Salvage takes what is left, though manifests miss some of it.
	Salvage bool
}

// Shop is a shop that was restored to a scratch directory. Nobody else has it,
// and it reaches no platform and no person.
type Shop interface {
	DB() db.DB
	// Place has it take an order of one item. An error of kind Conflict means that
	// this item is not to be had; any other that it cannot sell.
	Place(ctx context.Context, merchant, sku id.ID) (orderNo string, err error)
	// Unseal opens a card key and forgets it. Code vault_cards_shut.
	Unseal(card id.ID, sealed []byte) error
	Check(ctx context.Context) (invariants, violations int, err error)
	// Close takes it away with its directory; a second call does nothing.
	Close() error
}

// Restored is a shop that came back, after its invariants were checked.
type Restored struct {
	Shop        Shop
	Transaction uint64
	Time        time.Time // of the state
	Bytes       int64     // read

	Invariants, Violations int

	// WithCards opens the shop's card keys by their bundle; nil if the bundle was
	// not given.
	WithCards func(ctx context.Context) error
}

// Failover is what the change to a standby came to.
type Failover struct {
	Time time.Time // of the newest state that the standby had
	Shop Shop      // it, writing; on scratch copies
}

// Standby fails over to a scratch copy of the standby of a shop.
type Standby interface {
	Failover(ctx context.Context) (Failover, error)
}

// Progress hears what a drill does. It is called by one goroutine at a time.
type Progress func(step string, done, total int64)

// World is all that a drill reaches.
type World struct {
	// Copies are the destinations. A drill writes to a Damage of them only.
	Copies []Copy
	// Reader opens what is there: the recovery sheet, or what the shop keeps to
	// prove its copies.
	Reader seal.Reader
	// Newest is the time of the newest commit that left the database, and for how
	// long others have waited to leave it. Code drill_newest_unknown.
	Newest func(ctx context.Context) (at time.Time, lag time.Duration, err error)
	// Restore makes a scratch shop from a copy.
	Restore func(ctx context.Context, from Copy, want Want, progress Progress) (Restored, error)
	// WithoutKey tries to open the keysets of the shop without its key: an error
	// is what is expected.
	WithoutKey func(ctx context.Context) error
	// KeyFrom opens them with the key that a copy has.
	KeyFrom func(ctx context.Context, from Copy) error
	// Gone is what retention would give up of segments if it were now.
	Gone func(label string, now time.Time, all []backup.Segment) ([]backup.Segment, error)
	// Tables are those of a shop.
	Tables []string
	// Offline is a disk that is plugged in for this drill; Drawer is when one that
	// is not was read back as a whole last, zero if none ever was.
	Offline []Copy
	Drawer  time.Time
	Standby Standby // nil without one
	Clock   clock.Clock
	Version string
}

// Options say how a drill is run.
type Options struct {
	Destination string    // label of the one to use; "" uses those that are there
	At          time.Time // the minute of an intrusion; zero chooses one
	Seed        uint64
	Progress    Progress
}

// Errors that end a drill: why it has not passed.
var (
	errNoCopy      = errs.New(errs.Conflict, "drill_no_copy", "there is no destination to restore from")
	errOnDataDisk  = errs.New(errs.Conflict, "drill_on_data_disk", "every destination is on the disk of the data, and is lost together with it")
	errUnprotected = errs.New(errs.Conflict, "drill_unprotected", "the shop's own credentials reach every copy: who takes the machine encrypts all of them")
	errUntried     = errs.New(errs.Conflict, "drill_offline_untried", "only a disk in a drawer would be left, and it was not plugged in to try it")
	errOneRegion   = errs.New(errs.Conflict, "drill_one_region", "the copies are in fewer than two regions")
	errOneCopy     = errs.New(errs.Conflict, "drill_one_copy", "there is no second copy to go to when one is damaged")
	errNoStandby   = errs.New(errs.Conflict, "drill_no_standby", "no standby is configured")
	errUndetected  = errs.New(errs.Integrity, "drill_undetected", "the damage was not detected, or not named")
	errDiffers     = errs.New(errs.Integrity, "drill_differs", "what came back is not what was lost")
	errNoDisaster  = errs.New(errs.Internal, "drill_no_disaster", "what should have broken works: the drill shows nothing")
	errNoHistory   = errs.New(errs.Conflict, "drill_no_history", "the backup does not reach back to the minute before")
	errUnsafeClock = errs.New(errs.Integrity, "drill_clock_deletes", "a clock that is wrong would delete what is needed")
)
