package s3dest_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/desttest"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/mirror"
	"panshi/internal/backup/mirror/mirrortest"
	"panshi/internal/backup/seal"
	"panshi/internal/clock"
	"panshi/internal/dirdest"
)

// TestTheServerIsKilledAndTheOtherPlaceGoesOn: a directory and a real server,
// which is killed and comes back. Then both have the same, and both prove it.
func TestTheServerIsKilledAndTheOtherPlaceGoesOn(t *testing.T) {
	bucketName := bucket(t, minio.MakeBucketOptions{})
	disk, err := dirdest.New(dirdest.Config{Dir: filepath.Join(t.TempDir(), "disk"), SameDevice: true})
	require.NoError(t, err)
	cloud := open(t, config(bucketName))
	keys, sheet, err := seal.New(seal.Options{Shop: "tea"})
	require.NoError(t, err)
	source := mirrortest.Spool(t.TempDir())
	retry := backup.RetryConfig{Attempts: 2, First: 10 * time.Millisecond, Most: time.Second, Timeout: 10 * time.Second, Slowest: 1 << 16}
	target := func(label string, d backup.Destination) mirror.Target {
		return mirror.Target{Label: label, Dest: backup.Retry(d, retry), Retention: mirror.DefaultRetention(), LagAlarm: time.Minute}
	}
	cfg := mirror.Defaults(mirror.Config{
		Dir: t.TempDir(), Source: source, Keys: keys, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler),
		Alert: func(mirror.Alert) {}, WantFull: func(string) {},
		Complete: time.Now,
		Sums:     func(context.Context) (manifest.Sums, error) { return manifest.Sums{}, nil },
		Targets:  []mirror.Target{target("disk", disk), target("cloud", cloud)},
	})
	cfg.Poll, cfg.ManifestEvery = 20*time.Millisecond, 20*time.Millisecond
	m, err := mirror.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()

	tx := uint64(0)
	write := func(level int, size int64) {
		tx++
		s := backup.Segment{Generation: 1, Level: level, Min: tx, Max: tx, Time: time.Now()}
		require.NoError(t, source.Write(s.Name(), desttest.Content(t, size)))
	}
	reaches := func(i int) func() bool {
		return func() bool { s := m.Status()[i]; return s.Reach.End == tx && s.Pending == 0 && s.Listed == s.Objects }
	}
	write(backup.FullLevel, 17<<20)
	write(0, 3000)
	require.Eventually(t, reaches(1), 30*time.Second, 10*time.Millisecond)

	shared.Stop()
	for range 20 {
		write(0, 3000)
	}
	require.Eventually(t, reaches(0), 30*time.Second, 10*time.Millisecond)
	require.Equal(t, uint64(2), m.Status()[1].Reach.End, "the dead one claims what it had")
	require.NoError(t, shared.serve(strings.TrimPrefix(shared.Endpoint, "http://")))
	require.Eventually(t, reaches(1), 60*time.Second, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-ended)

	require.Equal(t, digests(t, disk), digests(t, cloud))
	for label, d := range map[string]backup.Destination{"disk": disk, "cloud": cloud} {
		report, err := manifest.Verify(t.Context(), d, sheet.Reader(), manifest.Options{Label: label})
		require.NoError(t, err)
		require.NoError(t, report.Err(), label)
		require.Equal(t, int(tx), report.Objects)
	}
}

// digests gives the digest of every segment of a destination.
func digests(t *testing.T, d backup.Destination) map[string]backup.Digest {
	t.Helper()
	out := map[string]backup.Digest{}
	for _, name := range desttest.Names(t, d, "seg/") {
		_, digest, err := backup.Measure(t.Context(), d, name)
		require.NoError(t, err)
		out[name] = digest
	}
	return out
}
