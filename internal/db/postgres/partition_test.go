package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
	"panshi/internal/id"
)

// archiveAt writes an archived audit record whose id was made at a time.
func archiveAt(tx *db.Tx, at time.Time) error {
	v := id.Lowest(at)
	v[15] = 1
	_, err := tx.Exec(`INSERT INTO archived_audit_records (id, merchant_id, actor_kind, action, subject_kind, at)
		VALUES ($1, $1, 'test', 'test', 'test', $2)`, v, db.Millis(at))
	return err
}

// TestPartitionsAreMonths: rows lie in the partition that bears their month's
// name, to the millisecond; a month is made once; rows that came before their
// month was made stay where they are, and so do those that come after them.
func TestPartitionsAreMonths(t *testing.T) {
	d := dbtest.Postgres(t)
	const table = "archived_audit_records"
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	require.NoError(t, update(d, func(tx *db.Tx) error {
		for _, m := range []db.Month{202602, 202603, 202602, 202603} {
			if err := db.PartitionTx(tx, table, m); err != nil {
				return err
			}
		}
		for _, at := range []time.Time{march.Add(-time.Millisecond), march, march.AddDate(0, 1, 0)} {
			if err := archiveAt(tx, at); err != nil {
				return err
			}
		}
		if err := db.PartitionTx(tx, table, 202604); err != nil {
			return err
		}
		return archiveAt(tx, march.AddDate(0, 1, 1))
	}))
	var places []string
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) (err error) {
		places, err = db.Collect(tx, func(r db.Rows) (s string, err error) { return s, r.Scan(&s) },
			`SELECT CAST(CAST(tableoid AS regclass) AS text) FROM archived_audit_records ORDER BY id`)
		return err
	}))
	require.Equal(t, []string{table + "_202602", table + "_202603", table + "_default", table + "_default"}, places)
}

// TestPartitionsLeaveNobodyWaiting: whoever reads the archive for long holds a
// new month up, and nobody else.
func TestPartitionsLeaveNobodyWaiting(t *testing.T) {
	d := dbtest.Postgres(t, func(c *postgres.Config) { c.StatementLimit = time.Minute })
	month := func() error {
		return update(d, func(tx *db.Tx) error { return db.PartitionTx(tx, "archived_orders", 202605) })
	}
	read := func(tx *db.Tx) (err error) {
		var n int64
		return tx.Get([]any{&n}, `SELECT COUNT(*) FROM archived_orders`)
	}
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
		if err := read(tx); err != nil {
			return err
		}
		start := time.Now()
		require.ErrorIs(t, month(), db.ErrBusy)
		require.Less(t, time.Since(start), 30*time.Second, "the limit of a wait for a lock is 45 s elsewhere")
		return d.View(t.Context(), read)
	}))
	require.NoError(t, month())
}
