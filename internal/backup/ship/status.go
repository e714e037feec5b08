package ship

import (
	"context"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/lease"
	"panshi/internal/backup/spool"
	"panshi/internal/dataclass"
	"panshi/internal/errs"
)

// Status is what the spool has, and how far shipping is.
type Status struct {
	// Spool is the directory, "" when nothing is shipped.
	Spool string `json:"spool,omitempty"`
	// Shipping tells whether a running shop ships. What follows up to Failure
	// is told only then.
	Shipping   bool   `json:"shipping"`
	Generation string `json:"generation,omitempty"`
	// Transaction is the newest that the spool has of the generation.
	Transaction uint64 `json:"transaction,omitempty"`
	// Lag is the age of the oldest commit that is not in the spool.
	Lag time.Duration `json:"lag_ns"`
	// ShippedAt is when the spool was last known to have everything.
	ShippedAt time.Time `json:"shipped_at,omitzero"`
	// Written is the bytes put into the spool since the start.
	Written int64 `json:"written"`
	// Failure is the code of what stopped the last shipment, "" if nothing did.
	Failure string `json:"failure,omitempty"`

	// Broken is the code of why a generation had to end within the last day, ""
	// if none had to: there is a hole in what can be restored.
	Broken string `json:"broken,omitempty"`

	Bytes       int64        `json:"bytes"` // in the spool
	Generations []Generation `json:"generations"`

	// Alarms are the codes of what ails the copying to all destinations.
	Alarms []string `json:"alarms,omitempty"`

	// Destinations are the copies elsewhere, Schedule what backups did last and do
	// next; told only of a running shop.
	Destinations []backup.Copy    `json:"destinations,omitempty"`
	Schedule     []backup.Planned `json:"schedule,omitempty"`

	// Lease is which machine writes, nil without one; Standbys are who follows,
	// as they said themselves. Both are told only of a running shop.
	Lease    *lease.Status    `json:"lease,omitempty"`
	Standbys []lease.Follower `json:"standbys,omitempty"`
}

// Generation is one unbroken history in a spool.
type Generation struct {
	Name        string    `json:"name"`
	Files       int       `json:"files"`
	Bytes       int64     `json:"bytes"`
	Transaction uint64    `json:"transaction"` // the newest
	From        time.Time `json:"from"`        // the oldest state that can be restored
	To          time.Time `json:"to"`          // the newest
}

// Status tells how shipping stands. It asks nobody: it works when everything
// else stands still.
func (s *Shipper) Status(ctx context.Context) (Status, error) {
	if s.client == nil {
		return Status{Generations: []Generation{}}, nil
	}
	status, err := Look(ctx, s.spool)
	if err != nil {
		return Status{}, err
	}
	newest, _ := s.client.shipped()
	status.Spool, status.Shipping = s.spool.Dir(), true
	status.Generation, status.Transaction = s.client.generation, newest.Last
	status.Lag, status.Written = s.Lag(), s.client.bytes.Load()
	status.ShippedAt, status.Failure = s.Last()
	return status, nil
}

// Last tells when the spool was last known to have everything, and the code of
// what stopped the last shipment, "" if nothing did.
func (s *Shipper) Last() (at time.Time, failure string) {
	at, failed := s.progress.last()
	if failed != nil {
		failure = errs.CodeOf(failed)
	}
	return at, failure
}

// Look tells what a spool has.
func Look(ctx context.Context, s *spool.Spool) (Status, error) {
	status := Status{Spool: s.Dir(), Generations: []Generation{}}
	files, err := s.List(ctx, "")
	if err != nil {
		return status, err
	}
	for _, g := range byGeneration(files) {
		told := Generation{Name: g[0].Generation, Files: len(g), To: newestOf(g).Time}
		for _, f := range g {
			told.Bytes += f.Size
			told.Transaction = max(told.Transaction, f.Last)
			if f.Whole() && (told.From.IsZero() || f.Time.Before(told.From)) {
				told.From = f.Time
			}
		}
		status.Bytes += told.Bytes
		status.Generations = append(status.Generations, told)
	}
	return status, nil
}

// Lag is the age of the oldest commit that is not in the spool, 0 if all are.
func (s *Shipper) Lag() time.Duration { return s.progress.lag() }

// Complete is the time before which everything that was committed is in the
// spool, zero before the first shipment.
func (s *Shipper) Complete() time.Time { return s.progress.complete() }

// Age is how long ago the spool was last known to have everything; before the
// first time it is as old as the process thinks time is.
func (s *Shipper) Age() time.Duration {
	at, _ := s.progress.last()
	return s.clock.Now().Sub(at)
}

// Failing tells whether the last shipment failed.
func (s *Shipper) Failing() bool {
	_, failed := s.progress.last()
	return failed != nil
}

// Written is the bytes put into the spool since the start.
func (s *Shipper) Written() int64 {
	if s.client == nil {
		return 0
	}
	return s.client.bytes.Load()
}

// Size is the bytes in the spool.
func (s *Shipper) Size() int64 {
	if s.client == nil {
		return 0
	}
	return s.spool.Size()
}

// Transaction is the newest that the spool has of the generation.
func (s *Shipper) Transaction() uint64 {
	if s.client == nil {
		return 0
	}
	newest, _ := s.client.shipped()
	return newest.Last
}

// Generation is the history that the shop writes now, "" before Start.
func (s *Shipper) Generation() string {
	if s.client == nil {
		return ""
	}
	return s.client.generation
}

// Columns are the data classes of litestream's own tables.
func Columns() []dataclass.Table {
	return []dataclass.Table{
		dataclass.Of("_litestream_seq", dataclass.Public, []string{"id", "seq"}),
		dataclass.Of("_litestream_lock", dataclass.Public, []string{"id"}),
	}
}
