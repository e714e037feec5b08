package offline_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/offline"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/spool"
)

// A process that ends after any change of the disk leaves a sound one: the set of
// before or the new one, nothing between; the next run goes on from there.
func TestARunMayEndAnywhere(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w := newWorld(t)
		w.keep = offline.Keep{Weekly: 1} // so that the second run deletes, too
		w.day()
		first := w.good()
		w.pass(7)
		died := false
		func() {
			defer func() { died = recover() != nil }()
			left := n
			w.faults.after = func() {
				if left--; left == 0 {
					panic("killed")
				}
			}
			w.good()
		}()
		w.faults = faults{}
		w.requireSound()
		log, err := manifest.Read(t.Context(), w.plugged(), w.keys.Signer())
		require.NoError(t, err)
		require.Contains(t, []uint64{first.Set.End, w.last}, log.Sets[len(log.Sets)-1].End)
		require.Equal(t, w.last, w.good().Set.End)
		w.requireSound()
		require.Len(t, w.segments(), 4, "nothing is left of the first set")
		if !died {
			require.Greater(t, n, 10)
			t.Logf("ended after each of %d changes", n-1)
			return
		}
	}
}

// What was copied whole before the disk was unplugged is not copied again; what
// was not whole, or was changed meanwhile, is.
func TestAnInterruptedCopyGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.day()
	left := 2
	w.faults.after = func() {
		if left--; left < 0 {
			panic("killed")
		}
	}
	require.Panics(t, func() { _, _ = w.run() })
	w.faults = faults{}
	require.Len(t, w.segments(), 3)
	result := w.good()
	require.Less(t, result.Copied, int64(20_000), "the whole copy was there")
	w.requireSound()
}

// Retention waits for a set that was read back: an object that the disk changed is
// written once more, and a disk that changes it again is never called good.
func TestWhatComesBackWrongIsWrittenAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.day()
	wrong := 1
	garble := func(name string, content []byte) ([]byte, error) {
		if s, ok := backup.ParseSegment(name); ok && s.Level == spool.SnapshotLevel && wrong > 0 {
			wrong--
			content[len(content)/2] ^= 1
		}
		return content, nil
	}
	w.faults.get = garble
	w.good()
	w.requireSound()
	w.pass(7)
	wrong = 1000
	w.faults.get = garble
	_, err := w.run()
	require.True(t, backup.Is(err, "offline_corrupting"), "%v", err)
	w.requireSound()
}

// An older set that lost or changed an object is told, by name, and the new one
// is sound.
func TestAnOlderSetThatChangedIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.day()
	first := w.good()
	w.pass(7)
	path := filepath.Join(w.dir, filepath.FromSlash(first.Set.Full))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	content[w.dice.IntN(len(content))] ^= 1 << w.dice.IntN(8)
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.WriteFile(path, content, 0o600))
	result, err := w.run()
	require.NoError(t, err)
	require.Equal(t, []manifest.Finding{{Kind: manifest.Altered, Name: first.Set.Full}}, result.Damaged)
	w.requireRestores(result.Set, time.Time{})
}

// A disk that has too little room is left as it is.
func TestTooLittleRoomIsKnownBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.day()
	w.good()
	before := w.contents()
	w.pass(7)
	w.faults.free = func(int64) int64 { return 4<<20 + 200_000 }
	_, err := w.run()
	require.True(t, backup.Is(err, "offline_full"), "%v", err)
	require.Equal(t, before, w.contents())
}

// Files of the source that are merged away while a slow disk takes them do not
// end the run.
func TestASourceThatChangesMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.day()
	files, err := w.spool.List(t.Context(), "")
	require.NoError(t, err)
	fine := slices.DeleteFunc(files, func(f spool.File) bool { return f.Level != 0 })
	merged := false
	w.faults.after = func() {
		if merged {
			return
		}
		merged = true
		w.ship(1, fine[0].First, w.last, 4000)
		for _, f := range fine {
			require.NoError(t, w.spool.Remove(t.Context(), f.Name))
		}
	}
	result := w.good()
	require.Equal(t, w.last, result.Set.End)
	require.Len(t, w.segments(), 2, "the fine ones that came before are gone")
	w.requireSound()
}

// A source without a whole copy, and a gap in one, are errors, and nothing counts.
func TestAGapIsNoSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.run()
	require.True(t, backup.Is(err, "restore_nothing"), "%v", err)
	w.day()
	files, err := w.spool.List(t.Context(), "")
	require.NoError(t, err)
	plan, err := restore.Make(files, restore.Target{})
	require.NoError(t, err)
	require.NoError(t, w.spool.Remove(t.Context(), plan.Files[len(plan.Files)-2].Name))
	_, err = w.run()
	require.True(t, backup.Is(err, "restore_gap"), "%v", err)
	require.Empty(t, w.segments())
}

// A copy that both sets have is mended wherever the disk changed or lost it.
func TestACopyOfBothSetsIsMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.day()
	full := filepath.Join(w.dir, filepath.FromSlash(w.good().Set.Full))
	for _, at := range []int{0, 60, 200_000} {
		content, err := os.ReadFile(full)
		require.NoError(t, err)
		content[at] ^= 1
		require.NoError(t, os.Chmod(full, 0o600))
		require.NoError(t, os.WriteFile(full, content, 0o600))
		w.good()
		w.requireSound()
	}
	require.NoError(t, os.Remove(full))
	w.good()
	w.requireSound()
}

// A new set never needs a sheet that was replaced: what only the old one opens is
// not taken for it, and the set of before keeps it.
func TestANewSheetOpensANewSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.day()
	w.good()
	old := w.sheet
	var err error
	w.keys, w.sheet, err = w.keys.Renew(seal.Options{Shop: "tea", Now: w.clock.at})
	require.NoError(t, err)
	_, err = w.run()
	require.True(t, backup.Is(err, "offline_old_sheet"), "%v", err)
	w.sheet, old = old, w.sheet
	w.requireSound()
	w.sheet = old
	w.pass(7)
	result := w.good()
	w.requireRestores(result.Set, time.Time{})
}

// The bundle of card keys on a disk is found under any name; other files are
// strangers and no findings.
func TestABundleOfCardKeysIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.day()
	result := w.good()
	f, err := os.Create(filepath.Join(w.dir, "holiday.jpg"))
	require.NoError(t, err)
	_, err = w.keys.Seal(t.Context(), "box/cards/apart", strings.NewReader("keys"), f)
	require.NoError(t, errors.Join(err, f.Close()))
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "readme.txt"), []byte("hello"), 0o600))
	found, err := offline.FindStrangers(w.dir, result.Live, w.keys.Reader(), "box/cards/apart")
	require.NoError(t, err)
	require.Equal(t, []string{"holiday.jpg"}, found.Cards)
	require.Equal(t, []string{"holiday.jpg", "readme.txt"}, found.Names)
	report, err := manifest.Verify(t.Context(), w.plugged(), w.keys.Reader(), offline.Options(w.marker, w.expect))
	require.NoError(t, err)
	require.Len(t, report.Findings, 2)
	require.Empty(t, offline.Ours(report.Findings))
	require.Equal(t, result.Set.End, w.good().Set.End)
	require.FileExists(t, filepath.Join(w.dir, "readme.txt"), "nothing of others is touched")
}
