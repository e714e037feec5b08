package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
)

// Handler does the side effect of one kind of job. It must be repeatable.
type Handler func(ctx context.Context, j Job) error

// Sweep is work that finds itself.
type Sweep struct {
	Name  string        // also the name of its lease
	Every time.Duration // pause between two runs that found less than a full batch
	// Run does one batch and tells whether more is due at once.
	Run func(ctx context.Context) (more bool, err error)
}

const (
	pollEvery  = time.Second
	batchLimit = 32
	sweepTime  = 30 * time.Second // for one run of a sweep
	handleTime = 45 * time.Second // for one job
)

// Runner runs jobs and sweeps until its context ends. On a database that
// several nodes share, each sweep runs on the node that holds its lease, and
// each job on the node that claimed it. Without handlers it leaves the jobs to
// others.
type Runner struct {
	db       db.DB
	holder   string
	handlers map[string]Handler
	sweeps   []Sweep
	clock    clock.Clock
	log      *slog.Logger
	held     atomic.Int64 // what hold found, in nanoseconds; 0 until then
}

// NewRunner returns a Runner; holder names this process among the nodes.
func NewRunner(d db.DB, holder string, handlers map[string]Handler, sweeps []Sweep, c clock.Clock,
	log *slog.Logger,
) *Runner {
	return &Runner{db: d, holder: holder, handlers: handlers, sweeps: sweeps, clock: c, log: log}
}

// Run works until ctx ends, and returns when everything it started has
// stopped.
func (r *Runner) Run(ctx context.Context) {
	var wg sync.WaitGroup
	if len(r.handlers) > 0 {
		wg.Go(func() { r.loop(ctx, pollEvery, "jobs", r.runBatch) })
	}
	for _, s := range r.sweeps {
		wg.Go(func() { r.sweep(ctx, s) })
	}
	wg.Wait()
}

// loop calls step, at once again while more is due, else after a pause.
func (r *Runner) loop(ctx context.Context, every time.Duration, name string, step func(context.Context) (bool, error)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		var more bool
		err := Guard(func() (err error) {
			more, err = step(ctx)
			return err
		})
		if err != nil && ctx.Err() == nil && !errors.Is(err, db.ErrLeaseTaken) {
			r.log.Error("background work failed", "work", name, "code", errs.CodeOf(err), "error", err)
		}
		pause := every
		if more && err == nil {
			pause = 0
		}
		timer.Reset(pause)
	}
}

// Guard makes a panic of background work an error: one bad row must not take
// the whole shop down, again after every restart.
func Guard(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errs.Wrap(fmt.Errorf("%v\n%s", p, debug.Stack()), errs.Internal, "panic", "background work panicked")
		}
	}()
	return do()
}

func (r *Runner) sweep(ctx context.Context, s Sweep) {
	var held db.Lease
	defer func() {
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = held.Release(release, r.db) // it ends by itself soon
	}()
	var renewed time.Time
	r.loop(ctx, s.Every, s.Name, func(ctx context.Context) (more bool, err error) {
		hold, err := r.hold(ctx)
		if err != nil {
			return false, err
		}
		if asked := r.clock.Now(); asked.Sub(renewed) > renewAfter(hold) {
			if held, err = db.Acquire(ctx, r.db, "sweep/"+s.Name, r.holder, hold); err != nil {
				return false, err
			}
			renewed = asked
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		// A run ends with the lease, or another node would do the same beside it.
		t := tenure{until: renewed.Add(hold), hold: hold, limit: sweepTime, renew: func(ctx context.Context) error {
			renewal, err := held.Renew(ctx, r.db, hold)
			if err == nil {
				held = renewal
			}
			return err
		}}
		renewed, err = r.during(ctx, t, func(ctx context.Context) (err error) {
			more, err = s.Run(ctx)
			return err
		})
		return more, err
	})
}

// runBatch claims due jobs and runs them in parallel.
func (r *Runner) runBatch(ctx context.Context) (more bool, err error) {
	var claimed []Job
	var due bool
	err = r.db.View(ctx, func(tx *db.Tx) error {
		var n int64
		err := tx.Get([]any{&n}, `SELECT COUNT(*) FROM (SELECT id FROM jobs WHERE dead = 0 AND run_at <= $1 LIMIT 1) j`,
			db.Millis(tx.Now()))
		due = n > 0
		return err
	})
	if err != nil || !due {
		return false, err
	}
	asked := r.clock.Now()
	err = r.db.Update(ctx, func(tx *db.Tx) (err error) {
		claimed, err = claimTx(tx, batchLimit)
		return err
	})
	if err != nil {
		return false, err
	}
	fault.Point("jobs.claimed")
	var wg sync.WaitGroup
	for _, j := range claimed {
		wg.Go(func() { r.run(ctx, j, asked) })
	}
	wg.Wait()
	return len(claimed) == batchLimit, nil
}

// run does a job that was claimed just after asked.
func (r *Runner) run(ctx context.Context, j Job, asked time.Time) {
	handler, ok := r.handlers[j.Kind]
	err := errs.New(errs.Internal, "job_kind_unknown", "no handler for this kind of job")
	var result error = err
	if ok {
		result = r.handle(ctx, j, handler, asked)
	}
	if ctx.Err() != nil {
		return // claimed jobs come back after the visibility time
	}
	fault.Point("jobs.done.before-acknowledge")
	finish := func(tx *db.Tx) error { return doneTx(tx, j) }
	if result != nil {
		level := slog.LevelWarn
		if j.Attempts >= maxAttempts {
			level = slog.LevelError // laid aside for a person
		}
		r.log.Log(ctx, level, "job failed", "kind", j.Kind, "job", j.ID.String(), "attempt", j.Attempts,
			"code", errs.CodeOf(result), "error", result)
		finish = func(tx *db.Tx) error { return failedTx(tx, j, errs.CodeOf(result)) }
	}
	if err := r.db.Update(ctx, finish); err != nil && ctx.Err() == nil {
		r.log.Error("job not acknowledged; it will run again", "kind", j.Kind, "error", err)
	}
}
