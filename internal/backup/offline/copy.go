package offline

import (
	"context"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/seal"
	"panshi/internal/errs"
	"panshi/internal/fault"
)

// plans is how often a source may change under a run: its files are merged and
// expire while a slow disk takes them.
const plans = 5

// spare is what is left free on a disk, in bytes: for manifests and directories.
const spare = 4 << 20

// copy brings everything of the newest recovery point that the disk lacks.
func (j *job) copy(ctx context.Context) error {
	var err error
	for range plans {
		if err = j.plan(ctx); err != nil {
			return err
		}
		if err = j.bringAll(ctx); !backup.Is(err, "backup_object_missing") {
			return err
		}
	}
	return err
}

// plan asks the source, takes away what earlier runs left and nobody needs, and
// sees that the rest has room.
func (j *job) plan(ctx context.Context) error {
	var err error
	if j.set, j.wanted, err = j.Source.Plan(ctx); err != nil {
		return err
	}
	j.fresh = map[string]bool{}
	for _, o := range j.wanted {
		j.fresh[o.Name] = true
	}
	maps.DeleteFunc(j.next, func(name string, _ manifest.Entry) bool { return !j.fresh[name] }) // of a plan before
	if err := j.sweep(ctx); err != nil {
		return err
	}
	need := int64(spare)
	for _, o := range j.wanted {
		if _, copied := j.next[o.Name]; copied {
			continue
		}
		e, have, err := j.known(ctx, o.Name)
		if err != nil {
			return err
		}
		if have {
			j.next[o.Name] = e
		} else {
			need += o.Size
		}
	}
	return j.room(need)
}

func (j *job) room(need int64) error {
	free, err := j.Disk.Free()
	if err != nil {
		return err
	}
	if free < need {
		return errs.New(errs.Unavailable, "offline_full", "this disk has not enough room; nothing was copied").
			With("need", strconv.FormatInt(need, 10)).With("free", strconv.FormatInt(free, 10))
	}
	return nil
}

// sweep deletes objects of ours that no manifest lists and that the new set does
// without.
func (j *job) sweep(ctx context.Context) error {
	var left []string
	err := j.Disk.List(ctx, "", func(o backup.Object) error {
		_, live := j.log.Live[o.Name]
		if !live && !j.fresh[o.Name] && ours(o.Name) {
			left = append(left, o.Name)
		}
		return nil
	})
	for _, name := range left {
		if err == nil {
			err = j.Disk.Delete(ctx, name)
		}
	}
	return err
}

// ours tells whether a run may have written an object of that name.
func ours(name string) bool {
	if _, ok := backup.ParseSegment(name); ok {
		return true
	}
	_, timed := backup.TimeOf(name)
	return strings.HasPrefix(name, "box/") && timed
}

// bringAll writes what is missing, and tells how many bytes of all are done.
func (j *job) bringAll(ctx context.Context) error {
	total, done := int64(0), int64(0)
	for _, o := range j.wanted {
		if _, have := j.next[o.Name]; !have {
			total += o.Size
		}
	}
	for _, o := range j.wanted {
		if _, have := j.next[o.Name]; have {
			continue
		}
		if err := j.bring(ctx, o.Name, func(n int64) { j.Progress("copy", min(done+n, total), total) }); err != nil {
			return err
		}
		done += o.Size
	}
	return nil
}

// bring writes one object.
func (j *job) bring(ctx context.Context, name string, tell func(int64)) error {
	var sealed seal.Sealed
	err := j.Disk.Fill(ctx, name, func(w io.Writer) (err error) {
		sealed, err = j.Source.Write(ctx, name, &told{w: w, tell: tell})
		return err
	})
	if err != nil {
		return err
	}
	fault.Point("offline.object.copied")
	j.next[name] = manifest.Entry{Name: name, Size: sealed.Size, SHA256: sealed.SHA256}
	j.result.Copied += sealed.Size
	return nil
}

// told counts what passes.
type told struct {
	w    io.Writer
	n    int64
	tell func(int64)
}

func (t *told) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	t.n += int64(n)
	t.tell(t.n)
	return n, err
}

// decide chooses the sets that the disk has from now on, and what goes with the
// others.
func (j *job) decide() {
	now := j.Clock.Now()
	j.set.Taken = now.UnixMilli()
	for _, s := range j.log.Sets { // a clock that is a little behind makes no set older than the one before
		if s.Taken >= j.set.Taken && s.Taken <= now.Add(clockSlack).UnixMilli() {
			j.set.Taken = s.Taken + 1
		}
	}
	var behind bool
	j.kept, behind = j.Keep.choose(append(slices.Clone(j.log.Sets), j.set), now)
	j.result.Set, j.result.Sets, j.result.ClockBehind = j.set, j.kept, behind
	for name, e := range j.log.Live {
		if slices.ContainsFunc(j.kept, func(s manifest.Set) bool { return s.Has(name) }) {
			if _, known := j.next[name]; !known {
				j.next[name] = e
			}
		} else {
			j.gone = append(j.gone, name)
		}
	}
}
