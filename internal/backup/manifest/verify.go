package manifest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"panshi/internal/backup"
	"panshi/internal/backup/seal"
	"panshi/internal/errs"
)

// Options of Verify.
type Options struct {
	// Label is the destination's, if it is known: a chain of another one is a
	// finding.
	Label string
	// Expect are heads that the chains must have reached: what the shop itself
	// wrote last, or what another destination knows.
	Expect []Head
	// Workers is how many objects are read at a time; 0 means 4.
	Workers int
	// Progress is called after each object, if it is not nil, by one goroutine
	// at a time.
	Progress func(done, of int)
}

// Report is what Verify found.
type Report struct {
	Log
	Objects int   // listed objects that were read
	Bytes   int64 // that they have
	// Unlisted are sound objects that no manifest lists: too new, or given up by
	// retention and not yet deleted.
	Unlisted []string
}

// Err is nil if nothing was found, else code backup_destination_altered with the
// first finding.
func (r Report) Err() error {
	if len(r.Findings) == 0 {
		return nil
	}
	f := r.Findings[0]
	return errs.Wrap(fmt.Errorf("%d findings, the first: %s %s %s", len(r.Findings), f.Kind, f.Name, f.Detail),
		errs.Integrity, "backup_destination_altered", "the destination does not hold what was stored there").
		With("findings", fmt.Sprint(len(r.Findings))).With("name", f.Name)
}

// Verify reads every object of a destination and compares it with the signed
// manifests. A nil error says that it could look at everything, and nothing
// about what it saw: that is Report.Err. Signatures are checked by reader, whose
// identities are not needed.
func Verify(ctx context.Context, d backup.Destination, reader seal.Reader, o Options) (Report, error) {
	log, err := Read(ctx, d, reader.Signer)
	if err != nil {
		return Report{}, err
	}
	v := &verifying{d: d, reader: reader, options: o, report: Report{Log: log}}
	v.heads()
	listed, err := v.listed(ctx)
	if err != nil {
		return Report{}, err
	}
	if err := v.objects(ctx, listed); err != nil {
		return Report{}, err
	}
	v.gaps()
	slices.Sort(v.report.Unlisted)
	slices.SortFunc(v.report.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(string(a.Kind), string(b.Kind)))
	})
	return v.report, nil
}

type verifying struct {
	d       backup.Destination
	reader  seal.Reader
	options Options

	mu     sync.Mutex
	report Report // guarded by mu while workers run
	done   int    // guarded by mu
	failed error  // guarded by mu: the first failure of the destination
}

// find notes a finding; the caller holds mu or is alone.
func (v *verifying) find(k Kind, name, detail string) {
	v.report.Findings = append(v.report.Findings, Finding{Kind: k, Name: name, Detail: detail})
}

// heads compares the chains with what is known of them.
func (v *verifying) heads() {
	for _, m := range v.report.Links {
		if v.options.Label != "" && m.Label != v.options.Label {
			v.find(WrongPlace, m.Name(), "written for "+m.Label)
		}
	}
	for _, want := range v.options.Expect {
		i := slices.IndexFunc(v.report.Heads, func(h Head) bool { return h.Chain == want.Chain })
		if i < 0 || v.report.Heads[i].Number < want.Number {
			v.find(SetBack, want.Name(), "a manifest that was written is not there")
		} else if h := v.report.Heads[i]; h.Number == want.Number && h.SHA256 != want.SHA256 {
			v.find(ChainBroken, want.Name(), "another manifest than the one that was written")
		}
	}
}

// listed gives all names to look at: those of the manifests, and those that a
// listing shows.
func (v *verifying) listed(ctx context.Context) ([]string, error) {
	names := slices.Collect(maps.Keys(v.report.Live))
	err := v.d.List(ctx, "", func(o backup.Object) error {
		if _, live := v.report.Live[o.Name]; !live && !unlistedKind(o.Name) {
			names = append(names, o.Name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// unlistedKind tells of names that no manifest ever lists.
func unlistedKind(name string) bool {
	return strings.HasPrefix(name, Prefix) || strings.HasPrefix(name, backup.HoldPrefix) || strings.HasPrefix(name, backup.LeasePrefix)
}

func (v *verifying) objects(ctx context.Context, names []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	work := make(chan string)
	var wg sync.WaitGroup
	for range cmp.Or(v.options.Workers, 4) {
		wg.Go(func() {
			for name := range work {
				if err := v.object(ctx, name); err != nil {
					v.fail(err)
					cancel()
				}
				v.progress(len(names))
			}
		})
	}
feed:
	for _, name := range names {
		select {
		case work <- name:
		case <-ctx.Done():
			break feed
		}
	}
	close(work)
	wg.Wait()
	if v.failed == nil && ctx.Err() != nil {
		return backup.Unavailable(ctx.Err())
	}
	return v.failed
}

func (v *verifying) fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.failed == nil {
		v.failed = err
	}
}

func (v *verifying) progress(of int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.done++
	if v.options.Progress != nil {
		v.options.Progress(v.done, of)
	}
}

// object reads one object and judges it. An error is a failure of the
// destination, not of the object.
func (v *verifying) object(ctx context.Context, name string) error {
	sealed, err := v.read(ctx, name)
	v.mu.Lock()
	defer v.mu.Unlock()
	want, live := v.report.Live[name]
	switch {
	case backup.Is(err, "backup_object_missing") && live:
		v.find(Missing, name, "")
	case backup.Is(err, "backup_object_missing"), backup.Is(err, "backup_name_invalid"):
		// Deleted since the listing, or no object of ours.
	case backup.Is(err, "backup_object_damaged") && live:
		v.find(Altered, name, "not what was stored")
	case backup.Is(err, "backup_object_damaged"):
		v.find(Forged, name, "this shop did not make it under this name")
	case err != nil:
		return err
	case !live:
		v.report.Unlisted = append(v.report.Unlisted, name)
	case sealed.Size != want.Size || sealed.SHA256 != want.SHA256:
		v.find(Altered, name, "another sealing than the one that was stored")
	default:
		v.report.Objects++
		v.report.Bytes += sealed.Size
	}
	return nil
}

func (v *verifying) read(ctx context.Context, name string) (seal.Sealed, error) {
	r, err := v.d.Get(ctx, name, 0, -1)
	if err != nil {
		return seal.Sealed{}, err
	}
	sealed, err := v.reader.Check(r, name)
	err = errors.Join(err, r.Close())
	if err != nil && errs.CodeOf(err) == "internal" {
		return seal.Sealed{}, backup.Unavailable(err)
	}
	return sealed, err
}

// gaps tells where the listed segments do not follow each other.
func (v *verifying) gaps() {
	segments := backup.Segments(slices.Collect(maps.Keys(v.report.Live)))
	if reach, found := backup.Furthest(segments); found && reach.Gap > 0 {
		v.find(Gap, reach.Full.Name(), fmt.Sprintf("no segment has transaction %d, later ones are there", reach.Gap))
	}
}
