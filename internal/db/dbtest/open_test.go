package dbtest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
)

func TestSQLiteIsFreshAndMigrated(t *testing.T) {
	for range 3 {
		d := dbtest.SQLite(t)
		require.NoError(t, d.Update(context.Background(), func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO leases (name, holder, fence, until_ms) VALUES ($1, $2, $3, $4)`, "x", "me", 1, 2)
			return err
		}))
		var n int
		require.NoError(t, d.View(context.Background(), func(tx *db.Tx) error {
			return tx.Get([]any{&n}, `SELECT count(*) FROM leases WHERE holder = $1`, "me")
		}))
		require.Equal(t, 1, n)
	}
}

func TestOpenFollowsTheEnvironment(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.Postgres} {
		t.Setenv(dbtest.EngineVariable, string(engine))
		d := dbtest.Open(t, dbtest.Options{})
		require.NoError(t, d.View(context.Background(), func(tx *db.Tx) error {
			require.Equal(t, engine, tx.Engine())
			return nil
		}))
	}
	t.Setenv(dbtest.EngineVariable, "")
	require.Equal(t, db.SQLite, dbtest.Engine())
}
