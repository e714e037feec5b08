package feed_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/mirror"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/dirdest"
)

// spoil cuts a file of a spool, empties it, or changes a bit of it.
func spoil(t *testing.T, r *backuptest.Dice, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	switch r.IntN(3) {
	case 0:
		raw = raw[:r.IntN(len(raw))]
	case 1:
		raw = nil
	default:
		raw[r.IntN(len(raw))] ^= 1 << r.IntN(8)
	}
	require.NoError(t, os.WriteFile(path, raw, 0o600))
}

// Failure 14: a file that the local disk spoiled before it was copied is no
// backup elsewhere, for all that its copy would be signed and whole. Somebody is
// told, a whole copy is asked for, and with it the destination is sound.
func TestASpoiledFileIsNotPassedOn(t *testing.T) {
	r := backuptest.NewDice(t)
	s, f, dir := newFeed(t)
	keys, sheet, err := seal.New(seal.Options{Shop: "tea"})
	require.NoError(t, err)
	dest, err := dirdest.New(dirdest.Config{Dir: filepath.Join(t.TempDir(), "nas"), SameDevice: true})
	require.NoError(t, err)
	whole(t, s, 1)
	second, name := put(t, s, 2)
	put(t, s, 3)
	spoil(t, r, filepath.Join(s.Dir(), string(second.Name)))
	reader, err := f.Open(t.Context(), name)
	require.NoError(t, err)
	_, err = io.ReadAll(reader)
	require.NoError(t, reader.Close())
	require.True(t, backup.Is(err, "spool_file_damaged"), "%v", err)

	var asked, told atomic.Bool
	m := mirrorOf(t, f, dir, keys, dest, &asked, &told)
	require.Eventually(t, func() bool { return asked.Load() && told.Load() }, 20*time.Second, 5*time.Millisecond)
	require.Eventually(t, func() bool { return m.Status()[0].Reach.End == 1 }, 20*time.Second, 5*time.Millisecond, "what is before the hole")
	require.False(t, m.Status()[0].Following)
	whole(t, s, 4)
	m.Notice()
	require.Eventually(t, func() bool { return m.Status()[0].Reach.End == 4 }, 20*time.Second, 5*time.Millisecond)
	require.Eventually(t, func() bool {
		report, err := manifest.Verify(t.Context(), dest, sheet.Reader(), manifest.Options{})
		return err == nil && report.Err() == nil && report.Objects == m.Status()[0].Objects
	}, 20*time.Second, 20*time.Millisecond)
}

// whole puts a whole copy up to a transaction.
func whole(t *testing.T, s *spool.Spool, n uint64) {
	t.Helper()
	_, err := s.Write(t.Context(), spool.File{
		Generation: "00000001-0123abcd", Level: spool.SnapshotLevel, First: 1, Last: n, Time: time.UnixMilli(1764179912345 + int64(n)),
	}, bytes.NewReader(make([]byte, 5000)))
	require.NoError(t, err)
}

func mirrorOf(t *testing.T, f *feed.Feed, dir string, keys *seal.Keys, dest backup.Destination, asked, told *atomic.Bool) *mirror.Mirror {
	t.Helper()
	cfg := mirror.Defaults(mirror.Config{
		Dir: dir, Source: f, Keys: keys, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
		Alert:    func(a mirror.Alert) { told.Store(told.Load() || a.Code == mirror.AlarmIntake) },
		WantFull: func(string) { asked.Store(true) },
		Complete: time.Now,
		Sums:     func(context.Context) (manifest.Sums, error) { return manifest.Sums{}, errors.New("none") },
		Targets: []mirror.Target{{
			Label: "nas", Dest: dest, Retention: mirror.DefaultRetention(), LagAlarm: time.Minute,
		}},
	})
	cfg.Poll, cfg.ManifestEvery = 10*time.Millisecond, 20*time.Millisecond
	m, err := mirror.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return m
}
