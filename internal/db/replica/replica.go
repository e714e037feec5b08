package replica

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
)

// Replica is a follower of the primary.
type Replica struct {
	Name string // for people: its address
	DB   db.DB
}

// Config says what may be read from replicas.
type Config struct {
	MaxLag time.Duration // a replica that is further behind is not read; default 2 s
	Every  time.Duration // between two looks at primary and replicas; default 200 ms
	Clock  clock.Clock   // default the system's
	Logger *slog.Logger  // default: discard
}

// The defaults of Config.
const (
	DefaultMaxLag = 2 * time.Second
	defaultEvery  = 200 * time.Millisecond
)

// Primary is what a database on a server offers: the door, and messages of
// other processes.
type Primary interface {
	db.DB
	db.Subscriber
}

// DB is a primary with replicas. It implements db.DB.
type DB struct {
	Primary

	cfg      Config
	replicas []*follower
	next     atomic.Uint64 // whose turn it is
	stop     context.CancelFunc
	watching sync.WaitGroup
}

// follower is a replica and what is known of it.
type follower struct {
	Replica
	asOf   atomic.Int64 // all that was committed before this is there; Unix nanoseconds
	usable atomic.Bool  // it answered the watcher, and has not failed since
	served atomic.Int64 // Views that it answered
	failed atomic.Int64 // Views that the primary had to answer in its place
}

// State tells about one replica.
type State struct {
	Name   string
	Lag    time.Duration // at most so far behind; it grows while the replica does not answer
	InUse  bool
	Served int64 // Views answered
	Failed int64 // Views that went to the primary after all
}

// New starts to watch the replicas of primary. Close ends that; the databases
// stay open.
func New(primary Primary, replicas []Replica, cfg Config) *DB {
	if cfg.MaxLag == 0 {
		cfg.MaxLag = DefaultMaxLag
	}
	if cfg.Every == 0 {
		cfg.Every = defaultEvery
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(context.Background())
	d := &DB{Primary: primary, cfg: cfg, stop: stop}
	for _, r := range replicas {
		f := &follower{Replica: r}
		f.asOf.Store(cfg.Clock.Now().UnixNano()) // nothing is known: the lag is counted from now on
		d.replicas = append(d.replicas, f)
	}
	w := &watcher{db: d}
	d.watching.Go(func() { w.loop(ctx) })
	return d
}

// Close stops watching.
func (d *DB) Close() {
	d.stop()
	d.watching.Wait()
}

// View implements db.DB. Under db.WithStale fn may see a state that is up to
// Config.MaxLag old, and runs once more on the primary if it fails.
func (d *DB) View(ctx context.Context, fn func(tx *db.Tx) error) error {
	if !db.IsStale(ctx) {
		return d.Primary.View(ctx, fn)
	}
	f := d.choose()
	if f == nil {
		return d.Primary.View(ctx, fn)
	}
	err := f.DB.View(ctx, fn)
	if err == nil {
		f.served.Add(1)
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	f.failed.Add(1)
	if broken(err) && f.usable.Swap(false) {
		d.cfg.Logger.Warn("a read replica does not serve; the primary does", "replica", f.Name, "error", err)
	}
	return d.Primary.View(ctx, fn)
}

// broken tells a replica that does not serve from a closure that found nothing.
func broken(err error) bool {
	return errs.KindOf(err) == errs.Unavailable || errs.KindOf(err) == errs.Internal && !errors.Is(err, db.ErrNoRows)
}

// choose gives a replica that may be read, in turn, or nil.
func (d *DB) choose() *follower {
	n := uint64(len(d.replicas))
	first := d.next.Add(1)
	for i := range n {
		if f := d.replicas[(first+i)%n]; d.inUse(f) {
			return f
		}
	}
	return nil
}

func (d *DB) inUse(f *follower) bool { return f.usable.Load() && d.lag(f) <= d.cfg.MaxLag }

func (d *DB) lag(f *follower) time.Duration {
	return max(0, d.cfg.Clock.Now().Sub(time.Unix(0, f.asOf.Load())))
}

// States tells about the replicas, in the order of New.
func (d *DB) States() []State {
	states := make([]State, len(d.replicas))
	for i, f := range d.replicas {
		states[i] = State{Name: f.Name, Lag: d.lag(f), InUse: d.inUse(f), Served: f.served.Load(), Failed: f.failed.Load()}
	}
	return states
}
