package pgship

import (
	"context"
	"time"

	"panshi/internal/backup/ship"
	"panshi/internal/errs"
)

// brokenFor is how long the status tells that a history broke off.
const brokenFor = 24 * time.Hour

// Status tells how shipping stands. It asks nobody.
func (s *Shipper) Status(ctx context.Context) (ship.Status, error) {
	if s.spool == nil {
		return ship.Status{Generations: []ship.Generation{}}, nil
	}
	status, err := ship.Look(ctx, s.spool)
	if err != nil {
		return ship.Status{}, err
	}
	st := s.look()
	status.Shipping, status.Generation, status.Transaction = true, st.generation, uint64(st.spooled)
	status.Lag, status.ShippedAt, status.Written = s.Lag(), st.at, st.written
	_, status.Failure = s.Last()
	if st.broken != "" && s.clock.Now().Sub(st.brokenAt) < brokenFor {
		status.Broken = st.broken
	}
	return status, nil
}

// Complete is the time before which everything that was committed is in the
// spool, zero before the first shipment.
func (s *Shipper) Complete() time.Time { return s.look().at }

// Last tells when the spool was last known to have everything, and the code of
// what ails shipping, "" if nothing does.
func (s *Shipper) Last() (at time.Time, failed string) {
	st := s.look()
	if failure := st.failure(); failure != nil {
		failed = errs.CodeOf(failure)
	}
	return st.at, failed
}

// Fulls tells when the last base was begun and when the next one will be.
func (s *Shipper) Fulls() (last, next time.Time) {
	if s.spool == nil {
		return time.Time{}, time.Time{}
	}
	base, ok := s.lastBase(s.look().generation)
	if !ok {
		return time.Time{}, time.Time{}
	}
	next = s.daily.When(base.Time, s.clock.Now())
	if every := s.cfg.FullEvery; every > 0 && base.Time.Add(every).Before(next) {
		next = base.Time.Add(every)
	}
	return base.Time, next
}

// Age is how long ago the spool was last known to have everything.
func (s *Shipper) Age() time.Duration { return s.clock.Now().Sub(s.look().at) }

// Failing tells whether the last thing that was tried failed.
func (s *Shipper) Failing() bool { return s.look().failure() != nil }

// Written is the bytes put into the spool since the start.
func (s *Shipper) Written() int64 { return s.look().written }

// Size is the bytes in the spool.
func (s *Shipper) Size() int64 {
	if s.spool == nil {
		return 0
	}
	return s.spool.Size()
}

// Transaction is how far the spool has the log, in bytes.
func (s *Shipper) Transaction() uint64 { return uint64(s.look().spooled) }
