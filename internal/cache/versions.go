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

const (
	lookEvery = 500 * time.Millisecond // between looks without a message
	lookGap   = 20 * time.Millisecond  // between looks with messages
	lookLimit = 2 * time.Second        // of one look
	blindAt   = 2 * time.Second        // without a look that succeeded, nothing counts as fresh
	ripples   = 200                    // merchants raised in one transaction
	moves     = 8                      // of a merchant that are remembered
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
// the connection that brings them, and every half second in any case. It also
// raises the versions that SupplyTx left to it.
func (v *Versions) Run(ctx context.Context) {
	defer v.db.Subscribe(topicMoved, func(string) { v.stir() })()
	defer v.db.Subscribe(topicSupplies, v.noteSupply)()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	gap := time.NewTimer(0)
	defer gap.Stop()
	for failing := false; ; {
		err := v.turn(ctx)
		if ctx.Err() != nil {
			return
		}
		if failing != (err != nil) {
			failing = err != nil
			v.logger.Warn("cache: looking at the versions", slog.Bool("fails", failing), slog.Any("error", err))
		}
		select {
		case <-v.wake:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		gap.Reset(lookGap)
		select {
		case <-gap.C:
		case <-ctx.Done():
			return
		}
	}
}

// turn raises what waits to be raised, and looks.
func (v *Versions) turn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	if err := v.ripple(ctx); err != nil {
		return err
	}
	return v.Look(ctx)
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
	v.lookedAt = began
	for _, seen := range all {
		c := v.courses[seen.merchant]
		if c == nil {
			c = &course{}
			v.courses[seen.merchant] = c
		}
		if c[0].number != seen.number {
			copy(c[1:], c[:moves-1])
			c[0] = move{seen.number, v.clock.Now()}
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
	if blind := v.lookedAt.Add(blindAt); now.After(blind) {
		if loadedAt.After(blind) {
			return loadedAt, true
		}
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
