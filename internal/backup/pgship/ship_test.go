package pgship_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/pgship"
	"panshi/internal/backup/pgtest"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/errs"
)

func TestEveryCommitReachesTheSpoolWithinTheInterval(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Start()
	w.Settled()
	w.Sell(1, 1000)
	began := clock.System{}.Now()
	w.Settled()
	require.Less(t, clock.System{}.Now().Sub(began), 5*time.Second)
	w.Until(func() bool { return w.Ship.Lag() == 0 }, "no lag")
	require.Empty(t, w.Status().Failure)
	w.Unbroken(w.Status().Generation)
}

func TestAHistoryGoesOnAfterEveryInterruption(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Start()
	w.Settled()
	generation := w.Status().Generation
	w.Sell(1, 1000)
	w.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_replication") // the stream is cut
	w.Sell(1001, 2000)
	w.Settled()
	w.Node.Stop() // the server crashes
	w.Until(func() bool { return w.Ship.Lag() > 0 && w.Ship.Failing() }, "lag grows while the server is gone")
	w.Node.Start()
	w.Sell(2001, 3000)
	w.Settled()
	w.Close() // the shop stops, and the server goes on
	w.Sell(3001, 4000)
	w.Start()
	w.Settled()
	require.Equal(t, generation, w.Status().Generation)
	require.Len(t, w.Bases(), 1)
	w.Unbroken(generation)
}

func TestClosingBringsTheRest(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Config.Interval = time.Minute
	w.Start()
	w.Until(func() bool { return w.Ship.Transaction() > 0 }, "a session streams")
	w.Sell(1, 1000)
	end := pgtest.Parse(t, w.Text("SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text"))
	s := w.Ship
	w.Close()
	require.GreaterOrEqual(t, s.Transaction(), end)
}

func TestASlotThatIsLostBeginsAGeneration(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Start()
	w.Settled()
	first := w.Status().Generation
	w.Close()
	w.Exec("SELECT pg_drop_replication_slot('panshi_backup')")
	w.Sell(1, 10)
	w.Start()
	w.Settled()
	require.NotEqual(t, first, w.Status().Generation)
	require.Equal(t, "backup_slot_lost", w.Status().Broken)
	w.Unbroken(w.Status().Generation)
}

func TestAServerThatWasPromotedBeginsAGeneration(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Start()
	w.Settled()
	first := w.Status().Generation
	w.Close()
	w.Node = w.Node.Standby(t)
	w.Config.URL = w.Node.URL("postgres")
	w.Exec("SELECT pg_promote()", "SELECT pg_create_physical_replication_slot('panshi_backup', true)", "CREATE TABLE more (n int)")
	w.Start()
	w.Settled()
	require.NotEqual(t, first, w.Status().Generation)
	require.Equal(t, "backup_server_changed", w.Status().Broken)
}

func TestARefusalSaysWhatToDo(t *testing.T) {
	t.Parallel()
	w := pgtest.New(t)
	w.Exec("CREATE ROLE shop LOGIN")
	w.Config.URL = w.Node.URL("postgres") + " user=shop"
	err := pgship.New(w.Config, func(spool.File) bool { return false }, clock.System{}, slog.New(slog.DiscardHandler)).Start(context.Background(), w.Cipher, pgtest.Daily())
	require.Equal(t, "backup_replication_refused", errs.CodeOf(err))
	require.ErrorContains(t, err, `ALTER ROLE "shop" REPLICATION;`)
	w.Exec(`ALTER ROLE "shop" REPLICATION`)
	w.Start()
	w.Settled()
}
