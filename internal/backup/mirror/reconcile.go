package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/errs"
)

// reconcile compares the journal with the destination once after a start, before
// the journal counts. A machine without a journal takes over what the manifests
// of its shop say.
func (c *copier) reconcile(ctx context.Context) error {
	if c.journal.events == 0 {
		if err := c.adopt(ctx); err != nil {
			return err
		}
	}
	return c.confirm(ctx)
}

// adopt takes over the chains that this shop's key signed. A credential that may
// not read leaves them to themselves.
func (c *copier) adopt(ctx context.Context) error {
	log, err := manifest.Read(ctx, c.Dest, c.m.cfg.Keys.Signer())
	if backup.Is(err, "backup_refused") {
		return nil
	}
	if err != nil {
		return err
	}
	if len(log.Heads) == 0 && len(log.Findings) > 0 {
		return foreign(log.Findings[0].Name)
	}
	if err := c.unlisted(ctx, log.Live); err != nil {
		return err
	}
	var events []event
	for _, name := range slices.Sorted(maps.Keys(log.Live)) {
		e := log.Live[name]
		events = append(events, event{Add: &e})
	}
	for i := range log.Heads {
		events = append(events, event{Adopt: &log.Heads[i]})
	}
	if reach, found := backup.Furthest(backup.Segments(slices.Collect(maps.Keys(log.Live)))); found {
		from := start{Generation: reach.Full.Generation, After: reach.Full.Max}
		events = append(events, event{From: &from})
		c.m.mu.Lock()
		c.from = from
		c.m.mu.Unlock()
	}
	if len(log.Findings) > 0 {
		c.m.alarms.event(c.Label, AlarmVanished, fmt.Sprintf("%d findings in its manifests, the first: %v", len(log.Findings), log.Findings[0]))
	}
	if len(events) == 0 {
		return nil
	}
	return c.note(events...)
}

// foreign is why nothing is written to a place that is new to this machine: all
// manifests there are somebody else's, and so may be what looks like rubbish.
func foreign(name string) error {
	return errs.New(errs.Integrity, "backup_place_foreign", "this destination holds another shop's copies; nothing is written there").With("name", name)
}

// unlisted adds the segments that no manifest lists and that this shop made: the
// last seconds before the other machine stopped.
func (c *copier) unlisted(ctx context.Context, live map[string]manifest.Entry) error {
	seen, err := c.listed(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		_, log := backup.ParseSegment(name)
		if _, known := live[name]; known || !log {
			continue
		}
		r, err := c.Dest.Get(ctx, name, 0, -1)
		if backup.Is(err, "backup_object_missing") {
			continue
		}
		if err != nil {
			return err
		}
		sealed, err := c.m.cfg.Keys.Reader().Check(r, name)
		switch err := errors.Join(err, r.Close()); {
		case err == nil:
			live[name] = manifest.Entry{Name: name, Size: sealed.Size, SHA256: sealed.SHA256}
		case !backup.Is(err, "backup_object_damaged"):
			return err
		}
	}
	return nil
}

// confirm looks for every claim in a listing. One that the listing does not show,
// or shows with another size, is read before it is given up, because listings
// lag.
func (c *copier) confirm(ctx context.Context) error {
	seen, err := c.listed(ctx)
	if backup.Is(err, "backup_refused") {
		return nil
	}
	if err != nil {
		return err
	}
	var lost []string
	for _, name := range slices.Sorted(maps.Keys(c.state.live)) {
		e := c.state.live[name]
		if size, listed := seen[name]; listed && size == e.Size {
			continue
		}
		switch err := backup.ReadBack(ctx, c.Dest, name, e.Size, e.SHA256); {
		case backup.Is(err, "backup_object_missing"), backup.Is(err, "backup_object_damaged"):
			lost = append(lost, name)
		case err != nil && !backup.Is(err, "backup_refused"):
			return err
		}
	}
	c.countSurplus(seen)
	c.m.alarms.set(c.Label, AlarmVanished, len(lost) > 0, fmt.Sprintf("%d objects, the first: %v", len(lost), slices.Concat(lost, []string{"none"})[0]))
	return c.lose(lost)
}

func (c *copier) listed(ctx context.Context) (map[string]int64, error) {
	seen := map[string]int64{}
	err := c.Dest.List(ctx, "", func(o backup.Object) error {
		seen[o.Name] = o.Size
		return nil
	})
	return seen, err
}

// lose takes claims back. What the source still has is brought again.
func (c *copier) lose(names []string) error {
	if len(names) == 0 {
		return nil
	}
	var events []event
	for _, name := range names {
		events = append(events, event{Lost: name})
	}
	if err := c.note(events...); err != nil {
		return err
	}
	defer nudge(c.m.wake)
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.gapAfter = c.m.looks + 2 // the one that runs now may have passed them already
	for _, name := range names {
		delete(c.m.released, backup.Logical(name)) // a source that still shows it gives it once more
		if it := c.m.items[backup.Logical(name)]; it != nil {
			delete(it.done, c.Label)
		}
	}
	return nil
}

// countSurplus counts segments that are there and that neither the journal nor a
// pending deletion explains: a destination that says "deleted" and does not, or
// somebody else. They are never touched. A listing may lag, so they count when
// they show twice.
func (c *copier) countSurplus(seen map[string]int64) {
	if c.m.Looks() == 0 {
		return // nobody knows yet what is being brought
	}
	before := c.surplus
	c.surplus = 0
	for name := range seen {
		_, log := backup.ParseSegment(name)
		_, live := c.state.live[name]
		_, again := c.state.live[backup.Logical(name)]
		if log && !live && !c.state.left[name] && !again && !c.spared(name) {
			c.surplus++
		}
	}
	c.m.alarms.set(c.Label, AlarmSurplus, before > 0 && c.surplus > 0, fmt.Sprintf("%d objects that should be gone", c.surplus))
}

// spared tells whether a name is a damaged first try whose spare copy counts, or
// one that is being brought now.
func (c *copier) spared(name string) bool {
	if c.state.has(backup.Logical(name)) {
		return true
	}
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	it := c.m.items[backup.Logical(name)]
	return it != nil && !it.done[c.Label] || c.m.staging[backup.Logical(name)]
}
