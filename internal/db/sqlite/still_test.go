package sqlite_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/sqlite"
)

// A copy is read as it stands, and stays byte by byte what it was.
func TestACopyIsReadAndNotTouched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO leases (name, holder, fence, until_ms) VALUES ($1, $2, 1, 1)`, "a", "b")
		return err
	}))
	require.NoError(t, d.Close())
	path := dir + "/" + sqlite.FileName
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	copied := t.TempDir() + "/some?name#1.db"
	require.NoError(t, os.WriteFile(copied, before, 0o600))

	s, err := sqlite.OpenStill(copied)
	require.NoError(t, err)
	var holder string
	require.NoError(t, s.View(t.Context(), func(tx *db.Tx) error {
		return tx.Get([]any{&holder}, `SELECT holder FROM leases WHERE name = $1`, "a")
	}))
	require.Equal(t, "b", holder)
	require.Error(t, s.View(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`DELETE FROM leases`)
		return err
	}))
	require.NoError(t, s.Close())
	after, err := os.ReadFile(copied)
	require.NoError(t, err)
	require.Equal(t, before, after)
	for _, beside := range []string{"-wal", "-shm", "-journal"} {
		require.NoFileExists(t, copied+beside)
	}
	missing, err := sqlite.OpenStill(t.TempDir() + "/none.db")
	require.NoError(t, err)
	require.Error(t, missing.View(t.Context(), func(*db.Tx) error { return nil }))
	require.NoError(t, missing.Close())
}
