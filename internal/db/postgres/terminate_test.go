package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/postgres"
)

// terminate ends the victim's connections that are in a state, and
// tells how many.
func terminate(t *testing.T, by *postgres.DB, state string) (n int64) {
	t.Helper()
	pids := func() (pids []int64) {
		require.NoError(t, by.View(context.Background(), func(tx *db.Tx) (err error) {
			pids, err = db.Collect(tx, func(r db.Rows) (pid int64, err error) { return pid, r.Scan(&pid) },
				`SELECT pid::bigint FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'victim' AND state = $1`, state)
			return err
		}))
		return pids
	}
	victims := pids()
	for _, pid := range victims {
		require.NoError(t, update(by, func(tx *db.Tx) error {
			return tx.Get([]any{new(bool)}, `SELECT pg_terminate_backend($1::int)`, pid)
		}))
	}
	require.Eventually(t, func() bool { return len(pids()) == 0 }, 30*time.Second, 5*time.Millisecond)
	return int64(len(victims))
}

// twoOn opens one database twice: as the victim and as who ends it.
func twoOn(t *testing.T, more string) (d, by *postgres.DB) {
	t.Helper()
	var url string
	by = own(t, tables+more, func(c *postgres.Config) { url = c.URL })
	d, err := postgres.Open(context.Background(), postgres.Config{URL: url + " application_name=victim", Migrations: schema(tables + more)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d, by
}

// TestEndedWhileIdle: the server is restarted, or an administrator ends idle
// connections; whoever comes next notices nothing.
func TestEndedWhileIdle(t *testing.T) {
	d, by := twoOn(t, "")
	require.NoError(t, update(d, func(tx *db.Tx) error { return add(tx, 1) }))
	require.Positive(t, terminate(t, by, "idle"))
	runs := 0
	require.NoError(t, update(d, func(tx *db.Tx) error { runs++; return add(tx, 1) }))
	require.EqualValues(t, 2, number(t, d, `SELECT v FROM item WHERE k = 1`))
	require.Positive(t, terminate(t, by, "idle"))
	require.EqualValues(t, 2, number(t, d, `SELECT v FROM item WHERE k = 1`), "a View too")
}

// TestEndedBetweenStatements: the connection ends while a closure thinks. What
// it wrote is gone, so it runs again.
func TestEndedBetweenStatements(t *testing.T) {
	d, by := twoOn(t, "")
	runs := 0
	require.NoError(t, update(d, func(tx *db.Tx) error {
		if err := add(tx, 1); err != nil {
			return err
		}
		if runs++; runs == 1 {
			require.EqualValues(t, 1, terminate(t, by, "idle in transaction"))
		}
		return add(tx, 2)
	}))
	require.Equal(t, 2, runs)
	require.EqualValues(t, 1, number(t, d, `SELECT v FROM item WHERE k = 1`))
	require.EqualValues(t, 1, number(t, d, `SELECT v FROM item WHERE k = 2`))
}

// TestEndedDuringCommit: the server ends the connection in the middle of
// COMMIT. Nobody on this side can tell whether it came in time, so nothing runs
// again by itself.
func TestEndedDuringCommit(t *testing.T) {
	d, _ := twoOn(t, `
		CREATE FUNCTION fall() RETURNS TRIGGER LANGUAGE plpgsql AS $$
		BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10); RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER late AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fall();`)
	runs := 0
	require.ErrorIs(t, update(d, func(tx *db.Tx) error { runs++; return put(tx, 7) }), db.ErrUnknown)
	require.Equal(t, 1, runs)
	require.Zero(t, number(t, d, `SELECT count(*) FROM item WHERE k = 7`))
	require.EqualValues(t, 1, d.Stats().Unknown)
}
