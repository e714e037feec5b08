package pgship_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/pgship"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/errs"
)

func TestEveryCommitReachesTheSpoolWithinTheInterval(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	w.settled()
	w.sell(1, 1000)
	began := clock.System{}.Now()
	w.settled()
	require.Less(t, clock.System{}.Now().Sub(began), 5*time.Second)
	w.until(func() bool { return w.ship.Lag() == 0 }, "no lag")
	require.Empty(t, w.status().Failure)
	w.unbroken(w.status().Generation)
}

func TestAHistoryGoesOnAfterEveryInterruption(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	w.settled()
	generation := w.status().Generation
	w.sell(1, 1000)
	w.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_replication") // the stream is cut
	w.sell(1001, 2000)
	w.settled()
	w.node.Stop() // the server crashes
	w.until(func() bool { return w.ship.Lag() > 0 && w.ship.Failing() }, "lag grows while the server is gone")
	w.node.Start()
	w.sell(2001, 3000)
	w.settled()
	w.close() // the shop stops, and the server goes on
	w.sell(3001, 4000)
	w.start()
	w.settled()
	require.Equal(t, generation, w.status().Generation)
	require.Len(t, w.bases(), 1)
	w.unbroken(generation)
}

func TestClosingBringsTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Interval = time.Minute
	w.start()
	w.until(func() bool { return w.ship.Transaction() > 0 }, "a session streams")
	w.sell(1, 1000)
	end := parse(t, w.text("SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text"))
	s := w.ship
	w.close()
	require.GreaterOrEqual(t, s.Transaction(), end)
}

func TestASlotThatIsLostBeginsAGeneration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	w.settled()
	first := w.status().Generation
	w.close()
	w.exec("SELECT pg_drop_replication_slot('panshi_backup')")
	w.sell(1, 10)
	w.start()
	w.settled()
	require.NotEqual(t, first, w.status().Generation)
	require.Equal(t, "backup_slot_lost", w.status().Broken)
	w.unbroken(w.status().Generation)
}

func TestAServerThatWasPromotedBeginsAGeneration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	w.settled()
	first := w.status().Generation
	w.close()
	w.node = w.node.Standby(t)
	w.cfg.URL = w.node.URL("postgres")
	w.exec("SELECT pg_promote()", "SELECT pg_create_physical_replication_slot('panshi_backup', true)", "CREATE TABLE more (n int)")
	w.start()
	w.settled()
	require.NotEqual(t, first, w.status().Generation)
	require.Equal(t, "backup_server_changed", w.status().Broken)
}

func TestARefusalSaysWhatToDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec("CREATE ROLE shop LOGIN")
	w.cfg.URL = w.node.URL("postgres") + " user=shop"
	err := pgship.New(w.cfg, func(spool.File) bool { return false }, clock.System{}, slog.New(slog.DiscardHandler)).Start(context.Background(), w.cipher)
	require.Equal(t, "backup_replication_refused", errs.CodeOf(err))
	require.ErrorContains(t, err, `ALTER ROLE "shop" REPLICATION;`)
	w.exec(`ALTER ROLE "shop" REPLICATION`)
	w.start()
	w.settled()
}
