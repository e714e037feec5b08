package offline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/offline"
	"panshi/internal/backup/seal"
	"panshi/internal/dirdest"
)

// Every week a set comes; the last of each week and month stay, each can be
// restored, and what no kept set needs is gone.
func TestWeeksAndMonthsStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keep = offline.Keep{Weekly: 3, Monthly: 4}
	w.day()
	var result offline.Result
	for range 20 {
		result = w.good()
		w.pass(7)
	}
	var taken []string
	for _, s := range result.Sets {
		taken = append(taken, time.UnixMilli(s.Taken).UTC().Format("01-02"))
	}
	require.Equal(t, []string{"06-28", "07-26", "08-30", "09-06", "09-13"}, taken)
	w.requireSound()
	require.Len(t, w.segments(), 5*4)
	manifests := 0
	for name := range w.contents() {
		if strings.HasPrefix(name, manifest.Prefix) {
			manifests++
		}
	}
	require.Equal(t, 2, manifests)
}

// Only what the disk lacks is copied.
func TestASecondRunCopiesOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.day()
	first := w.good()
	require.Greater(t, first.Copied, int64(300_000))
	w.clock.at = w.clock.at.Add(time.Hour)
	w.ship(0, w.last+1, w.last+1, 500)
	second := w.good()
	require.Less(t, second.Copied, int64(10_000))
	require.Len(t, second.Sets, 1, "of one week")
	require.Equal(t, w.last, second.Set.End)
	w.requireSound()
}

// What is there of others is never touched.
func TestADiskOfOthersIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other, _, err := seal.New(seal.Options{Shop: "other"})
	require.NoError(t, err)
	_, err = offline.ReadMarker(w.dir, other.Signer())
	require.True(t, backup.Is(err, "offline_other_shop"), "%v", err)
	_, err = offline.Init(w.dir, "mine", other, other.Signer(), w.clock.at)
	require.True(t, backup.Is(err, "offline_other_shop"), "%v", err)
	_, err = offline.Init(w.dir, "green", w.keys, w.keys.Signer(), w.clock.at)
	require.True(t, backup.Is(err, "offline_in_use"), "%v", err)

	photos := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(photos, "cat.jpg"), nil, 0o600))
	_, err = offline.Init(photos, "mine", w.keys, w.keys.Signer(), w.clock.at)
	require.True(t, backup.Is(err, "offline_foreign"), "%v", err)
	_, err = offline.ReadMarker(filepath.Join(photos, "nowhere"), w.keys.Signer())
	require.True(t, backup.Is(err, "offline_missing"), "%v", err)
	empty := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(empty, "lost+found"), 0o700))
	_, err = offline.ReadMarker(empty, w.keys.Signer())
	require.True(t, backup.Is(err, "offline_new_disk"), "%v", err)
	for _, label := range []string{"", "Blue", "a/b", strings.Repeat("x", 33)} {
		_, err = offline.Init(empty, label, w.keys, w.keys.Signer(), w.clock.at)
		require.True(t, backup.Is(err, "offline_label"), "%v", err)
	}

	release, err := offline.Lock(w.dir)
	require.NoError(t, err)
	_, err = offline.Lock(w.dir)
	require.True(t, backup.Is(err, "offline_busy"), "%v", err)
	require.NoError(t, release())
}

// A clock that is wrong by two hours, or behind by years, takes nothing away.
func TestAWrongClockTakesNothingAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keep = offline.Keep{Weekly: 2}
	w.day()
	w.good()
	for _, off := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		w.pass(7)
		right := w.clock.at
		w.clock.at = right.Add(off)
		result := w.good()
		require.Equal(t, w.last, result.Sets[len(result.Sets)-1].End, "the new set counts")
		w.clock.at = right
		w.requireSound()
	}
	w.good()
	w.ship(0, w.last+1, w.last+1, 500)
	w.clock.at = w.clock.at.Add(-5 * time.Minute)
	result := w.good()
	require.Equal(t, w.last, result.Sets[len(result.Sets)-1].End, "a little behind: the new set takes the place of the one of the same week")
	w.requireSound()
	before := w.good()
	w.pass(7)
	right := w.clock.at
	w.clock.at = right.AddDate(-5, 0, 0)
	result = w.good()
	require.True(t, result.ClockBehind)
	require.Len(t, result.Sets, len(before.Sets)+1)
	w.clock.at = right
	w.requireSound()
	result = w.good()
	require.False(t, result.ClockBehind)
	require.Equal(t, w.last, result.Set.End)
	w.requireSound()
}

// A disk that somebody set back to what it was a week ago is noticed.
func TestADiskThatWasSetBackIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.day()
	w.good()
	before := t.TempDir()
	require.NoError(t, os.CopyFS(before, os.DirFS(w.dir)))
	w.pass(7)
	w.good()
	w.dir = before
	_, err := w.run()
	require.True(t, backup.Is(err, "backup_destination_altered"), "%v", err)
	require.ErrorContains(t, err, "set_back")
}

// From another destination a set comes as it is there.
func TestASetFromADestination(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.day()
	w.good()
	from := w.plugged()
	first := w.contents()
	w.dir = t.TempDir()
	var err error
	w.marker, err = offline.Init(w.dir, "green", w.keys, w.keys.Signer(), w.clock.at)
	require.NoError(t, err)
	d, err := dirdest.New(dirdest.Config{Dir: w.dir, SameDevice: true})
	require.NoError(t, err)
	writer := &offline.Writer{
		Disk: d, Marker: w.marker, Source: offline.FromDestination(from, w.keys.Reader()), Keys: w.keys, Keep: w.keep,
		Clock: w.clock, Progress: func(string, int64, int64) {},
	}
	result, err := writer.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, w.last, result.Set.End)
	for name := range result.Live {
		require.Equal(t, first[name], w.contents()[name], name)
	}
	w.expect = nil
	w.requireSound()
}
