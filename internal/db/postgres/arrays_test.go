package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// TestLists sends every kind of list to a real server and reads back what it
// understood.
func TestLists(t *testing.T) {
	d := dbtest.Postgres(t)
	one := id.New()
	type row struct {
		owner id.ID
		name  string
		n     int64
		raw   []byte
	}
	scan := func(rows db.Rows) (row, error) {
		var r row
		err := rows.Scan(&r.owner, &r.name, &r.n, &r.raw)
		return r, err
	}
	query := `SELECT i.owner, i.name, i.n, i.raw FROM UNNEST($1::BYTEA[], $2::TEXT[], $3::BIGINT[], $4::BYTEA[])
		WITH ORDINALITY AS i(owner, name, n, raw, at) ORDER BY i.at`
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		rows, err := db.Collect(tx, scan, query,
			[]id.ID{one, {}}, []string{`磐石 {"a",b}`, ""}, []int64{-1, 1 << 62}, [][]byte{{}, nil})
		require.NoError(t, err)
		require.Equal(t, []row{{one, `磐石 {"a",b}`, -1, []byte{}}, {id.ID{}, "", 1 << 62, nil}}, rows)

		rows, err = db.Collect(tx, scan, query, []id.ID{}, []string(nil), []int64{}, [][]byte{})
		require.NoError(t, err)
		require.Empty(t, rows)

		var n int
		require.NoError(t, tx.Get([]any{&n}, `SELECT COUNT(*) FROM merchants WHERE id = ANY($1)`, []id.ID{one}))
		require.Zero(t, n)

		_, err = tx.Exec(`DELETE FROM leases WHERE name = ANY($1)`, []string{"a\x00"})
		require.Equal(t, "invalid_text", errs.CodeOf(err))
		_, err = tx.Exec(`DELETE FROM leases WHERE name = ANY($1)`, []int64{1})
		require.ErrorContains(t, err, "does not fit")
		_, err = tx.Exec(`DELETE FROM leases WHERE name = $1`, []string{"a"})
		require.ErrorContains(t, err, "does not fit")
		return nil
	}))
}
