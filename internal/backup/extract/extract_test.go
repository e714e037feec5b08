package extract_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/extract"
	"panshi/internal/dataclass"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
)

// schema says of leases what it is not, so that every class can be seen.
func schema() extract.Schema {
	return extract.NewSchema([]dataclass.Table{dataclass.Of("leases", dataclass.Trade, []string{"name", "fence"},
		map[string]dataclass.Class{"holder": dataclass.PII})}) // until_ms has no class
}

// state is a database with some leases: name, holder, fence.
func state(t *testing.T, rows ...[3]any) *sqlite.Still {
	t.Helper()
	path := filepath.Join(t.TempDir(), sqlite.FileName)
	d, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	require.NoError(t, err)
	for _, r := range rows {
		require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO leases (name, holder, fence, until_ms) VALUES ($1, $2, $3, 4242)`, r[0], r[1], r[2])
			return err
		}))
	}
	require.NoError(t, d.Close())
	s, err := sqlite.OpenStill(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// What is not public or trade leaves as a digest, and so does what nobody gave a
// class.
func TestOnlyOpenClassesLeave(t *testing.T) {
	t.Parallel()
	d := state(t, [3]any{"a", "13800000001", 7}, [3]any{"b", "13800000001", 8})
	parts, err := schema().Parts(t.Context(), d, extract.Want{Table: "leases"})
	require.NoError(t, err)
	dir := t.TempDir()
	files, err := schema().Write(t.Context(), d, parts, dir)
	require.NoError(t, err)
	require.Equal(t, []extract.File{{Table: "leases", Name: "leases.jsonl", Rows: 2}}, files)
	text, err := os.ReadFile(filepath.Join(dir, "leases.jsonl"))
	require.NoError(t, err)
	require.NotContains(t, string(text), "13800000001")
	require.NotContains(t, string(text), "4242")
	var row map[string]any
	require.NoError(t, json.Unmarshal(text[:len(text)/2], &row))
	require.Equal(t, "a", row["name"])
	require.InDelta(t, 7, row["fence"], 0)
	require.Contains(t, row["holder"], "sealed:")

	_, err = schema().Parts(t.Context(), d, extract.Want{Table: "sqlite_schema"})
	require.Equal(t, "extract_table_unknown", errs.CodeOf(err))
	_, err = schema().Parts(t.Context(), d, extract.Want{Order: "20260101"})
	require.Equal(t, "extract_order_unknown", errs.CodeOf(err))
}

// Every row is missing, changed, new or the same; twenty of each are named.
func TestRowsThatDifferAreNamed(t *testing.T) {
	t.Parallel()
	var was, is [][3]any
	for i := range 25 {
		was = append(was, [3]any{fmt.Sprintf("gone %02d", i), "h", 1})
		is = append(is, [3]any{fmt.Sprintf("new %02d", i), "h", 1})
	}
	was = append(was, [3]any{"same", "h", 1}, [3]any{"fence", "h", 1}, [3]any{"both", "h", 1})
	is = append(is, [3]any{"same", "h", 1}, [3]any{"fence", "h", 2}, [3]any{"both", "other", 2})
	before, after := state(t, was...), state(t, is...)
	parts, err := schema().Parts(t.Context(), before, extract.Want{Table: "leases"})
	require.NoError(t, err)
	diffs, err := schema().Compare(t.Context(), before, after, parts)
	require.NoError(t, err)
	require.Len(t, diffs, 1)
	d := diffs[0]
	require.Equal(t, [3]int64{25, 2, 25}, [3]int64{d.Missing.Count, d.Changed.Count, d.New.Count})
	require.Len(t, d.Missing.First, 20)
	require.Equal(t, "name=gone 00", d.Missing.First[0])
	require.Len(t, d.New.First, 20)
	require.ElementsMatch(t, []string{"name=fence: fence", "name=both: holder, fence"}, d.Changed.First)
}
