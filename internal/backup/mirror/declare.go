package mirror

import (
	"context"
	"maps"
	"slices"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/errs"
)

// baseEvery is how many manifests one may have to read after the newest base. A
// base of a busy day has megabytes, so they are hours apart.
const baseEvery = 1000

func splitBrain(name string) error {
	return errs.New(errs.Integrity, "backup_split_brain", "another machine writes to this destination under this shop's key").With("name", name)
}

// declare writes the next manifest if something changed and it is time, or if
// one was decided before and may not be there.
func (c *copier) declare(ctx context.Context) error {
	now := c.m.cfg.Clock.Now()
	if c.state.pending == nil {
		if len(c.state.added)+len(c.state.removed) == 0 && !c.attestDue(now) || now.Before(c.nextList) && !c.m.finishing.Load() {
			return nil
		}
		if err := c.decide(ctx); err != nil {
			return err
		}
	}
	m := *c.state.pending
	content, err := manifest.Encode(m, c.m.cfg.Keys)
	if err != nil {
		return err
	}
	if err := c.storeManifest(ctx, m.Name(), content); err != nil {
		return err
	}
	head := manifest.HeadOf(m, content)
	if err := c.note(event{Declared: &head}); err != nil {
		return err
	}
	c.nextList = now.Add(c.m.cfg.ManifestEvery)
	if m.Complete > 0 {
		c.attested = time.UnixMilli(m.Complete).UTC()
	}
	if !m.Base {
		return nil
	}
	c.dropOldManifests(ctx)
	return c.shorten()
}

// storeManifest stores the very bytes that were decided; whoever stands in their
// place with a sound signature has our key and our number.
func (c *copier) storeManifest(ctx context.Context, name string, content []byte) error {
	var err error
	for spare := range tries {
		numbered := backup.Numbered(name, spare)
		if err = c.storeBytes(ctx, numbered, content); !backup.Is(err, "backup_object_damaged") {
			return err
		}
		if c.signedByUs(ctx, numbered) {
			err = splitBrain(numbered)
			c.m.alarms.set(c.Label, AlarmSplitBrain, true, err)
			return err
		}
		c.m.alarms.set(c.Label, AlarmLie, true, err)
		_ = c.Dest.Delete(ctx, numbered) // the next round finds its place free; now a spare copy says the same
	}
	return err
}

// signedByUs tells whether a sound manifest of ours stands under a name.
func (c *copier) signedByUs(ctx context.Context, name string) bool {
	content, err := backup.ReadAll(ctx, c.Dest, name, 32<<20)
	if err != nil {
		return false
	}
	_, err = manifest.Decode(name, content, c.m.cfg.Keys.Signer())
	return err == nil
}

func (c *copier) storeBytes(ctx context.Context, name string, content []byte) error {
	body := backup.Bytes(content)
	err := c.Dest.Put(ctx, name, body)
	if err != nil && !backup.Is(err, "backup_object_exists") {
		return err
	}
	seen := backup.ReadBack(ctx, c.Dest, name, body.Size, body.SHA256)
	switch {
	case seen == nil, backup.Is(seen, "backup_refused") && err == nil:
		return nil
	case backup.Is(seen, "backup_refused"), backup.Is(seen, "backup_object_missing"):
		return backup.Damaged(name, seen)
	}
	return seen
}

// decide makes the next manifest and writes it down before anything of it
// leaves, so that after a crash the same one is stored and no other.
func (c *copier) decide(ctx context.Context) error {
	s := c.state
	m := manifest.Manifest{
		Chain: s.head.Chain, Number: s.head.Number + 1, Label: c.Label, Previous: s.head.SHA256,
		Time: c.m.cfg.Clock.Now().UnixMilli(), Epoch: c.m.cfg.Epoch, Complete: millis(c.complete()),
	}
	if m.Chain == "" {
		m.Chain = manifest.NewChain()
	}
	m.Base = len(s.bases) == 0 || s.deltas >= baseEvery
	if m.Base {
		c.decideBase(&m)
	} else {
		for _, name := range slices.Sorted(maps.Keys(s.added)) {
			m.Added = append(m.Added, s.live[name])
		}
		m.Removed = slices.Sorted(maps.Keys(s.removed))
	}
	c.tellSums(ctx, &m)
	return c.note(event{Pending: &m})
}

func (c *copier) decideBase(m *manifest.Manifest) {
	s := c.state
	for _, name := range slices.Sorted(maps.Keys(s.live)) {
		m.Added = append(m.Added, s.live[name])
	}
	m.Removed, m.Adopts, m.Oldest = slices.Sorted(maps.Keys(s.removed)), s.adopts, m.Number
	if len(s.bases) > 0 {
		m.Oldest = s.bases[len(s.bases)-1]
	}
}

// tellSums puts what was counted last into a manifest: into every base, and
// once into another.
func (c *copier) tellSums(ctx context.Context, m *manifest.Manifest) {
	sums, err := c.m.cfg.Sums(ctx)
	if backup.Is(err, "backup_not_counted") || err == nil && !m.Base && !sums.At().After(c.counted) {
		return
	}
	if err == nil {
		m.Sums, err = manifest.SealSums(ctx, c.m.cfg.Keys, manifest.Head{Chain: m.Chain, Number: m.Number}, sums)
	}
	if err != nil {
		c.m.cfg.Log.Error("backup: a manifest goes without sums", "destination", c.Label, "error", err)
		return
	}
	c.counted = sums.At()
}

// dropOldManifests deletes the manifests before the oldest that the newest base
// keeps, and chains that it took over. What cannot be deleted stays and says
// nothing any more.
func (c *copier) dropOldManifests(ctx context.Context) {
	ends := []manifest.Head{{Chain: c.state.head.Chain, Number: c.state.bases[0]}}
	for _, h := range c.state.adopts {
		ends = append(ends, manifest.Head{Chain: h.Chain, Number: h.Number + 1})
	}
	for _, end := range ends {
		if err := c.dropBefore(ctx, end); err != nil {
			c.m.cfg.Log.Warn("backup: old manifests stay", "destination", c.Label, "error", err)
			return
		}
	}
}

// dropBefore deletes the manifests of a chain before one, the oldest first, so
// that no hole stays when a delete fails.
func (c *copier) dropBefore(ctx context.Context, end manifest.Head) error {
	var old []string
	err := c.Dest.List(ctx, manifest.Prefix+end.Chain+"/", func(o backup.Object) error {
		if backup.Logical(o.Name) < end.Name() {
			old = append(old, o.Name)
		}
		return nil
	})
	slices.Sort(old)
	for _, name := range old {
		if err == nil {
			err = c.Dest.Delete(ctx, name)
		}
	}
	return err
}

// shorten rewrites the journal when most of it is history.
func (c *copier) shorten() error {
	if c.journal.events < 4*len(c.state.live)+1000 {
		return nil
	}
	if err := c.journal.rewrite(c.state.events()); err != nil {
		return stateUnusable(err)
	}
	return nil
}
