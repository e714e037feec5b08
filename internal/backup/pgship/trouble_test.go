package pgship_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/pgship"
	"panshi/internal/backup/pgtest"
	"panshi/internal/backup/pgwal"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/db/pgserver"
	"panshi/internal/errs"
)

// small puts the spool on a disk of a few megabytes; fill takes all of it, and
// free gives it back.
func small(t *testing.T, w *pgtest.World) (fill, free func()) {
	t.Helper()
	w.Config.Spool = t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", w.Config.Spool, "tmpfs", 0, "mode=0700,size=64m"), "mounting needs root")
	t.Cleanup(func() { w.Close(); require.NoError(t, syscall.Unmount(w.Config.Spool, 0)) })
	ballast := filepath.Join(w.Config.Spool, "ballast")
	return func() {
			file, err := os.Create(ballast)
			require.NoError(t, err)
			for err == nil {
				_, err = file.Write(make([]byte, 4096))
			}
			require.ErrorIs(t, err, syscall.ENOSPC)
			require.NoError(t, file.Close())
		}, func() {
			require.NoError(t, os.Remove(ballast))
		}
}

// A spool whose disk is full holds up no commit, is seen as that, and has
// everything once there is space again.
func TestAFullSpoolIsSeenAndCaughtUp(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	fill, free := small(t, w)
	w.Start()
	w.Settled()
	generation := w.Status().Generation
	fill()
	w.Sell(1, 5000)
	w.Until(func() bool { return w.Status().Failure == "spool_full" }, "it is told")
	w.Until(func() bool { return w.Ship.Lag() > time.Second }, "lag grows")
	free()
	w.Settled()
	w.Until(func() bool { return w.Status().Failure == "" && w.Ship.Lag() == 0 }, "it is over")
	require.Equal(t, generation, w.Status().Generation)
	w.Unbroken(generation)
}

// A spool that takes nothing for too long costs the history, and not the
// server's disk: the slot is dropped, and made again when there is space.
func TestASpoolThatTakesNothingDoesNotFillTheServer(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Config.SlotMax = 6 << 20
	fill, free := small(t, w)
	w.Start()
	w.Settled()
	first := w.Status().Generation
	fill()
	w.Sell(1, 5000)
	w.Until(func() bool { return w.Ship.Failing() }, "the spool takes nothing")
	w.Exec("SELECT pg_switch_wal()", "CREATE TABLE a (n int)", "SELECT pg_switch_wal()", "CREATE TABLE b (n int)")
	w.Until(func() bool { return w.Text("SELECT count(*)::text FROM pg_replication_slots") == "0" }, "the slot goes")
	w.Sell(5001, 10000) // nobody keeps anything for us
	require.Equal(t, "0", w.Text("SELECT count(*)::text FROM pg_replication_slots"))
	free()
	w.Until(func() bool { return w.Status().Generation != first }, "a new generation")
	w.Settled()
	require.Equal(t, "backup_slot_dropped", w.Status().Broken)
	w.Unbroken(w.Status().Generation)
}

// The server's own bound invalidates the slot while the shop stands still.
func TestAnInvalidatedSlotBeginsAGeneration(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Exec("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'", "SELECT pg_reload_conf()")
	w.Start()
	w.Settled()
	first := w.Status().Generation
	w.Close()
	for range 4 {
		w.Exec("CREATE TABLE IF NOT EXISTS filler (n int)", "DROP TABLE filler", "SELECT pg_switch_wal()")
	}
	w.Exec("CHECKPOINT")
	require.Equal(t, "lost", w.Text("SELECT wal_status FROM pg_replication_slots"))
	w.Start()
	w.Settled()
	require.NotEqual(t, first, w.Status().Generation)
	require.Equal(t, "backup_slot_lost", w.Status().Broken)
}

// Two machines with one slot: the second waits, says why, and takes over.
func TestASecondMachineWaitsForTheSlot(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Start()
	w.Settled()
	other := w.Config
	other.Spool = filepath.Join(t.TempDir(), "spool")
	second := pgship.New(other, func(spool.File) bool { return false }, clock.System{}, slog.New(slog.DiscardHandler))
	require.NoError(t, second.Start(context.Background(), w.Cipher, pgtest.Daily()))
	failure := func() string {
		status, err := second.Status(context.Background())
		require.NoError(t, err)
		return status.Failure
	}
	w.Until(func() bool { return failure() == "backup_slot_taken" }, "it waits")
	w.Close()
	w.Until(func() bool { return failure() == "" && second.Transaction() > 0 }, "it takes over")
	w.Sell(1, 10)
	require.NoError(t, second.Close())

	w.Start() // the first one's history has a hole now
	w.Settled()
	require.Equal(t, "backup_slot_lost", w.Status().Broken)
	third := pgship.New(w.Config, func(spool.File) bool { return false }, clock.System{}, slog.New(slog.DiscardHandler))
	require.Equal(t, "spool_in_use", errs.CodeOf(third.Start(context.Background(), w.Cipher, pgtest.Daily())))
	require.NoError(t, third.Close())
}

// A server that hangs commits nothing that we see, and lag says so.
func TestAHangingServerIsLag(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Start()
	w.Settled()
	w.Until(func() bool { return w.Ship.Lag() == 0 }, "no lag")
	w.Node.Hang()
	w.Until(func() bool { return w.Ship.Lag() > 3*time.Second }, "lag grows")
	w.Node.Wake()
	w.Until(func() bool { return w.Ship.Lag() == 0 }, "no lag again")
}

// Nor does it hold up who stops the shop, though it reads nothing of what is
// said to it.
func TestAHangingServerHoldsUpNoStop(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Config.Interval = 5 * time.Millisecond // so that what is said fills the connection
	w.Start()
	w.Settled()
	w.Node.Hang()
	w.Until(func() bool { return w.Ship.Lag() > 5*time.Second }, "lag grows")
	began := clock.System{}.Now()
	w.Close()
	require.Less(t, clock.System{}.Now().Sub(began), 20*time.Second)
}

// A base that is cut off leaves nothing, and is made again.
func TestABaseThatIsCutOffIsMadeAgain(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Sell(1, 200_000)
	w.Start()
	w.Until(func() bool {
		return w.Text("SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_progress_basebackup WHERE phase = 'streaming database files'") != "0"
	}, "a base is cut off")
	w.Until(func() bool { return w.Ship.Failing() }, "it is told")
	w.Settled()
	w.Until(func() bool { return !w.Ship.Failing() }, "it is over")
	require.Len(t, w.Bases(), 1)
	w.Unbroken(w.Status().Generation)
}

// Pieces become files of minutes with the very log that they had.
func TestPiecesAreMerged(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	now := clock.NewManual(time.Now())
	w.Clock = now
	w.Start()
	w.Settled()
	for i := range 5 {
		w.Sell(i*100+1, (i+1)*100)
		w.Settled()
		now.Advance(2 * time.Minute)
	}
	w.Sell(1001, 1010)
	w.Settled()
	now.Advance(11 * time.Minute)
	require.NoError(t, w.Ship.Merge(context.Background()))
	generation := w.Status().Generation
	merged, pieces := w.Ship.Spool().Level(generation, pgwal.LevelMerged, 0), w.Ship.Spool().Level(generation, pgwal.LevelPiece, 0)
	require.GreaterOrEqual(t, len(merged), 2)
	require.Equal(t, pieces[0].First, merged[0].First)
	require.Less(t, len(merged), len(pieces))
	w.Unbroken(generation)
}

// A base stands in the spool only when the log that it needs stands there: here
// the server's process that sends the log is held up meanwhile.
func TestABaseWaitsForItsLog(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Start()
	w.Settled()
	pid := int(pgtest.Parse(t, w.Text("SELECT pid::text FROM pg_stat_replication WHERE state = 'streaming'")))
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) }) // it may have ended
	w.Ship.WantFull()
	w.Until(func() bool { return w.Text("SELECT count(*)::text FROM pg_stat_progress_basebackup") == "1" }, "a base is made")
	w.Until(func() bool { return w.Text("SELECT count(*)::text FROM pg_stat_progress_basebackup") == "0" }, "all of it was sent")
	time.Sleep(time.Second) // and could have arrived
	require.Len(t, w.Bases(), 1)
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	w.Until(func() bool { return len(w.Bases()) == 2 }, "it arrives")
}

// What lies outside the server's data directory cannot be copied with it, and
// is not passed over in silence.
func TestTablespacesAreRefused(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	apart, err := os.MkdirTemp("", "panshi-apart-") //nolint:usetesting // the server's account cannot enter that one
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(apart)) })
	who, err := pgserver.Account()
	require.NoError(t, errors.Join(err, pgserver.Give(apart, who)))
	w.Exec("CREATE TABLESPACE apart LOCATION '" + apart + "'")
	w.Start()
	w.Until(func() bool { return w.Status().Failure == "backup_tablespaces" }, "it is told")
	require.Empty(t, w.Bases())
}
