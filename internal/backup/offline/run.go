package offline

import (
	"context"
	"io"
	"slices"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/seal"
	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/fault"
)

// Disk is what a set is written to (dirdest.Dest). What is read from it must come
// from the disk, and not from memory.
type Disk interface {
	backup.Destination
	// Fill stores a new object that fill writes, as Put does.
	Fill(ctx context.Context, name string, fill func(io.Writer) error) error
	Free() (int64, error) // bytes
}

// Writer writes one set to one disk, which it has locked.
type Writer struct {
	Disk   Disk
	Marker Marker
	Source Source
	Keys   *seal.Keys
	Keep   Keep
	// Expect is the newest manifest that this shop knows of the disk, nil if it
	// knows none.
	Expect   *manifest.Head
	Clock    clock.Clock
	Progress restore.Progress
}

// Result is what a run left on the disk.
type Result struct {
	Set     manifest.Set
	Sets    []manifest.Set // all of the disk, the oldest first
	Objects int            // that were read back
	Bytes   int64          // that they have
	Copied  int64          // bytes that were written
	Head    manifest.Head
	// Damaged are objects of older sets that are not what they were. The new set is
	// sound; the disk is not.
	Damaged []manifest.Finding
	// ClockBehind says that nothing was given up: a set is newer than the clock.
	ClockBehind bool
	// Live are the names of all objects that count.
	Live map[string]manifest.Entry
}

// Run writes the set. Whatever ends it early, what counted before counts after,
// and the next run goes on. Codes: offline_full (not enough room, nothing was
// written), backup_full, backup_unavailable, backup_refused,
// backup_destination_altered (the disk's manifests are not what was written),
// offline_corrupting (it does not give back what it was given), and those of the
// source.
func (w *Writer) Run(ctx context.Context) (Result, error) {
	log, err := w.read(ctx)
	if err != nil {
		return Result{}, err
	}
	j := &job{Writer: w, log: log, next: map[string]manifest.Entry{}}
	if err := j.copy(ctx); err != nil {
		return Result{}, err
	}
	j.decide()
	if err := j.readBack(ctx); err != nil {
		return Result{}, err
	}
	fault.Point("offline.disk.read-back")
	if err := j.declare(ctx); err != nil {
		return Result{}, err
	}
	fault.Point("offline.set.declared")
	if err := j.giveUp(ctx); err != nil {
		return Result{}, err
	}
	return j.result, j.lastLook(ctx)
}

// read reads the disk's manifests and compares them with what is known.
func (w *Writer) read(ctx context.Context) (manifest.Log, error) {
	log, err := manifest.Read(ctx, w.Disk, w.Keys.Signer())
	if err != nil {
		return log, err
	}
	for _, m := range log.Links {
		if m.Label != chainLabel(w.Marker) {
			log.Findings = append(log.Findings, manifest.Finding{Kind: manifest.WrongPlace, Name: m.Name(), Detail: "written for " + m.Label})
		}
	}
	if w.Expect != nil && !slices.ContainsFunc(log.Heads, func(h manifest.Head) bool {
		return h.Chain == w.Expect.Chain && (h.Number > w.Expect.Number || h == *w.Expect)
	}) {
		log.Findings = append(log.Findings, manifest.Finding{Kind: manifest.SetBack, Name: w.Expect.Name(), Detail: "a manifest that was written is not there"})
	}
	return log, manifest.Report{Log: log}.Err()
}

// chainLabel is what manifests of a disk are labelled with: its own number, so
// that no other disk's manifests pass for its.
func chainLabel(m Marker) string { return "offline-" + m.Disk }

// Options are those of manifest.Verify for a disk.
func Options(m Marker, expect *manifest.Head) manifest.Options {
	o := manifest.Options{Label: chainLabel(m), Workers: 1} // one head, one reader
	if expect != nil {
		o.Expect = []manifest.Head{*expect}
	}
	return o
}

// job is one run on its way.
type job struct {
	*Writer
	log    manifest.Log
	set    manifest.Set
	wanted []backup.Object
	fresh  map[string]bool // of the new set: what does not come back right is written again
	next   map[string]manifest.Entry
	gone   []string // objects that no kept set needs
	kept   []manifest.Set
	result Result
}

// known gives what is on the disk under a name: by the manifests, or, left by a
// run that was interrupted, by its own signature. What is neither is taken away.
func (j *job) known(ctx context.Context, name string) (manifest.Entry, bool, error) {
	if e, ok := j.log.Live[name]; ok {
		err := j.sealedForUs(ctx, name)
		if backup.Is(err, "offline_old_sheet") && broken(backup.ReadBack(ctx, j.Disk, name, e.Size, e.SHA256)) || broken(err) {
			err = nil // it is not what was sealed: reading back finds that, and mends it
		}
		return e, true, err
	}
	r, err := j.Disk.Get(ctx, name, 0, -1)
	if backup.Is(err, "backup_object_missing") {
		return manifest.Entry{}, false, nil
	}
	if err != nil {
		return manifest.Entry{}, false, err
	}
	sealed, err := j.Keys.Reader().Check(r, name)
	_ = r.Close() // it was only read
	if backup.Is(err, "backup_object_damaged") {
		return manifest.Entry{}, false, j.Disk.Delete(ctx, name)
	}
	if err != nil {
		return manifest.Entry{}, false, asUnavailable(err)
	}
	if err := j.sealedForUs(ctx, name); backup.Is(err, "offline_old_sheet") {
		return manifest.Entry{}, false, j.Disk.Delete(ctx, name) // no set counts on it
	} else if err != nil {
		return manifest.Entry{}, false, err
	}
	return manifest.Entry{Name: name, Size: sealed.Size, SHA256: sealed.SHA256}, true, nil
}

// sealedForUs fails with code offline_old_sheet for an object that was sealed
// before the recovery sheet was replaced: a new set must not need the old sheet,
// and an older one needs the object as it is. A strict shop cannot tell.
func (j *job) sealedForUs(ctx context.Context, name string) error {
	if j.Keys.Strict() {
		return nil
	}
	r, err := j.Disk.Get(ctx, name, 0, -1)
	if err != nil {
		return err
	}
	err = j.Keys.Reader().Opens(r, name)
	_ = r.Close() // it was only read
	if backup.Is(err, "backup_unseal_failed") {
		return errs.Wrap(err, errs.Conflict, "offline_old_sheet",
			"this disk has the newest whole copy as it was sealed before the recovery sheet was replaced; try again after the next whole copy, within a day")
	}
	return err
}

func asUnavailable(err error) error {
	if errs.CodeOf(err) == "internal" {
		return backup.Unavailable(err)
	}
	return err
}
