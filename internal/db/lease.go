package db

import (
	"context"
	"errors"
	"time"

	"panshi/internal/errs"
)

// ErrLeaseTaken says that another holder has the lease, or took it since.
var ErrLeaseTaken = errs.New(errs.Conflict, "lease_taken", "another process does this work at the moment")

// Lease is the right to do one singleton's work until a time. Between holders
// the fence only ever rises, so that a holder who slept past its time is
// recognised by what it writes to.
type Lease struct {
	Name   string
	Holder string // who has it: unique to the process, for example an id made at its start
	Fence  int64  // rises by one with every Acquire that succeeds
	Until  time.Time
}

// Acquire takes the lease called name for ttl. It succeeds if nobody has it,
// if its time is over, or if holder itself has it, in which case the fence
// rises all the same; else it is ErrLeaseTaken.
func Acquire(ctx context.Context, d DB, name, holder string, ttl time.Duration) (Lease, error) {
	lease := Lease{Name: name, Holder: holder}
	err := d.Update(ctx, func(tx *Tx) error {
		lease.Until = tx.Now().Add(ttl)
		if err := refusedTx(tx, name, holder); err != nil {
			return err
		}
		err := tx.Get([]any{&lease.Fence}, `
			INSERT INTO leases (name, holder, fence, until_ms) VALUES ($1, $2, 1, $3)
			ON CONFLICT (name) DO UPDATE
			SET holder = excluded.holder, fence = leases.fence + 1, until_ms = excluded.until_ms
			WHERE leases.until_ms <= $4 OR leases.holder = excluded.holder
			RETURNING fence`,
			name, holder, Millis(lease.Until), Millis(tx.Now()))
		if errors.Is(err, ErrNoRows) {
			return ErrLeaseTaken
		}
		return err
	})
	if err != nil {
		return Lease{}, err
	}
	return lease, nil
}

// refusedTx is ErrLeaseTaken if it is plain that Acquire would fail: those who
// wait for a lease ask every second, and a refused INSERT would write.
func refusedTx(tx *Tx, name, holder string) error {
	var taken int64
	err := tx.Get([]any{&taken}, `SELECT COUNT(*) FROM leases WHERE name = $1 AND until_ms > $2 AND holder <> $3`,
		name, Millis(tx.Now()), holder)
	if err == nil && taken > 0 {
		return ErrLeaseTaken
	}
	return err
}

// Renew returns the lease with ttl from now. It is ErrLeaseTaken if somebody
// acquired it since; a lease that ran out but that nobody took is renewed.
func (l Lease) Renew(ctx context.Context, d DB, ttl time.Duration) (Lease, error) {
	renewed := l
	err := d.Update(ctx, func(tx *Tx) error {
		renewed.Until = tx.Now().Add(ttl)
		return l.set(tx, renewed.Until)
	})
	if err != nil {
		return Lease{}, err
	}
	return renewed, nil
}

// Release lets others have the lease at once. Releasing one that is lost is no
// error.
func (l Lease) Release(ctx context.Context, d DB) error {
	err := d.Update(ctx, func(tx *Tx) error { return l.set(tx, time.UnixMilli(0)) })
	if errors.Is(err, ErrLeaseTaken) {
		return nil
	}
	return err
}

func (l Lease) set(tx *Tx, until time.Time) error {
	n, err := tx.Exec(`UPDATE leases SET until_ms = $1 WHERE name = $2 AND holder = $3 AND fence = $4`,
		until.UnixMilli(), l.Name, l.Holder, l.Fence)
	if err == nil && n == 0 {
		return ErrLeaseTaken
	}
	return err
}

// HeldTx is ErrLeaseTaken unless l still holds in this transaction; a holder
// calls it in each transaction that only it may make.
func (l Lease) HeldTx(tx *Tx) error {
	query := `SELECT until_ms FROM leases WHERE name = $1 AND holder = $2 AND fence = $3`
	if tx.Engine() == Postgres {
		query += ` FOR SHARE` // or it could be taken before this transaction commits
	}
	var until Time
	err := tx.Get([]any{&until}, query, l.Name, l.Holder, l.Fence)
	if errors.Is(err, ErrNoRows) || err == nil && !tx.Now().Before(until.Time) {
		return ErrLeaseTaken
	}
	return err
}
