package guard

import (
	"context"
	"sync/atomic"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/web"
)

// patience is how long a read waits for its turn before it is refused. Callers
// that come again at once are slowed down by it.
const patience = time.Second

// errCrowded refuses a read, and nothing was done.
var errCrowded = errs.New(errs.Unavailable, "overloaded", "too many are looking at once")

// Lane is the budget of one kind of reads.
type Lane struct {
	AtOnce  int // Views that run; each has a reader connection and a processor
	Waiting int // Views that may wait for them; more are refused at once
}

// Bulkhead is the database as those see it who look and choose. However many
// come, they have AtOnce of the reader connections and of the processors, and
// the rest is left to orders, payments and delivery, which read beside it. It
// decorates a db.DB: Views wait for their turn, up to patience, or get the
// error overloaded (503, with Retry-After). Updates pass.
//
// There are two lanes, so that what strangers choose (searches and further
// pages, the Views under db.WithStale) does not keep out what is the same for
// all and is loaded once for all.
type Bulkhead struct {
	db.DB
	shelf, search *lane
}

// NewBulkhead returns a Bulkhead before d.
func NewBulkhead(d db.DB, shelf, search Lane) *Bulkhead {
	return &Bulkhead{DB: d, shelf: newLane(shelf), search: newLane(search)}
}

// View implements db.DB.
func (b *Bulkhead) View(ctx context.Context, fn func(tx *db.Tx) error) error {
	l := b.shelf
	if db.IsStale(ctx) {
		l = b.search
	}
	if err := l.enter(ctx); err != nil {
		return err
	}
	defer l.leave()
	return b.DB.View(ctx, fn)
}

// Refused tells how many reads were refused so far, for metrics.
func (b *Bulkhead) Refused() int64 { return b.shelf.refused.Load() + b.search.refused.Load() }

// lane lets some in and some wait.
type lane struct {
	places  chan struct{} // one for each that is inside
	most    int64         // inside and waiting
	here    atomic.Int64  // inside and waiting
	refused atomic.Int64
}

func newLane(l Lane) *lane {
	return &lane{places: make(chan struct{}, l.AtOnce), most: int64(l.AtOnce + l.Waiting)}
}

// enter waits for a place; who got one calls leave.
func (l *lane) enter(ctx context.Context) error {
	if l.here.Add(1) > l.most {
		return l.refuse()
	}
	select {
	case l.places <- struct{}{}:
		return nil
	default:
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case l.places <- struct{}{}:
		return nil
	case <-late.C:
		return l.refuse()
	case <-ctx.Done():
		l.here.Add(-1)
		return ctx.Err()
	}
}

func (l *lane) refuse() error {
	l.here.Add(-1)
	l.refused.Add(1)
	return web.RetryAfter(errCrowded, time.Second)
}

func (l *lane) leave() {
	<-l.places
	l.here.Add(-1)
}
