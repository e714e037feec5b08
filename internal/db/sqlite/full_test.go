package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/sqlite"
)

// smallDisk mounts a file system of the given size. Where that is not
// permitted the test fails: nothing else shows what a full disk does.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size), "mounting needs root")
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	return dir
}

// TestFullDisk fills a disk from many callers, checks that what was
// acknowledged is there and nothing else, frees space and goes on.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, "2m")
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 700_000), 0o600))
	d, err := sqlite.Open(context.Background(), ackConfig(dir))
	require.NoError(t, err)

	answers := fill(d, 16, 60)
	acknowledged, full := 0, 0
	check := func(d db.DB) {
		kept := ackKeys(t, d)
		acknowledged, full = 0, 0
		for k, err := range answers {
			if err == nil {
				acknowledged++
			} else {
				require.ErrorIs(t, err, db.ErrFull)
				full++
			}
			require.Equal(t, err == nil, kept[k], "key %d was answered %v", k, err)
		}
	}
	check(d)
	require.Positive(t, acknowledged)
	require.Positive(t, full, "the disk never filled up")
	require.ErrorIs(t, insertAck(d, 1_000_000, 400_000), db.ErrFull, "still full")

	require.NoError(t, os.Remove(ballast))
	require.NoError(t, insertAck(d, 2_000_000, 1000), "there is space again")
	require.False(t, d.Stats().Broken)
	require.NoError(t, d.Close())
	d, err = sqlite.Open(context.Background(), ackConfig(dir))
	require.NoError(t, err)
	check(d)
	require.True(t, ackKeys(t, d)[2_000_000])
	require.NoError(t, d.Close())
}

// fill writes from many goroutines and returns the answer for each key.
func fill(d db.DB, callers, each int) map[int64]error {
	var mu sync.Mutex
	answers := make(map[int64]error)
	var all sync.WaitGroup
	for w := range callers {
		all.Go(func() {
			for i := range each {
				k := int64(w*each + i + 1)
				err := insertAck(d, k, 3000)
				mu.Lock()
				answers[k] = err
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return answers
}

// TestFullDiskInsideAStatement needs more room for one statement than there
// is, so that SQLite rolls the whole transaction back before COMMIT: the
// others of the batch must be run again and be saved.
func TestFullDiskInsideAStatement(t *testing.T) {
	dir := smallDisk(t, "8m")
	cfg := ackConfig(dir)
	cfg.BatchTime = time.Minute // all three in one batch, on a busy machine too
	d, err := sqlite.Open(context.Background(), cfg)
	require.NoError(t, err)
	running, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	results := make(chan error, 3)
	go func() {
		results <- d.Update(context.Background(), func(tx *db.Tx) error {
			once.Do(func() { close(running) })
			<-release
			_, err := tx.Exec(`INSERT INTO ack (k, pad) VALUES (1, x'00')`)
			return err
		})
	}()
	<-running
	big := make(chan error, 1)
	go func() { big <- insertAck(d, 2, 60_000_000) }()
	for d.Stats().Queue != 1 {
		continue
	}
	go func() { results <- insertAck(d, 3, 10) }()
	for d.Stats().Queue != 2 {
		continue
	}
	close(release)
	require.ErrorIs(t, <-big, db.ErrFull)
	require.NoError(t, errors.Join(<-results, <-results))
	require.Positive(t, d.Stats().Reruns, "the case that this test is for did not happen")
	require.Equal(t, map[int64]bool{1: true, 3: true}, ackKeys(t, d))
	require.NoError(t, d.Close())
}
