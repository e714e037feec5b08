package offline_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/fetch"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/offline"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/dirdest"
)

// set is the clock of a test.
type set struct{ at time.Time }

func (s *set) Now() time.Time { return s.at }

var _ clock.Clock = (*set)(nil)

// world is a shop's spool and a disk that is plugged in.
type world struct {
	t      *testing.T
	dice   *backuptest.Dice
	keys   *seal.Keys
	sheet  seal.Sheet
	spool  *spool.Spool
	clock  *set
	dir    string
	marker offline.Marker
	keep   offline.Keep
	expect *manifest.Head
	last   uint64 // transaction in the spool
	faults faults
	states map[uint64][]byte // the last file's content, by transaction
}

// faults are what the disk does wrong; called with the name of the object.
type faults struct {
	fill func(name string, w io.Writer) io.Writer
	get  func(name string, content []byte) ([]byte, error)
	free func(int64) int64
	// after is called when a change of the disk is done.
	after func()
}

// disk is the directory with faults.
type disk struct {
	*dirdest.Dest
	*faults
}

func (d disk) Fill(ctx context.Context, name string, fill func(io.Writer) error) error {
	return d.done(d.Dest.Fill(ctx, name, func(w io.Writer) error {
		if d.fill != nil {
			w = d.fill(name, w)
		}
		return fill(w)
	}))
}

func (d disk) Put(ctx context.Context, name string, body backup.Body) error {
	return d.done(d.Dest.Put(ctx, name, body))
}

func (d disk) Delete(ctx context.Context, name string) error { return d.done(d.Dest.Delete(ctx, name)) }

func (d disk) done(err error) error {
	if d.after != nil {
		d.after()
	}
	return err
}

func (d disk) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	r, err := d.Dest.Get(ctx, name, offset, length)
	if err != nil || d.get == nil {
		return r, err
	}
	content, err := io.ReadAll(r)
	_ = r.Close()
	if err == nil {
		content, err = d.get(name, content)
	}
	return io.NopCloser(bytes.NewReader(content)), err
}

func (d disk) Free() (int64, error) {
	n, err := d.Dest.Free()
	if d.free != nil {
		n = d.free(n)
	}
	return n, err
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, dice: backuptest.NewDice(t), clock: &set{time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)}, dir: t.TempDir(),
		keep: offline.DefaultKeep(), states: map[uint64][]byte{},
	}
	var err error
	w.keys, w.sheet, err = seal.New(seal.Options{Shop: "tea", Now: w.clock.at})
	require.NoError(t, err)
	w.spool, err = spool.Create(filepath.Join(t.TempDir(), "spool"), backuptest.Cipher(t))
	require.NoError(t, err)
	w.marker, err = offline.Init(w.dir, "blue", w.keys, w.keys.Signer(), w.clock.at)
	require.NoError(t, err)
	return w
}

// ship writes a file of the spool.
func (w *world) ship(level int, first, last uint64, size int) {
	w.t.Helper()
	content := bytes.Repeat([]byte{byte(w.dice.IntN(256))}, size)
	_, err := w.spool.Write(w.t.Context(), spool.File{
		Generation: "00000001-0123abcd", Level: level, First: first, Last: last, Time: w.clock.at,
	}, bytes.NewReader(content))
	require.NoError(w.t, err)
	w.last = last
	w.states[last] = content
}

// day ships a whole copy and three seconds of log.
func (w *world) day() {
	w.t.Helper()
	w.ship(spool.SnapshotLevel, 1, w.last+1, 300_000)
	for range 3 {
		w.clock.at = w.clock.at.Add(time.Second)
		w.ship(0, w.last+1, w.last+1, 2000)
	}
}

// pass ships day by day.
func (w *world) pass(days int) {
	w.t.Helper()
	for range days {
		w.clock.at = w.clock.at.Add(24 * time.Hour)
		w.day()
	}
}

func (w *world) boxes() []offline.Box {
	return []offline.Box{{Kind: "keys", Write: func(out io.Writer) error {
		_, err := io.WriteString(out, `{"version":1,"files":[{"name":"key","mode":384,"content":"c2VjcmV0"}]}`)
		return err
	}}}
}

// plugged opens the disk.
func (w *world) plugged() disk {
	w.t.Helper()
	d, err := dirdest.New(dirdest.Config{Dir: w.dir, SameDevice: true, Uncached: true})
	require.NoError(w.t, err)
	return disk{d, &w.faults}
}

func (w *world) run() (offline.Result, error) {
	w.t.Helper()
	writer := &offline.Writer{
		Disk: w.plugged(), Marker: w.marker, Source: offline.FromSpool(w.spool, w.boxes(), w.keys, w.clock.at), Keys: w.keys, Keep: w.keep,
		Expect: w.expect, Clock: w.clock, Progress: func(string, int64, int64) {},
	}
	result, err := writer.Run(w.t.Context())
	if err == nil {
		w.expect = &result.Head
	}
	return result, err
}

func (w *world) good() offline.Result {
	w.t.Helper()
	result, err := w.run()
	require.NoError(w.t, err)
	require.Empty(w.t, result.Damaged)
	return result
}

// requireSound verifies the disk as it is, without faults, and restores its sets.
func (w *world) requireSound() {
	w.t.Helper()
	w.faults = faults{}
	report, err := manifest.Verify(w.t.Context(), w.plugged(), w.sheet.Reader(), offline.Options(w.marker, w.expect))
	require.NoError(w.t, err)
	require.NoError(w.t, report.Err())
	for _, s := range report.Sets {
		w.requireRestores(s, time.UnixMilli(s.Time))
	}
	if len(report.Sets) > 0 {
		w.requireRestores(report.Sets[len(report.Sets)-1], time.Time{})
	}
}

// requireRestores plans a restore to a moment, and reads all of it.
func (w *world) requireRestores(s manifest.Set, at time.Time) {
	w.t.Helper()
	f, err := fetch.Open(w.t.Context(), w.plugged(), w.sheet.Reader(), w.t.TempDir())
	require.NoError(w.t, err)
	require.NoError(w.t, f.Until(at))
	files, err := f.List(w.t.Context(), "")
	require.NoError(w.t, err)
	plan, err := restore.Make(files, restore.Target{At: at})
	require.NoError(w.t, err)
	require.Equal(w.t, s.End, plan.Transaction)
	for _, file := range plan.Files {
		r, err := f.Open(w.t.Context(), file.Name)
		require.NoError(w.t, err)
		raw, err := w.spool.Open(w.t.Context(), file.Name)
		require.NoError(w.t, err)
		got, err := io.ReadAll(r)
		require.NoError(w.t, err)
		want, err := io.ReadAll(raw)
		require.NoError(w.t, err)
		require.Equal(w.t, want, got, file.Name)
	}
	_, err = f.Bundle(w.t.Context(), "keys")
	require.NoError(w.t, err)
}

// contents are all files of the disk but manifests.
func (w *world) contents() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	require.NoError(w.t, filepath.WalkDir(w.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(w.dir, path)
		out[name] = string(content)
		return err
	}))
	return out
}

func (w *world) segments() []string {
	names := slices.Sorted(maps.Keys(w.contents()))
	return slices.DeleteFunc(names, func(n string) bool { _, ok := backup.ParseSegment(n); return !ok })
}
