package ship_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/restore"
	"panshi/internal/backup/spool"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
)

func TestWhatIsCommittedComesBack(t *testing.T) {
	s := newShop(t)
	s.open()
	s.write("first", 50)
	before := s.shipped()
	_, got := s.restored(restore.Target{})
	require.Equal(t, names(t, s.db), got)
	middle := time.Now()
	time.Sleep(2 * time.Millisecond) // names have whole milliseconds
	s.write("second", 50)
	after := s.shipped()
	require.Greater(t, after.Transaction, before.Transaction)
	_, got = s.restored(restore.Target{})
	require.Equal(t, names(t, s.db), got)
	_, got = s.restored(restore.Target{At: middle})
	require.Len(t, got, 50)
	s.close()
}

// The last commit of a shop that then stands idle is shipped, and so is the one
// just before it closes.
func TestTheLastCommitIsShipped(t *testing.T) {
	s := newShop(t)
	s.cfg.Interval = time.Minute
	s.open()
	s.write("last", 1)
	s.close()
	_, got := s.restored(restore.Target{})
	require.Equal(t, []string{"last 0"}, got)
}

// A clean restart goes on with its generation; so does one after a crash.
func TestARestartGoesOn(t *testing.T) {
	s := newShop(t)
	s.open()
	s.write("first", 10)
	first := s.shipped()
	s.close()
	for i := range 3 {
		s.open()
		s.write("again "+string(rune('a'+i)), 10)
		again := s.shipped()
		require.Equal(t, first.Generation, again.Generation)
		require.Greater(t, again.Transaction, first.Transaction)
		require.Len(t, again.Generations, 1)
		s.close()
	}
	_, got := s.restored(restore.Target{})
	require.Len(t, got, 40)
}

// Somebody who used the database while nothing was shipped may have emptied the
// log: what he wrote is in no file, so a whole copy begins a new generation.
func TestACheckpointWhileDownBeginsAGeneration(t *testing.T) {
	s := newShop(t)
	s.open()
	s.write("shipped", 10)
	first := s.shipped()
	s.close()

	d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: s.data})
	require.NoError(t, err)
	other := s.at(s.data)
	other.db = d
	other.write("unseen", 10)
	require.NoError(t, d.Close())

	s.open()
	s.write("after", 10)
	status := s.shipped()
	require.NotEqual(t, first.Generation, status.Generation)
	require.Len(t, status.Generations, 2)
	s.close()
	_, got := s.restored(restore.Target{})
	require.Len(t, got, 30)
	_, got = s.restored(restore.Target{Generation: first.Generation})
	require.Len(t, got, 10, "the old generation is as it was")
}

// A data directory that went back in time does not go on with what the spool
// has of its future.
func TestARestoredDirectoryBeginsAGeneration(t *testing.T) {
	s := newShop(t)
	s.open()
	s.write("first", 10)
	first := s.shipped()
	s.close()
	dir, _ := s.restored(restore.Target{})
	r := s.at(dir)
	r.open()
	r.write("restored", 10)
	status := r.shipped()
	require.Greater(t, status.Generation, first.Generation)
	r.close()
	_, got := s.restored(restore.Target{})
	require.Len(t, got, 20)
	_, got = s.restored(restore.Target{Generation: first.Generation})
	require.Len(t, got, 10)
}

// A spool that takes nothing holds up nobody, and is seen: lag grows, by
// itself. When it is mended, nothing is missing.
func TestShippingThatStopsIsSeen(t *testing.T) {
	s := newShop(t)
	s.open()
	s.write("before", 5)
	first := s.shipped()
	level := filepath.Join(s.cfg.Spool, first.Generation, "0")
	require.NoError(t, os.Rename(level, level+".away"))
	require.NoError(t, os.WriteFile(level, nil, 0o600))
	s.write("during", 5)
	require.Eventually(t, s.ship.Failing, 10*time.Second, 5*time.Millisecond)
	status, err := s.ship.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "spool_unusable", status.Failure)
	require.Equal(t, first.Transaction, status.Transaction)
	earlier := s.ship.Lag()
	require.Positive(t, earlier)
	s.write("on and on", 5)
	require.Eventually(t, func() bool { return s.ship.Lag() > earlier+300*time.Millisecond }, 10*time.Second, 5*time.Millisecond)

	require.NoError(t, os.Remove(level))
	require.NoError(t, os.Rename(level+".away", level))
	require.Equal(t, first.Generation, s.shipped().Generation)
	s.close()
	_, got := s.restored(restore.Target{})
	require.Len(t, got, 15)
}

// What litestream says it has shipped counts for nothing when the spool does
// not have it.
func TestWhatTheSpoolLacksIsNotShipped(t *testing.T) {
	s := newShop(t)
	s.open()
	s.write("before", 5)
	first := s.shipped()
	s.ship.Forget(t.Context())
	s.write("during", 5)
	require.Eventually(t, s.ship.Failing, 10*time.Second, 5*time.Millisecond)
	status, err := s.ship.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "ship_incomplete", status.Failure)
	require.Positive(t, s.ship.Lag())
	require.Equal(t, first.Generation, status.Generation)
	require.Error(t, func() error { _ = s.db.Close(); return s.ship.Close() }())
}

// restarting lets the log start over after every commit and keeps it.
type restarting struct{}

func (restarting) AfterBatch(ctx context.Context, log db.Log) error {
	_, err := log.Checkpoint(ctx, db.CheckpointRestart)
	return err
}

func (restarting) AtClose(context.Context, db.Log) error { return nil }

// The worst case: while nothing was shipped the log started over, and is long
// enough still to hold the last frame that was read, so that nothing of what is
// missing shows.
func TestALogThatStartedOverWhileDownBeginsAGeneration(t *testing.T) {
	s := newShop(t)
	s.open()
	s.write("shipped", 30)
	first := s.shipped()
	s.close()

	other := s.at(s.data)
	var err error
	other.db, err = sqlite.Open(t.Context(), sqlite.Config{Dir: s.data, Checkpointer: restarting{}})
	require.NoError(t, err)
	keeper, err := sqlite.KeepLog(t.Context(), s.path())
	require.NoError(t, err)
	other.write("unseen", 10)
	require.NoError(t, other.db.Close())
	require.NoError(t, keeper.Close())
	info, err := os.Stat(s.path() + "-wal")
	require.NoError(t, err)
	require.Greater(t, info.Size(), int64(4000*30), "the old frames are there")

	s.open()
	s.write("after", 10)
	require.NotEqual(t, first.Generation, s.shipped().Generation)
	s.close()
	_, got := s.restored(restore.Target{})
	require.Len(t, got, 50)
}

// A staged file that the disk lost or damaged is nothing to go on from.
func TestADamagedStagedFileBeginsAGeneration(t *testing.T) {
	s := newShop(t)
	s.open()
	s.write("first", 10)
	first := s.shipped()
	s.close()
	staged := filepath.Join(s.data, "ship", "staged", "ltx", "0")
	entries, err := os.ReadDir(staged)
	require.NoError(t, err)
	newest := filepath.Join(staged, entries[len(entries)-1].Name())
	raw, err := os.ReadFile(newest)
	require.NoError(t, err)
	raw[len(raw)/2] ^= 1
	require.NoError(t, os.WriteFile(newest, raw, 0o600))
	s.open()
	s.write("second", 10)
	require.NotEqual(t, first.Generation, s.shipped().Generation)
	s.close()
	_, got := s.restored(restore.Target{})
	require.Len(t, got, 20)
}

// A file that would expire stays for as long as somebody has to copy it.
func TestAFileThatIsNeededOutlivesItsTime(t *testing.T) {
	s := newShop(t)
	s.cfg.Keep, s.cfg.KeepFine = time.Nanosecond, time.Nanosecond
	var needed atomic.Bool
	needed.Store(true)
	s.needed = func(spool.File) bool { return needed.Load() }
	s.open()
	s.write("a", 3)
	require.Eventually(t, func() bool {
		status, err := s.ship.Status(t.Context())
		return err == nil && status.Lag == 0 && status.Transaction > 0
	}, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, s.ship.Full(t.Context()))
	all, err := s.ship.Spool().List(t.Context(), "")
	require.NoError(t, err)
	require.Greater(t, len(all), 1)
	require.NoError(t, s.ship.Maintain(t.Context(), 2))
	kept, err := s.ship.Spool().List(t.Context(), "")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(kept), len(all))
	needed.Store(false)
	require.NoError(t, s.ship.Maintain(t.Context(), 2))
	kept, err = s.ship.Spool().List(t.Context(), "")
	require.NoError(t, err)
	require.Less(t, len(kept), len(all))
	s.close()
}
