package dbtest

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	_ "panshi/internal/db/sqlite" // brings the driver
)

// Shrink writes an SQLite file anew without its empty pages, as an administrator
// may with other tools while the shop stands still.
func Shrink(t testing.TB, path string) {
	t.Helper()
	pool, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = pool.ExecContext(t.Context(), "VACUUM")
	require.NoError(t, errors.Join(err, pool.Close()))
}
