package offline

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/errs"
	"panshi/internal/fault"
)

// readBack reads every object that will count from the disk itself. One of the
// new set that is not what was written is written once more; a disk that gives
// the second one back wrong is of no use. One of an older set is named.
func (j *job) readBack(ctx context.Context) error {
	total, done := int64(0), int64(0)
	for _, e := range j.next {
		total += e.Size
	}
	for _, name := range slices.Sorted(maps.Keys(j.next)) {
		j.Progress("read back", done, total)
		done += j.next[name].Size
		err := j.sound(ctx, name)
		if broken(err) && j.fresh[name] {
			err = j.again(ctx, name)
		}
		switch {
		case broken(err) && j.fresh[name]:
			return corrupting(name, err)
		case broken(err):
			j.result.Damaged = append(j.result.Damaged, manifest.Finding{Kind: kindOf(err), Name: name})
			continue
		case err != nil:
			return err
		}
		j.result.Objects++
		j.result.Bytes += j.next[name].Size
	}
	j.Progress("read back", total, total)
	return nil
}

func (j *job) sound(ctx context.Context, name string) error {
	e := j.next[name]
	return backup.ReadBack(ctx, j.Disk, name, e.Size, e.SHA256)
}

// again replaces an object. A set of before that has it, too, is healed by that.
func (j *job) again(ctx context.Context, name string) error {
	if err := j.Disk.Delete(ctx, name); err != nil {
		return err
	}
	if err := j.bring(ctx, name, func(int64) {}); err != nil {
		return err
	}
	return j.sound(ctx, name)
}

// broken tells whether the disk answered, and wrongly.
func broken(err error) bool {
	return backup.Is(err, "backup_object_damaged") || backup.Is(err, "backup_object_missing")
}

func kindOf(err error) manifest.Kind {
	if backup.Is(err, "backup_object_missing") {
		return manifest.Missing
	}
	return manifest.Altered
}

func corrupting(name string, err error) error {
	return errs.Wrap(err, errs.Integrity, "offline_corrupting", "this disk does not give back what was written to it; take another one").With("name", name)
}

// declare writes the manifest from which on the new set counts: a base, so that
// nothing of before is needed to read it.
func (j *job) declare(ctx context.Context) error {
	m := manifest.Manifest{
		Number: 1, Label: chainLabel(j.Marker), Time: j.set.Taken, Base: true, Sets: j.kept, Removed: slices.Sorted(slices.Values(j.gone)),
	}
	m.Oldest = m.Number
	if len(j.log.Heads) > 0 {
		head := j.log.Heads[len(j.log.Heads)-1]
		m.Chain, m.Number, m.Previous, m.Oldest = head.Chain, head.Number+1, head.SHA256, head.Number
	} else {
		m.Chain = manifest.NewChain()
	}
	for _, name := range slices.Sorted(maps.Keys(j.next)) {
		m.Added = append(m.Added, j.next[name])
	}
	content, err := manifest.Encode(m, j.Keys)
	if err != nil {
		return err
	}
	body := backup.Bytes(content)
	if err := j.Disk.Put(ctx, m.Name(), body); err != nil {
		return err
	}
	if err := backup.ReadBack(ctx, j.Disk, m.Name(), body.Size, body.SHA256); err != nil {
		if broken(err) {
			// Left there it would be a finding that no later run gets over.
			return errors.Join(corrupting(m.Name(), err), j.Disk.Delete(ctx, m.Name()))
		}
		return err
	}
	j.result.Head = manifest.HeadOf(m, content)
	return nil
}

// giveUp deletes what the manifest does not list any more, and the manifests
// before the last two, the oldest first.
func (j *job) giveUp(ctx context.Context) error {
	for _, name := range j.gone {
		if err := j.Disk.Delete(ctx, name); err != nil {
			return err
		}
		fault.Point("offline.object.given-up")
	}
	var old []string
	err := j.Disk.List(ctx, manifest.Prefix, func(o backup.Object) error {
		h := j.result.Head
		if strings.HasPrefix(o.Name, manifest.Prefix+h.Chain+"/") && o.Name < (manifest.Head{Chain: h.Chain, Number: max(h.Number, 1) - 1}).Name() {
			old = append(old, o.Name)
		}
		return nil
	})
	slices.Sort(old)
	for _, name := range old {
		if err == nil {
			err = j.Disk.Delete(ctx, name)
		}
	}
	return err
}

// lastLook reads the manifests once more, as a restore would: what they say must
// be what was meant.
func (j *job) lastLook(ctx context.Context) error {
	expect := *j.Writer
	expect.Expect = &j.result.Head
	log, err := expect.read(ctx)
	if err != nil {
		return err
	}
	if !maps.Equal(log.Live, j.next) {
		return corrupting(j.result.Head.Name(), errors.New("the manifests do not list what was written"))
	}
	j.result.Live = log.Live
	return nil
}
