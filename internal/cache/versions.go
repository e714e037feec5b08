package cache

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/id"
)

// ShownWithin is the promise: an answer that is asked for so long after a
// change was committed, on whichever process, shows the change, if the database
// answers a load within patience. It rests on no message.
const ShownWithin = time.Second

const (
	lookEvery = 250 * time.Millisecond // between looks without a message
	lookGap   = 20 * time.Millisecond  // between looks with messages
	lookLimit = 2 * time.Second        // of one look, and of raising what waits
	blindAt   = 500 * time.Millisecond // what was known to be true counts as such for so long
	ripples   = 200                    // merchants raised in one transaction
	moves     = 8                      // of a merchant that are remembered
)

// The compiler holds the promise: a look comes before what is known grows old,
// and then a stale value is served for no longer than what is left.
const (
	_ = uint(ShownWithin - blindAt - grace - patience)
	_ = uint(blindAt - lookEvery - lookGap)
)

// Database is what Versions follows. It must be the very one that the loads of
// a Cache read, or one that is never ahead of it: a replica's rows under the
// primary's version would stay wrong.
type Database interface {
	db.DB
	db.Subscriber
}

// Versions knows how far each merchant is. Each process that serves from a
// Cache or changes stock runs one. It is safe for use by many goroutines.
type Versions struct {
	db     Database
	clock  clock.Clock
	logger *slog.Logger
	wake   chan struct{} // of one place: a look is due

	mu       sync.RWMutex
	lookedAt time.Time         // when the last look that succeeded began; guarded by mu
	courses  map[id.ID]*course // guarded by mu

	supplyMu sync.Mutex
	supplies map[id.ID]bool // whose version is to be raised for what is left; guarded by supplyMu
}

// course is a merchant's latest moves, the newest first.
type course [moves]move

// move is a version and when it was first seen.
type move struct {
	number int64
	seen   time.Time
}

// NewVersions returns a Versions on d that has not looked yet; Run makes it.
func NewVersions(d Database, c clock.Clock, logger *slog.Logger) *Versions {
	return &Versions{
		db: d, clock: c, logger: logger, wake: make(chan struct{}, 1),
		courses: map[id.ID]*course{}, supplies: map[id.ID]bool{},
	}
}

// Run follows the versions until ctx ends: at each message, after each break of
// the connection that brings them, and every quarter of a second in any case.
// It also raises the versions that SupplyTx left to it, beside the looks, which
// must not wait for a writer that is busy.
func (v *Versions) Run(ctx context.Context) {
	defer v.db.Subscribe(topicMoved, func(string) { v.stir() })()
	defer v.db.Subscribe(topicSupplies, v.noteSupply)()
	var raising sync.WaitGroup
	defer raising.Wait()
	raising.Go(func() { v.repeat(ctx, "raising the versions", nil, v.ripple) })
	v.repeat(ctx, "looking at the versions", v.wake, v.Look)
}

// repeat does one thing at each wake and every lookEvery until ctx ends, and
// logs when it begins to fail and when it works again.
func (v *Versions) repeat(ctx context.Context, what string, wake <-chan struct{}, do func(context.Context) error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for failing := false; ; {
		err := limited(ctx, do)
		if ctx.Err() != nil {
			return
		}
		if failing != (err != nil) {
			failing = err != nil
			v.logger.Warn("cache: "+what, slog.Bool("fails", failing), slog.Any("error", err))
		}
		select {
		case <-wake:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(lookGap):
		case <-ctx.Done():
			return
		}
	}
}

func limited(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	return do(ctx)
}

// stir makes Run look soon.
func (v *Versions) stir() {
	select {
	case v.wake <- struct{}{}:
	default: // it will
	}
}

func (v *Versions) noteSupply(merchant string) {
	who, err := id.Parse(merchant)
	if err != nil {
		return // messages were lost, and whatever they were about shows when entries grow old
	}
	v.supplyMu.Lock()
	defer v.supplyMu.Unlock()
	v.supplies[who] = true
}

// ripple raises the versions of merchants whose supply changed, except those
// raised a moment ago: their turn comes.
func (v *Versions) ripple(ctx context.Context) error {
	due := v.takeSupplies()
	if len(due) == 0 {
		return nil
	}
	var early []id.ID
	err := v.db.Update(ctx, func(tx *db.Tx) error {
		early = early[:0]
		for _, who := range due {
			raised, err := rippleTx(tx, who)
			if err != nil {
				return err
			}
			if !raised {
				early = append(early, who)
			}
		}
		return nil
	})
	if err != nil {
		early = due
	}
	v.supplyMu.Lock()
	defer v.supplyMu.Unlock()
	for _, who := range early {
		v.supplies[who] = true
	}
	return err
}

func (v *Versions) takeSupplies() []id.ID {
	v.supplyMu.Lock()
	defer v.supplyMu.Unlock()
	var due []id.ID
	for who := range v.supplies {
		if len(due) == ripples {
			break
		}
		due = append(due, who)
		delete(v.supplies, who)
	}
	return due
}

// Look reads all versions once.
func (v *Versions) Look(ctx context.Context) error {
	began := v.clock.Now()
	var all []version
	err := v.db.View(ctx, func(tx *db.Tx) (err error) {
		all, err = allVersionsTx(tx)
		return err
	})
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	seen := v.clock.Now()
	if blind := v.lookedAt.Add(blindAt); !v.lookedAt.IsZero() && blind.Before(seen) {
		seen = blind // from then on nobody knew
	}
	v.lookedAt = began
	for _, now := range all {
		c := v.courses[now.merchant]
		if c == nil {
			c = &course{}
			v.courses[now.merchant] = c
		}
		if c[0].number != now.number {
			copy(c[1:], c[:moves-1])
			c[0] = move{now.number, seen}
		}
	}
	return nil
}

// of gives the version that a load which begins now will be at least as new
// as.
func (v *Versions) of(merchant id.ID) int64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if c := v.courses[merchant]; c != nil {
		return c[0].number
	}
	return 0
}

// staleSince tells since when what was loaded at a time, under a version, may
// have been wrong.
func (v *Versions) staleSince(merchant id.ID, number int64, loadedAt, now time.Time) (since time.Time, stale bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if c := v.courses[merchant]; c != nil && c[0].number != number {
		return c.leftAt(number), true
	}
	known := v.lookedAt // so far nothing had changed
	if loadedAt.After(known) {
		known = loadedAt
	}
	if blind := known.Add(blindAt); now.After(blind) {
		return blind, true
	}
	return time.Time{}, false
}

// leftAt is when a version was first seen to be over, the zero time if that is
// forgotten.
func (c *course) leftAt(number int64) time.Time {
	for i := 1; i < moves; i++ {
		if c[i].number == number {
			return c[i-1].seen
		}
	}
	return time.Time{}
}
