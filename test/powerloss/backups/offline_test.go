package backups

import (
	"bytes"
	"io"
	"path/filepath"
	"sync"
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

// drawer is a shop's spool and an offline disk that misbehaves.
type drawer struct {
	*machine
	keys   *seal.Keys
	spool  *spool.Spool
	marker offline.Marker
	known  *manifest.Head
	last   uint64
	during func(step string) // called while a run works
}

func newDrawer(t *testing.T) *drawer {
	t.Helper()
	keys, _, err := seal.New(seal.Options{Shop: "tea"})
	require.NoError(t, err)
	d := &drawer{machine: newMachine(t), keys: keys, during: func(string) {}}
	d.spool, err = spool.Create(filepath.Join(t.TempDir(), "spool"), backuptest.Cipher(t))
	require.NoError(t, err)
	d.marker, err = offline.Init(d.dir, "blue", keys, keys.Signer(), time.Now())
	require.NoError(t, err)
	d.ship()
	return d
}

// ship writes a whole copy and what came after it.
func (d *drawer) ship() {
	d.t.Helper()
	write := func(level int, first, last uint64, size int) {
		_, err := d.spool.Write(d.t.Context(), spool.File{Generation: "00000001-0123abcd", Level: level, First: first, Last: last, Time: time.Now()},
			bytes.NewReader(bytes.Repeat([]byte{byte(last)}, size)))
		require.NoError(d.t, err)
	}
	write(spool.SnapshotLevel, 1, d.last+1, 100_000)
	write(0, d.last+2, d.last+2, 3000)
	d.last += 2
}

func (d *drawer) dest() (*dirdest.Dest, error) {
	return dirdest.New(dirdest.Config{Dir: d.dir, SameDevice: true, Uncached: true})
}

func (d *drawer) run() error {
	dest, err := d.dest()
	if err != nil {
		return err
	}
	box := offline.Box{Kind: "keys", Write: func(w io.Writer) error {
		_, err := io.WriteString(w, `{"version":1,"files":[]}`)
		return err
	}}
	w := &offline.Writer{
		Disk: dest, Marker: d.marker, Source: offline.FromSpool(d.spool, []offline.Box{box}, d.keys, time.Now()), Keys: d.keys,
		Keep: offline.DefaultKeep(), Expect: d.known, Clock: clock.System{}, Progress: func(step string, _, _ int64) { d.during(step) },
	}
	result, err := w.Run(d.t.Context())
	if err == nil {
		d.known = &result.Head
		require.Empty(d.t, result.Damaged)
	}
	return err
}

// requireState verifies all of the disk and reads what a restore needs of the set
// that ends with a transaction; none is there if it is 0.
func (d *drawer) requireState(ends ...uint64) {
	d.t.Helper()
	dest, err := d.dest()
	require.NoError(d.t, err)
	report, err := manifest.Verify(d.t.Context(), dest, d.keys.Reader(), offline.Options(d.marker, d.known))
	require.NoError(d.t, err)
	require.NoError(d.t, report.Err())
	if len(report.Sets) == 0 {
		require.Contains(d.t, ends, uint64(0))
		return
	}
	f, err := fetch.Open(d.t.Context(), dest, d.keys.Reader(), d.t.TempDir())
	require.NoError(d.t, err)
	require.NoError(d.t, f.Until(time.Time{}))
	files, err := f.List(d.t.Context(), "")
	require.NoError(d.t, err)
	plan, err := restore.Make(files, restore.Target{})
	require.NoError(d.t, err)
	require.Contains(d.t, ends, plan.Transaction)
	for _, file := range plan.Files {
		r, err := f.Open(d.t.Context(), file.Name)
		require.NoError(d.t, err)
		_, err = io.Copy(io.Discard, r)
		require.NoError(d.t, err)
	}
}

// TestAnUnpluggedDiskCountsNothingByHalf: the disk is pulled out with a random
// request of a second run, again and again. The first set or the second one is
// there, whole; the next run goes on.
func TestAnUnpluggedDiskCountsNothingByHalf(t *testing.T) {
	dice := seeded(t)
	pulled := 0
	for at := 1 + dice.IntN(3); ; at += 1 + dice.IntN(4) {
		d := newDrawer(t)
		require.NoError(t, d.run())
		first := d.last
		d.ship()
		d.CutIn(at)
		err := d.run()
		down := isDown(d.machine)
		require.Equal(t, down, err != nil, "%v", err)
		d.CutIn(0)
		if !down {
			d.requireState(d.last)
			t.Logf("pulled out %d times", pulled)
			require.Greater(t, pulled, 10)
			return
		}
		pulled++
		require.True(t, backup.Is(err, "backup_unavailable"), "request %d: %v", at, err)
		d.cycle(dice)
		d.requireState(first, d.last)
		require.NoError(t, d.run(), "request %d", at)
		d.requireState(d.last)
	}
}

// TestADiskThatOtherSystemsRead has neither modes nor hard links, as disks that
// travel often have not.
func TestADiskThatOtherSystemsRead(t *testing.T) {
	d := newDrawer(t)
	d.Plain()
	require.NoError(t, d.run())
	d.requireState(d.last)
	d.ship()
	require.NoError(t, d.run())
	d.requireState(d.last)
}

// TestAnOfflineDiskThatFillsUpIsTold: too little room is known before anything is
// written; room that somebody takes meanwhile ends the run, and the set of before
// counts.
func TestAnOfflineDiskThatFillsUpIsTold(t *testing.T) {
	d := newDrawer(t)
	require.NoError(t, d.run())
	first := d.last
	d.ship()
	d.Limit(1_000_000)
	synced := d.Counts().Synced
	err := d.run()
	require.True(t, backup.Is(err, "offline_full"), "%v", err)
	require.LessOrEqual(t, d.Counts().Synced-synced, 4, "directories only: nothing was written")
	d.Limit(-1)
	var once sync.Once
	d.during = func(string) { once.Do(func() { d.Limit(1000) }) }
	err = d.run()
	require.True(t, backup.Is(err, "backup_full"), "%v", err)
	d.Limit(-1)
	d.during = func(string) {}
	d.requireState(first)
	require.NoError(t, d.run())
	d.requireState(d.last)
}

// TestADiskThatLiesIsNeverCalledGood: what it acknowledged is read back
// otherwise, although the system's cache has it right.
func TestADiskThatLiesIsNeverCalledGood(t *testing.T) {
	d := newDrawer(t)
	require.NoError(t, d.run())
	first := d.last
	d.ship()
	d.during = func(step string) {
		if step == "copy" {
			d.Garble(50_000)
		}
	}
	err := d.run()
	require.True(t, backup.Is(err, "offline_corrupting"), "%v", err)
	d.Garble(0)
	d.during = func(string) {}
	d.requireState(first)
	require.NoError(t, d.run())
	d.requireState(d.last)

	// It lies after it was good: a later verification names the object.
	d.Garble(50_000)
	dest, err := d.dest()
	require.NoError(t, err)
	report, err := manifest.Verify(t.Context(), dest, d.keys.Reader(), offline.Options(d.marker, d.known))
	require.NoError(t, err)
	require.True(t, backup.Is(report.Err(), "backup_destination_altered"), "%v", report.Err())
}
