package jobs

import (
	"context"
	"errors"
	"time"

	"panshi/internal/db"
)

// Holds are how long a node has what only one may do, before it must ask
// again: the lease of a sweep, the claim on a job. When a node dies, another
// takes over after this time and a second at most. A server is shared by
// nodes that must not wait long for each other; in a data directory the next
// process has the name of the one before and takes its leases at once, so that
// asking less often costs nothing and writes less.
const (
	serverHold = 5 * time.Second
	localHold  = 30 * time.Second
)

func holdOn(engine db.Engine) time.Duration {
	if engine == db.Postgres {
		return serverHold
	}
	return localHold
}

// renewAfter is how much of its time a holder lets pass before it asks again:
// two more attempts fit into what is left.
func renewAfter(hold time.Duration) time.Duration { return hold * 3 / 10 }

// hold asks the database which engine it is, once.
func (r *Runner) hold(ctx context.Context) (time.Duration, error) {
	if known := r.held.Load(); known > 0 {
		return time.Duration(known), nil
	}
	var hold time.Duration
	err := r.db.View(ctx, func(tx *db.Tx) error {
		hold = holdOn(tx.Engine())
		return nil
	})
	if err == nil {
		r.held.Store(int64(hold))
	}
	return hold, err
}

// tenure is the time in which a node may do what only one may.
type tenure struct {
	until time.Time     // when it ends unless it is renewed
	hold  time.Duration // what a renewal adds, from the moment at which it is asked for
	limit time.Duration // in all: do does not go on for ever
	renew func(ctx context.Context) error
}

// during runs do while t lasts, and renews it meanwhile. do's context ends at
// the latest with t: also when the database does not answer, and when do waits
// for a platform that hangs. It returns when t was renewed last, the zero time
// if somebody else has it.
func (r *Runner) during(ctx context.Context, t tenure, do func(context.Context) error) (renewed time.Time, err error) {
	working, stop := context.WithTimeout(ctx, t.limit)
	defer stop()
	ends := time.AfterFunc(t.until.Sub(r.clock.Now()), stop)
	defer ends.Stop()
	renewals := make(chan time.Time, 1)
	go func() { renewals <- r.renewals(working, t, ends, stop) }()
	err = Guard(func() error { return do(working) })
	stop()
	return <-renewals, err
}

// renewals renews t until ctx ends, and tells when it asked for the last that
// it got. Whoever lost t is stopped.
func (r *Runner) renewals(ctx context.Context, t tenure, ends *time.Timer, stop func()) time.Time {
	last := t.until.Add(-t.hold)
	tick := time.NewTicker(renewAfter(t.hold))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return last
		case <-tick.C:
		}
		asked := r.clock.Now()
		switch err := t.renew(ctx); {
		case err == nil:
			last = asked
			ends.Reset(asked.Add(t.hold).Sub(r.clock.Now()))
		case errors.Is(err, db.ErrLeaseTaken):
			stop()
			return time.Time{}
		}
	}
}

// handle runs a job's handler while this node has the job.
func (r *Runner) handle(ctx context.Context, j Job, handler Handler, asked time.Time) error {
	hold, err := r.hold(ctx)
	if err != nil {
		return err
	}
	t := tenure{until: asked.Add(hold), hold: hold, limit: handleTime, renew: func(ctx context.Context) error {
		return r.db.Update(ctx, func(tx *db.Tx) error { return keepTx(tx, j) })
	}}
	_, err = r.during(ctx, t, func(ctx context.Context) error { return handler(ctx, j) })
	return err
}
