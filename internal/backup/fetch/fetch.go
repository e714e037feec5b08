// Package fetch reads a destination for a restore: with a recovery sheet, or with
// what the shop keeps to prove its own backups, it gives the files of the spool
// that were copied there, and the bundles.
//
// # What holds
//
//   - Before anything is planned, the signed manifests are read: what they list
//     and what is not there, and whatever else is wrong with them, ends it.
//   - An object is used only after it was read in full and found to be what this
//     shop made under this name.
//   - Objects come into a working directory once, however often they are read.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/bundle"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/spool"
	"panshi/internal/errs"
)

// Fetcher reads one destination. It is not safe for concurrent use.
type Fetcher struct {
	from   backup.Destination
	reader seal.Reader
	dir    string // working directory

	objects map[spool.Name]backup.Object
	boxes   []string
	fenced  []string          // what a former writer left after another one had taken over
	sets    []manifest.Set    // of an offline disk, the oldest first
	here    map[string]string // paths of objects that came, by name
}

var _ restore.Source = (*Fetcher)(nil)

// Open reads manifests and listing of a destination; dir exists and is for
// Fetcher alone. Code backup_destination_altered names the first thing that is
// wrong.
func Open(ctx context.Context, from backup.Destination, reader seal.Reader, dir string) (*Fetcher, error) {
	f := &Fetcher{from: from, reader: reader, dir: dir, objects: map[spool.Name]backup.Object{}, here: map[string]string{}}
	log, err := manifest.Read(ctx, from, reader.Signer)
	if err != nil {
		return nil, err
	}
	listed := map[string]bool{}
	if err := from.List(ctx, "", func(o backup.Object) error {
		listed[o.Name] = true
		f.note(o)
		return nil
	}); err != nil {
		return nil, err
	}
	slices.Sort(f.boxes)
	f.fence(&log)
	if len(log.Heads) == 0 && len(f.objects) > 0 {
		log.Findings = append(log.Findings, manifest.Finding{Kind: manifest.ManifestMissing, Name: manifest.Prefix, Detail: "there is none, and so nothing tells what is missing"})
	}
	f.sets = log.Sets
	for name, e := range log.Live {
		if !listed[name] && !f.there(ctx, name) {
			log.Findings = append(log.Findings, manifest.Finding{Kind: manifest.Missing, Name: name})
		}
		f.prefer(name, e.Size)
	}
	return f, manifest.Report{Log: log}.Err()
}

// fence leaves out what a former writer brought after another one had taken over:
// segments of generations that are older than the epoch and that the new writer
// did not take over with the rest, and the manifests that list them.
func (f *Fetcher) fence(log *manifest.Log) {
	for name, o := range f.objects {
		file, _ := spool.Parse(name)
		if _, live := log.Live[o.Name]; !live && file.Generation < fmt.Sprintf("%08d", backup.FirstOf(log.Epoch)) {
			f.fenced = append(f.fenced, o.Name)
			delete(f.objects, name)
		}
	}
	log.Findings = slices.DeleteFunc(log.Findings, func(found manifest.Finding) bool {
		if found.Fenced {
			f.fenced = append(f.fenced, found.Name)
		}
		return found.Fenced
	})
	slices.Sort(f.fenced)
}

// Fenced names what was left out, because a former writer brought it after
// another one had taken over.
func (f *Fetcher) Fenced() []string { return f.fenced }

func (f *Fetcher) note(o backup.Object) {
	if file, ok := feed.File(backup.Logical(o.Name), o.Size); ok {
		if known, twice := f.objects[file.Name]; !twice || o.Name > known.Name {
			f.objects[file.Name] = o // a later try replaces one that arrived damaged
		}
	}
	if strings.HasPrefix(o.Name, "box/") {
		f.boxes = append(f.boxes, o.Name)
	}
}

// prefer takes an object that a manifest lists, whatever others of its name are
// there: nobody else has proved those, and who may only add cannot add these.
func (f *Fetcher) prefer(name string, size int64) {
	if file, ok := feed.File(backup.Logical(name), size); ok {
		f.objects[file.Name] = backup.Object{Name: name, Size: size}
	}
}

// Until narrows an offline disk to the set from which the state of a moment comes;
// zero is the newest. No log lies between two sets, so each is a history of its
// own: the moment is inside the first set that begins before it and ends after
// it, else it is the end of the newest set before it. Other destinations are one
// history, and stay as they are. Code restore_nothing.
func (f *Fetcher) Until(at time.Time) error {
	if len(f.sets) == 0 {
		return nil
	}
	set, ok := setAt(f.sets, at)
	if !ok {
		return errs.New(errs.NotFound, "restore_nothing", "there is no backup of that time here")
	}
	for name, o := range f.objects {
		if !set.Has(backup.Logical(o.Name)) {
			delete(f.objects, name)
		}
	}
	f.boxes = slices.DeleteFunc(f.boxes, func(name string) bool { return !set.Has(backup.Logical(name)) })
	return nil
}

func setAt(sets []manifest.Set, at time.Time) (best manifest.Set, ok bool) {
	if at.IsZero() {
		return sets[len(sets)-1], true
	}
	for _, s := range sets {
		full, known := backup.ParseSegment(s.Full)
		switch {
		case known && !full.Time.After(at) && s.Time >= at.UnixMilli():
			return s, true
		case s.Time <= at.UnixMilli() && (!ok || s.Time >= best.Time):
			best, ok = s, true
		}
	}
	return best, ok
}

// there asks for an object that a listing does not show: listings may lag.
func (f *Fetcher) there(ctx context.Context, name string) bool {
	r, err := f.from.Get(ctx, name, 0, 1)
	if err != nil {
		return false
	}
	return r.Close() == nil
}

// List implements restore.Source.
func (f *Fetcher) List(_ context.Context, after spool.Name) ([]spool.File, error) {
	var files []spool.File
	for name, o := range f.objects {
		if file, ok := spool.Parse(name); ok && name > after {
			file.Size = o.Size
			files = append(files, file)
		}
	}
	slices.SortFunc(files, func(a, b spool.File) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return files, nil
}

// Open implements restore.Source.
func (f *Fetcher) Open(ctx context.Context, name spool.Name) (io.ReadCloser, error) {
	o, ok := f.objects[name]
	if !ok {
		return nil, errs.New(errs.Integrity, "spool_file_missing", "a file of the backup is missing: "+string(name)).With("file", string(name))
	}
	return f.object(ctx, o.Name)
}

// object gives an object's content.
func (f *Fetcher) object(ctx context.Context, name string) (io.ReadCloser, error) {
	path, ok := f.here[name]
	if !ok {
		path = filepath.Join(f.dir, fmt.Sprintf("%06d", len(f.here)))
		if err := f.bring(ctx, name, path); err != nil {
			return nil, err
		}
		f.here[name] = path
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unwritable(err)
	}
	content, err := f.reader.Open(file, name)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{content, file}, nil
}

func (f *Fetcher) bring(ctx context.Context, name, path string) error {
	r, err := f.from.Get(ctx, name, 0, -1)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }() // everything that came is checked
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return unwritable(err)
	}
	_, err = io.Copy(file, r)
	return errors.Join(err, file.Close())
}

func unwritable(err error) error {
	return errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written")
}

// Bundle gives the newest bundle of a kind. Code backup_bundle_missing.
func (f *Fetcher) Bundle(ctx context.Context, kind string) (bundle.Bundle, error) {
	newest := ""
	for _, name := range f.boxes {
		if strings.HasPrefix(name, "box/"+kind+"/") {
			newest = name // they are sorted
		}
	}
	if newest == "" {
		return bundle.Bundle{}, errs.New(errs.NotFound, "backup_bundle_missing", "the destination has no bundle of "+kind).With("kind", kind)
	}
	outer, err := f.object(ctx, newest)
	if err != nil {
		return bundle.Bundle{}, err
	}
	return f.unpack(outer, backup.Logical(newest))
}

// unpack opens a bundle in the form in which it left the shop: sealed before it
// was copied, so that it lay nowhere in clear.
func (f *Fetcher) unpack(sealed io.ReadCloser, name string) (b bundle.Bundle, err error) {
	defer func() { err = errors.Join(err, sealed.Close()) }()
	content, err := io.ReadAll(sealed)
	if err != nil {
		return b, err
	}
	return OpenBundle(f.reader, content, name)
}

// OpenBundle opens a sealed bundle.
func OpenBundle(reader seal.Reader, sealed []byte, name string) (bundle.Bundle, error) {
	r, err := reader.Open(strings.NewReader(string(sealed)), name)
	if err != nil {
		return bundle.Bundle{}, err
	}
	return bundle.Read(r)
}
