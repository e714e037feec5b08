package archive

import (
	"context"
	"time"

	"panshi/internal/audit"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/jobs"
	"panshi/internal/ledger"
	"panshi/internal/order"
)

// floor is the least age at which anything is moved: younger orders still
// change, and would come back again.
const floor = max(order.MinArchiveAge, audit.MinArchiveAge)

// Pauses of a walk: after its end, and after a batch that failed.
const (
	rest  = time.Hour
	retry = time.Minute
)

// Config is what a shop may set of the archive.
type Config struct {
	After time.Duration `json:"after"` // what last changed this long ago is moved; 180 days; 0: never
}

// Defaults are the values of a shop that sets nothing.
func Defaults() Config { return Config{After: 180 * 24 * time.Hour} }

// Validate reports every value that cannot work.
func (c Config) Validate() error {
	if c.After != 0 && c.After < floor {
		return errs.Field("archive.after", "out_of_range", "orders are archived after 720h (30 days) or more, or never (0)")
	}
	return nil
}

// Service walks through the tables whose old rows are archived.
type Service struct {
	db    db.DB
	cfg   Config
	clock clock.Clock
	walks []*walk // owned by the sweep's goroutine
}

// walk is one table's. After a whole walk it rests.
type walk struct {
	step  func(tx *db.Tx, after id.ID, cutoff time.Time) (last id.ID, err error)
	after id.ID     // where the next batch begins; zero at the start
	next  time.Time // when the next walk begins
}

// New returns a Service. cfg must be valid.
func New(d db.DB, cfg Config, c clock.Clock) *Service {
	return &Service{db: d, cfg: cfg, clock: c, walks: []*walk{
		{step: ordersTx}, {step: ledger.ArchiveTx}, {step: audit.ArchiveTx},
	}}
}

// Sweeps is the sweep that moves one batch of each table a second, so that
// buyers' orders find the writer free between two of them.
func (s *Service) Sweeps() []jobs.Sweep {
	if s.cfg.After == 0 {
		return nil
	}
	return []jobs.Sweep{{Name: "orders.archive", Every: time.Second, Run: func(ctx context.Context) (bool, error) {
		_, err := s.Step(ctx)
		return false, err
	}}}
}

// Step moves one batch of every table that is not at rest, and tells whether
// any is still being walked through.
func (s *Service) Step(ctx context.Context) (walking bool, err error) {
	now := s.clock.Now()
	for _, w := range s.walks {
		if now.Before(w.next) {
			continue
		}
		var last id.ID
		if err := s.db.Update(ctx, func(tx *db.Tx) (err error) {
			last, err = w.step(tx, w.after, tx.Now().Add(-s.cfg.After))
			return err
		}); err != nil {
			w.next = now.Add(retry)
			return walking, err
		}
		w.after = last
		if last.IsZero() {
			w.next = now.Add(rest)
		} else {
			walking = true
		}
	}
	return walking, nil
}
