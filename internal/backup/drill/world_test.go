package drill_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/drill"
	"panshi/internal/backup/fetch"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/mirror"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/seal"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/dirdest"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// now is the clock of these tests.
func now() time.Time { return time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC) }

// world is a drill's world with destinations that are real, sealed and signed. A
// restore reads all that a real one reads; what it makes is an empty shop.
type world struct {
	drill.World

	t    *testing.T
	keys *seal.Keys
	// restored is how often a shop was made, closed how often one was taken away.
	restored, closed int
}

func newWorld(t *testing.T, copies ...drill.Copy) *world {
	t.Helper()
	keys, _, err := seal.New(seal.Options{Shop: "tea", Now: now()})
	require.NoError(t, err)
	w := &world{t: t, keys: keys}
	w.World = drill.World{
		Reader: keys.Reader(), Clock: clock.NewManual(now()), Restore: w.restore,
		Newest:     func(context.Context) (time.Time, time.Duration, error) { return now().Add(-time.Minute), 0, nil },
		WithoutKey: func(context.Context) error { return errors.New("no key") },
		KeyFrom:    func(context.Context, drill.Copy) error { return nil },
		Gone: func(_ string, at time.Time, all []backup.Segment) ([]backup.Segment, error) {
			return mirror.DefaultRetention().Gone(at, all)
		},
	}
	for _, c := range copies {
		c.Dest = w.destination()
		w.Copies = append(w.Copies, c)
	}
	return w
}

// destination makes one with a full, compacted log, fresh log, and keys.
func (w *world) destination() backup.Destination {
	w.t.Helper()
	d, err := dirdest.New(dirdest.Config{Dir: filepath.Join(w.t.TempDir(), "copy"), SameDevice: true})
	require.NoError(w.t, err)
	at := now().Add(-10 * time.Minute)
	names := []string{fmt.Sprintf("box/keys/%016x-%013d", 1, 1)}
	for i, s := range []backup.Segment{{Level: backup.FullLevel, Min: 1, Max: 1}, {Level: 1, Min: 2, Max: 5}, {Min: 6, Max: 6}, {Min: 7, Max: 7}} {
		s.Generation, s.Time = 1<<32|7, at.Add(time.Duration(i)*3*time.Minute)
		names = append(names, s.Name())
	}
	m := manifest.Manifest{Chain: manifest.NewChain(), Number: 1, Oldest: 1, Base: true}
	for _, name := range names {
		var out bytes.Buffer
		sealed, err := w.keys.Seal(w.t.Context(), name, bytes.NewReader([]byte("content of "+name)), &out)
		require.NoError(w.t, err)
		require.NoError(w.t, d.Put(w.t.Context(), name, backup.Bytes(out.Bytes())))
		m.Added = append(m.Added, manifest.Entry{Name: name, Size: sealed.Size, SHA256: sealed.SHA256})
	}
	content, err := manifest.Encode(m, w.keys)
	require.NoError(w.t, err)
	require.NoError(w.t, d.Put(w.t.Context(), m.Name(), backup.Bytes(content)))
	return d
}

// restore reads what a real restore reads, with the same proofs on the way.
func (w *world) restore(ctx context.Context, from drill.Copy, want drill.Want, _ drill.Progress) (out drill.Restored, err error) {
	open := fetch.Open
	if want.Salvage {
		open = fetch.Salvage
	}
	f, err := open(ctx, from.Dest, w.keys.Reader(), w.t.TempDir())
	if err != nil {
		return out, err
	}
	files, err := f.List(ctx, "")
	if err != nil {
		return out, err
	}
	plan, err := restore.Make(files, restore.Target{At: want.At})
	if err != nil {
		return out, err
	}
	for _, file := range plan.Files {
		r, err := f.Open(ctx, file.Name)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
			err = errors.Join(err, r.Close())
		}
		if err != nil {
			return out, err
		}
		out.Bytes += file.Size
	}
	// The key box is an object like the others here; it opens, or the shop is shut.
	if _, err := f.Bundle(ctx, "keys"); errs.CodeOf(err) == "backup_bundle_missing" {
		return out, err
	}
	w.restored++
	out.Shop = &shop{world: w, db: dbtest.Open(w.t, dbtest.Options{})}
	out.Transaction, out.Time, out.Invariants = plan.Transaction, plan.Time, 30
	return out, nil
}

// shop is an empty one.
type shop struct {
	world *world
	db    db.DB
	gone  bool
}

func (s *shop) DB() db.DB                                            { return s.db }
func (*shop) Place(context.Context, id.ID, id.ID) (string, error)    { return "1", nil }
func (*shop) Unseal(id.ID, []byte) error                             { return nil }
func (*shop) Check(context.Context) (invariants, bad int, err error) { return 30, 0, nil }
func (s *shop) Close() error {
	if !s.gone {
		s.gone = true
		s.world.closed++
	}
	return nil
}

// clock is the one that the drill measures by.
func (w *world) clock() *clock.Manual { return w.Clock.(*clock.Manual) }

// run runs a drill and sees that nothing of it stays.
func (w *world) run(name drill.Name, o drill.Options) drill.Report {
	w.t.Helper()
	d, err := drill.Named(string(name))
	require.NoError(w.t, err)
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano())
	}
	r, err := drill.Run(w.t.Context(), d, w.World, o)
	require.NoError(w.t, err)
	w.t.Logf("%s, seed %d: %q %v, from %v", name, r.Seed, r.Failure, r.Detail, r.From)
	for _, s := range r.Steps {
		w.t.Logf("    %s %v %s", s.Name, s.Args, s.Failure)
	}
	require.Equal(w.t, w.restored, w.closed, "every scratch shop is taken away")
	return r
}
