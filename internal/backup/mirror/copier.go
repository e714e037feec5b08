package mirror

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
)

// copier brings one destination up to date. Its goroutine alone uses journal and
// state; status is what it shows to others.
type copier struct {
	Target
	m       *Mirror
	journal *journal
	state   *state
	wake    chan struct{}

	from      start // guarded by m.mu: what the destination has to have
	fromMoved bool  // guarded by m.mu: from is not in the journal yet
	// settled are the logical names that the destination has or gave up; guarded
	// by m.mu.
	settled map[string]bool
	// gapAfter is how often the source has to be seen before a gap counts: it may
	// still show what was lost. Guarded by m.mu.
	gapAfter int

	expiring sync.Mutex // held while retention decides and deletes

	ready      bool          // the journal was compared with the destination
	wait       time.Duration // after a failure, doubles
	nextExpire time.Time
	counted    time.Time // when the sums were counted that a manifest told last
	nextList   time.Time // when the next manifest is due
	attested   time.Time // up to when the last manifest said that everything is there
	// beside is the large object that is under way, nil if none is; besideErr is
	// why the last one failed.
	beside     *item
	besideErr  error
	besideWait time.Duration // after a failure, doubles
	besideNext time.Time     // no large object begins before
	landed     chan landing

	spares sync.Mutex
	spare  map[string]int // number of the next spare copy, by logical name; guarded by spares
	// told says that the credential may not read, so a Put is believed.
	told atomic.Bool
	// keeps says that the credential may not delete.
	keeps bool
	// surplus is how many segments a listing showed that nobody claims; alarmed
	// when it shows them twice.
	surplus int

	mu     sync.Mutex
	status Status // guarded by mu
}

func newCopier(m *Mirror, t Target) (*copier, error) {
	c := &copier{Target: t, m: m, state: newState(), wake: make(chan struct{}, 1), landed: make(chan landing, 1), spare: map[string]int{}}
	c.status = Status{Label: t.Label, Region: t.Region}
	var damaged bool
	var err error
	c.journal, damaged, err = openJournal(filepath.Join(m.cfg.Dir, t.Label+".journal"), c.state.apply)
	if err != nil {
		return nil, err
	}
	if damaged {
		m.alarms.event(t.Label, AlarmVanished, "the journal was damaged; what the destination has is read from its manifests")
	}
	c.from, c.settled = c.state.from, map[string]bool{}
	for name := range c.state.live {
		c.settled[backup.Logical(name)] = true
	}
	for name := range c.state.left {
		c.settled[backup.Logical(name)] = true
	}
	return c, nil
}

// note writes events to the journal, durably, and takes them into the state.
func (c *copier) note(events ...event) error {
	if err := c.journal.append(events...); err != nil {
		return stateUnusable(err)
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	for _, e := range events {
		c.state.apply(e)
		if e.Add != nil {
			c.settled[backup.Logical(e.Add.Name)] = true
		}
		if e.Lost != "" {
			delete(c.settled, backup.Logical(e.Lost))
		}
	}
	return nil
}

const (
	firstWait = time.Second
	mostWait  = time.Minute
)

// run works round after round. A failure makes the next one wait longer.
func (c *copier) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := c.round(ctx)
		if ctx.Err() != nil {
			return
		}
		c.tell(errors.Join(err, c.besideErr))
		switch {
		case err == nil:
			c.wait = 0
			c.m.pause(ctx, c.wake, c.m.cfg.ManifestEvery)
		case hopeless(err):
			c.wait = longer(c.wait)
			_ = backup.Pause(ctx, c.wait)
		default: // what fails does so by itself; what is new need not wait
			c.wait = longer(c.wait)
			c.m.pause(ctx, c.wake, c.wait)
		}
	}
}

// tell shows how a round ended.
func (c *copier) tell(err error) {
	c.show(err)
	c.m.alarms.set(c.Label, AlarmFailing, err != nil, err)
	if err == nil {
		c.m.alarms.set(c.Label, AlarmSplitBrain, false, nil)
	}
}

// longer is the next wait after a failure.
func longer(wait time.Duration) time.Duration { return min(max(firstWait, 2*wait), mostWait) }

// round does all that is due. What fails is tried again in the next one; one
// file that fails does not stop the others.
func (c *copier) round(ctx context.Context) error {
	if !c.ready {
		if err := c.reconcile(ctx); err != nil {
			return err
		}
		c.ready = true
	}
	err := errors.Join(c.noteFrom(), c.land(), c.copyAll(ctx))
	if hopeless(err) {
		return err
	}
	c.checkGap()
	if listErr := c.declare(ctx); listErr != nil {
		return errors.Join(err, listErr)
	}
	return errors.Join(err, c.expire(ctx))
}

// hopeless tells whether nothing else will work in this round.
func hopeless(err error) bool { return backup.Is(err, "backup_unavailable") }

// batch is how many objects share one sync of the journal.
const batch = 64

// copyAll brings what is pending. It goes on after an object that fails for its
// own reasons, and stops when the destination does not answer.
func (c *copier) copyAll(ctx context.Context) error {
	var faults []error
	var done []landing
	for _, it := range c.m.pending(c) {
		if it.bulk() {
			c.send(ctx, it)
			continue
		}
		entry, err := c.bring(ctx, it)
		if err != nil {
			faults = append(faults, err)
			if hopeless(err) || ctx.Err() != nil {
				break
			}
			continue
		}
		if done = append(done, landing{item: it, entry: entry}); len(done) >= batch {
			if err := c.settle(done); err != nil {
				return err
			}
			done = nil
		}
	}
	return errors.Join(append(faults, c.settle(done))...)
}

// landing is an object that arrived, or why it did not.
type landing struct {
	item  *item
	entry manifest.Entry
	err   error
}

// settle writes down what arrived, and only then lets go of it.
func (c *copier) settle(done []landing) error {
	if len(done) == 0 {
		return nil
	}
	var events []event
	for i := range done {
		events = append(events, event{Add: &done[i].entry})
	}
	if err := c.note(events...); err != nil {
		return err
	}
	for _, l := range done {
		c.m.finish(c.Label, l.item)
	}
	nudge(c.m.wake)
	return nil
}

// send brings a large object beside the others, one at a time.
func (c *copier) send(ctx context.Context, it *item) {
	if c.beside != nil || c.m.cfg.Clock.Now().Before(c.besideNext) {
		return
	}
	c.beside = it
	c.m.work.Go(func() {
		entry, err := c.bring(ctx, it)
		c.landed <- landing{it, entry, err}
		nudge(c.wake)
	})
}

// land takes the large object that arrived into the journal. A failure lasts
// until the next one arrives, so that an alarm does not flicker; it makes the
// next large object wait, and nothing else.
func (c *copier) land() error {
	select {
	case l := <-c.landed:
		c.beside, c.besideErr = nil, l.err
		if l.err == nil {
			c.besideWait = 0
			return c.settle([]landing{l})
		}
		c.besideWait = longer(c.besideWait)
		c.besideNext = c.m.cfg.Clock.Now().Add(c.besideWait)
	default:
	}
	return nil
}

// route runs in the goroutine that takes files in, under m.mu: items that this
// destination does without are done, and a full that it waited for begins
// a new start.
func (c *copier) route(items map[string]*item) {
	if c.from.Waiting {
		full, found := newestFullOf(items, c.Label)
		if !found {
			return
		}
		c.from, c.fromMoved = start{Generation: full.Generation, After: full.Max}, true
	}
	for _, it := range items {
		s := it.segment
		if it.log && s.Generation == c.from.Generation && (s.Max <= c.from.After && !s.Full() || s.Max < c.from.After) {
			it.done[c.Label] = true
		}
	}
}

func newestFullOf(items map[string]*item, label string) (full backup.Segment, found bool) {
	for _, it := range items {
		s := it.segment
		if it.log && s.Full() && !it.done[label] && (!found || s.Time.After(full.Time)) {
			full, found = s, true
		}
	}
	return full, found
}

// letGo has the destination do without what waits for it now. It runs in the
// goroutine that takes files in, whatever the copier hangs in.
func (c *copier) letGo() {
	c.m.mu.Lock()
	freed := false
	for _, it := range c.m.items {
		if it.log && !it.done[c.Label] {
			it.done[c.Label], freed = true, true
		}
	}
	for _, it := range c.m.items {
		if !freed { // what waits is no log: then that has to go
			it.done[c.Label] = true
		}
	}
	c.m.mu.Unlock()
	c.needFull("let go, because the files that wait for it are over the bound")
}

// needFull makes the destination wait for a full.
func (c *copier) needFull(why string) {
	c.m.mu.Lock()
	c.from, c.fromMoved = start{Waiting: true}, true
	c.m.mu.Unlock()
	c.m.alarms.set(c.Label, AlarmNeedsFull, true, why)
	c.m.cfg.WantFull(c.Label)
}

// noteFrom takes a start that was decided elsewhere into the journal.
func (c *copier) noteFrom() error {
	c.m.mu.Lock()
	from, moved := c.from, c.fromMoved
	c.fromMoved = false
	c.m.mu.Unlock()
	if !moved {
		return nil
	}
	return c.note(event{From: &from})
}

// checkGap finds out that transactions are missing which no file will bring any
// more, and that a full has arrived.
func (c *copier) checkGap() {
	reach, found := c.state.furthest()
	c.m.mu.Lock()
	waiting := c.from.Waiting
	coming := c.m.looks < c.gapAfter
	for _, it := range c.m.items {
		fills := it.segment.Full() || found && it.segment.Min <= reach.Gap
		coming = coming || it.log && !it.done[c.Label] && fills
	}
	c.m.mu.Unlock()
	switch {
	case waiting: // watch raises the alarm if it lasts
	case (!found || reach.Gap > 0) && !coming:
		c.needFull("transactions are missing at the destination, and no file will bring them")
	case reach.Gap == 0:
		c.m.alarms.set(c.Label, AlarmNeedsFull, false, nil)
	}
}
