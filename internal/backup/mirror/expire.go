package mirror

import (
	"context"
	"maps"
	"slices"
	"time"

	"panshi/internal/backup"
)

// expire runs retention when it is due: nothing while somebody restores, then
// compare, decide, write down, declare, and only then delete. Each step can be
// the last one before a crash.
func (c *copier) expire(ctx context.Context) error {
	now := c.m.cfg.Clock.Now()
	if now.Before(c.nextExpire) {
		return nil
	}
	c.expiring.Lock()
	defer c.expiring.Unlock()
	if wait, err := c.somebodyRestores(ctx, now); wait || err != nil {
		return err
	}
	if err := c.confirm(ctx); err != nil {
		return err
	}
	gone, err := c.Retention.plan(now, c.state.segments())
	c.m.alarms.set(c.Label, AlarmRetention, err != nil, err)
	if err != nil {
		c.nextExpire = now.Add(c.m.cfg.ExpireEvery)
		return nil // the destination did nothing wrong; the alarm tells
	}
	if err := c.giveUp(ctx, gone); err != nil {
		return err
	}
	if err := c.deleteLeft(ctx); err != nil {
		return err
	}
	c.nextExpire = now.Add(c.m.cfg.ExpireEvery)
	return nil
}

func (c *copier) somebodyRestores(ctx context.Context, now time.Time) (bool, error) {
	if c.m.held() {
		return true, nil
	}
	err := backup.Held(ctx, c.Dest, now)
	if backup.Is(err, "backup_held") {
		return true, nil
	}
	if backup.Is(err, "backup_refused") {
		return false, nil // who may not list cannot see a hold; who restores with another credential knows
	}
	return false, err
}

// giveUp takes segments out of journal and manifests.
func (c *copier) giveUp(ctx context.Context, gone []backup.Segment) error {
	drop := map[string]bool{}
	for _, s := range gone {
		drop[s.Name()] = true
	}
	var events []event
	for _, name := range slices.Sorted(maps.Keys(c.state.log)) {
		if drop[backup.Logical(name)] {
			events = append(events, event{Drop: name})
		}
	}
	if len(events) > 0 {
		if err := c.note(events...); err != nil {
			return err
		}
	}
	for len(c.state.removed) > 0 || c.state.pending != nil {
		c.nextList = time.Time{}
		if err := c.declare(ctx); err != nil {
			return err
		}
	}
	return nil
}

// refusals is how many refused deletes in a row say that there is no use in
// asking for the others.
const refusals = 3

// deleteLeft deletes what was given up. What the destination refuses stays noted
// and is tried the next time: a lock ends, a lifecycle rule of the bucket may be
// faster.
func (c *copier) deleteLeft(ctx context.Context) error {
	refused := 0
	var events []event
	var failed error
	for _, name := range slices.Sorted(maps.Keys(c.state.left)) {
		err := c.Dest.Delete(ctx, name)
		switch {
		case err == nil:
			refused = 0
			events = append(events, event{Gone: name})
		case backup.Is(err, "backup_refused"):
			refused++
		default:
			failed = err
		}
		if failed != nil || refused >= refusals {
			break
		}
	}
	c.keeps = refused > 0
	if len(events) > 0 {
		if err := c.note(events...); err != nil {
			return err
		}
	}
	return failed
}
