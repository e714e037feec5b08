package offline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/spool"
	"panshi/internal/errs"
)

// Source is where a set is copied from.
type Source interface {
	// Plan names the objects of the newest recovery point that the source has,
	// with about the sizes that they will have. Set.Taken is not set.
	Plan(ctx context.Context) (manifest.Set, []backup.Object, error)
	// Write writes one of them, sealed. Code backup_object_missing: it went since
	// Plan, and another Plan will do without it.
	Write(ctx context.Context, name string, w io.Writer) (seal.Sealed, error)
}

// Box is what goes with each set beside the database.
type Box struct {
	Kind  string
	Write func(io.Writer) error // its content, in clear
}

// FromSpool copies the shop's own spool: it is the newest there is, needs no
// network, and has no damage that a destination may have. Its files are encrypted
// already, so no more is needed than the keys of backups.
func FromSpool(s *spool.Spool, boxes []Box, keys *seal.Keys, now time.Time) Source {
	return &fromSpool{spool: s, boxes: boxes, keys: keys, at: now.UnixMilli()}
}

type fromSpool struct {
	spool *spool.Spool
	boxes []Box
	keys  *seal.Keys
	at    int64 // milliseconds, in the names of boxes
}

// boxRoom is more than a box takes, in bytes.
const boxRoom = 256 << 10

func (s *fromSpool) Plan(ctx context.Context) (set manifest.Set, objects []backup.Object, err error) {
	files, err := s.spool.List(ctx, "")
	if err != nil {
		return set, nil, err
	}
	set, objects, err = planOf(files)
	for _, b := range s.boxes {
		name := s.boxName(b)
		set.Boxes = append(set.Boxes, name)
		objects = append(objects, backup.Object{Name: name, Size: boxRoom})
	}
	return set, objects, err
}

func (s *fromSpool) boxName(b Box) string {
	return fmt.Sprintf("box/%s/%016x-%013d", b.Kind, s.at, s.at)
}

// planOf finds the newest state of a spool's files.
func planOf(files []spool.File) (set manifest.Set, objects []backup.Object, err error) {
	plan, err := restore.Make(files, restore.Target{})
	if err != nil {
		return set, nil, err
	}
	for _, f := range plan.Files {
		name, ok := feed.Object(f)
		if !ok {
			return set, nil, errs.New(errs.Integrity, "spool_name", "this is not the name of a file of a spool").With("file", string(f.Name))
		}
		objects = append(objects, backup.Object{Name: name, Size: sealedSize(f.Size)})
	}
	set = manifest.Set{Full: objects[0].Name, End: plan.Transaction, Time: plan.Time.UnixMilli()}
	return set, objects, nil
}

// sealedSize is at least what sealing makes of n bytes: age adds 16 bytes to each
// 64 KiB and a head, we a trailer.
func sealedSize(n int64) int64 { return n + n/4096 + 2048 }

func (s *fromSpool) Write(ctx context.Context, name string, w io.Writer) (seal.Sealed, error) {
	if file, ok := feed.File(name, 0); ok {
		r, err := s.spool.Open(ctx, file.Name)
		if backup.Is(err, "spool_file_missing") {
			return seal.Sealed{}, backup.Missing(name, err)
		}
		if err != nil {
			return seal.Sealed{}, err
		}
		sealed, err := s.keys.Seal(ctx, name, r, w)
		return sealed, errors.Join(err, r.Close())
	}
	for _, b := range s.boxes {
		if s.boxName(b) == name {
			return s.box(ctx, name, b, w)
		}
	}
	return seal.Sealed{}, backup.Missing(name, nil)
}

// box seals twice, as boxes are at every destination: there the inner seal keeps
// it from lying in clear while it waits.
func (s *fromSpool) box(ctx context.Context, name string, b Box, w io.Writer) (seal.Sealed, error) {
	var plain, inner bytes.Buffer
	if err := b.Write(&plain); err != nil {
		return seal.Sealed{}, err
	}
	if _, err := s.keys.Seal(ctx, name, &plain, &inner); err != nil {
		return seal.Sealed{}, err
	}
	return s.keys.Seal(ctx, name, &inner, w)
}

// FromDestination copies what another destination has, as it is: for a machine
// whose spool is gone or damaged.
func FromDestination(from backup.Destination, reader seal.Reader) Source {
	return &fromDestination{from: from, reader: reader}
}

type fromDestination struct {
	from   backup.Destination
	reader seal.Reader
	live   map[string]manifest.Entry // by name without the number of a spare copy
}

func (s *fromDestination) Plan(ctx context.Context) (set manifest.Set, objects []backup.Object, err error) {
	log, err := manifest.Read(ctx, s.from, s.reader.Signer)
	if err == nil {
		err = manifest.Report{Log: log}.Err()
	}
	if err != nil {
		return set, nil, err
	}
	s.live = map[string]manifest.Entry{}
	var files []spool.File
	boxes := map[string]string{} // newest name by kind
	for _, name := range slices.Sorted(maps.Keys(log.Live)) {
		plain := backup.Logical(name)
		s.live[plain] = log.Live[name]
		if file, ok := feed.File(plain, log.Live[name].Size); ok {
			files = append(files, file)
		}
		if parts := strings.Split(plain, "/"); len(parts) == 3 && parts[0] == "box" {
			boxes[parts[1]] = plain
		}
	}
	slices.SortFunc(files, func(a, b spool.File) int { return strings.Compare(string(a.Name), string(b.Name)) })
	set, objects, err = planOf(files)
	for _, kind := range slices.Sorted(maps.Keys(boxes)) {
		set.Boxes = append(set.Boxes, boxes[kind])
		objects = append(objects, backup.Object{Name: boxes[kind], Size: s.live[boxes[kind]].Size})
	}
	return set, objects, err
}

func (s *fromDestination) Write(ctx context.Context, name string, w io.Writer) (seal.Sealed, error) {
	want, ok := s.live[name]
	if !ok {
		return seal.Sealed{}, backup.Missing(name, nil)
	}
	r, err := s.from.Get(ctx, want.Name, 0, -1)
	if err != nil {
		return seal.Sealed{}, err
	}
	sealed, err := s.reader.Check(io.TeeReader(r, w), name)
	err = errors.Join(err, r.Close())
	if err == nil && sealed.SHA256 != want.SHA256 {
		err = backup.Damaged(name, errors.New("another sealing than the one that was stored"))
	}
	return sealed, err
}
