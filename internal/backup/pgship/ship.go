package pgship

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/backup/pgwal"
	"panshi/internal/backup/schedule"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/pgstream"
	"panshi/internal/errs"
)

const (
	// firstWait and mostWait are how long a session that failed is not tried again.
	firstWait = 250 * time.Millisecond
	mostWait  = 5 * time.Second
	// lastPatience is how long closing waits for the rest of the log.
	lastPatience = 10 * time.Second
	// pieceSize is the most that waits in memory, in bytes.
	pieceSize = 8 << 20
)

// Shipper ships one server. Make it with New.
type Shipper struct {
	cfg    Config
	needed func(spool.File) bool
	clock  clock.Clock
	log    *slog.Logger

	spool   *spool.Spool
	lock    *db.DirLock   // of the spool; nil before Start
	closing chan struct{} // closed: bring what is left, and end
	daily   schedule.Daily
	stop    context.CancelFunc
	workers sync.WaitGroup
	wanted  atomic.Bool // somebody wants a base

	mu    sync.Mutex
	state state // guarded by mu
}

// state is how far shipping is.
type state struct {
	live       bool // a session streams
	generation string
	head       pgwal.Head   // of the generation's pieces
	spooled    pgstream.LSN // the spool has the log up to here
	written    int64        // bytes put into the spool

	heard  time.Time // the server's last sign of life; zero before the first
	marks  []mark    // what the server is known to have and the spool lacks, ascending
	at     time.Time // when the spool was last known to have everything
	failed error     // of the last session
	full   error     // of the last base

	broken   string    // code of why the generation before ended
	brokenAt time.Time // when
}

// New makes a shipper. cfg is valid. needed tells of files that would expire
// whether somebody still has to copy them.
func New(cfg Config, needed func(spool.File) bool, clk clock.Clock, log *slog.Logger) *Shipper {
	return &Shipper{cfg: cfg, needed: needed, clock: clk, log: log, closing: make(chan struct{}), stop: func() {}}
}

// Start opens the spool and begins to ship, by s's own goroutines. A server
// that refuses replication is an error (backup_replication_refused); one that
// does not answer now is asked again.
func (s *Shipper) Start(ctx context.Context, cipher tink.StreamingAEAD, daily schedule.Daily) error {
	s.daily = daily
	if err := s.take(ctx, cipher); err != nil {
		return errors.Join(err, s.letGo())
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.workers.Go(func() { s.sessions(run) })
	s.workers.Go(func() { s.bases(run) })
	s.workers.Go(func() { s.tidy(run) })
	s.workers.Go(func() { s.watch(run) })
	return nil
}

// take takes the spool, and asks the server whether it would let us replicate.
func (s *Shipper) take(ctx context.Context, cipher tink.StreamingAEAD) (err error) {
	if s.lock, err = db.LockDir(s.cfg.Spool); err != nil {
		return errs.Wrap(err, errs.Conflict, "spool_in_use", "another process ships into this spool; each needs its own (backup.spool)").With("path", s.cfg.Spool)
	}
	if s.spool, err = spool.Create(s.cfg.Spool, cipher); err != nil {
		return err
	}
	c, err := pgstream.Connect(ctx, s.cfg.URL)
	if err == nil {
		return c.Close() //nolint:contextcheck // goodbye, whoever has gone
	}
	if errs.CodeOf(err) == "backup_replication_refused" {
		return err
	}
	return nil
}

// letGo gives the spool back, if we have it.
func (s *Shipper) letGo() error {
	if s.lock == nil {
		return nil
	}
	lock := s.lock
	s.lock = nil
	return lock.Close()
}

// Spool is where the shipments go; it is there once Start has returned.
func (s *Shipper) Spool() *spool.Spool { return s.spool }

// WantFull asks for a base. It does not wait for it.
func (s *Shipper) WantFull() { s.wanted.Store(true) }

// Close brings what the server has into the spool, if both are well, and ends.
func (s *Shipper) Close() error {
	close(s.closing)
	done := make(chan struct{})
	go func() { s.workers.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(lastPatience):
	}
	s.stop()
	<-done
	return s.letGo()
}

// sessions holds one session after the other, until closing.
func (s *Shipper) sessions(ctx context.Context) {
	for wait := firstWait; !s.ending(ctx); {
		began := s.clock.Now()
		err := s.session(ctx)
		if s.clock.Now().Sub(began) > mostWait {
			wait = firstWait
		}
		s.ended(err)
		if err == nil || !s.pause(ctx, wait) {
			return
		}
		wait = min(2*wait, mostWait)
	}
}

func (s *Shipper) ending(ctx context.Context) bool {
	select {
	case <-s.closing:
		return true
	default:
		return ctx.Err() != nil
	}
}

// pause waits, and tells whether the time has passed before the end came.
func (s *Shipper) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.closing:
	case <-ctx.Done():
	}
	return false
}

// ended notes that no session streams any more: what is committed from now on
// is not in the spool.
func (s *Shipper) ended(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.live = false
	if err == nil {
		return
	}
	if s.state.failed == nil || errs.CodeOf(s.state.failed) != errs.CodeOf(err) {
		s.log.Warn("backup: the log of the server is not shipped", slog.Any("error", err))
	}
	s.state.failed = coded(err)
}

// coded gives errors of the server a code.
func coded(err error) error {
	var e *errs.Error
	if errors.As(err, &e) {
		return err
	}
	return errs.Wrap(err, errs.Unavailable, "backup_stream_broken", "the stream of the server's log broke off")
}

// look copies the state.
func (s *Shipper) look() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// failure is what ails shipping, nil if nothing does.
func (s state) failure() error { return cmp.Or(s.failed, s.full) }
