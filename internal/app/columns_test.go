package app_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
	"panshi/internal/check"
	"panshi/internal/dataclass"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
)

// schema reads every column of every table of a migrated database, as
// "table.column".
func schema(t *testing.T) map[string]bool {
	t.Helper()
	columns := map[string]bool{}
	for table, names := range dbtest.Columns(t, dbtest.Open(t, dbtest.Options{})) {
		for _, name := range names {
			columns[table+"."+name] = true
		}
	}
	return columns
}

func TestEveryColumnHasOneClass(t *testing.T) {
	stored := schema(t)
	declared := map[string]dataclass.Class{}
	for _, table := range app.Columns() {
		for column, class := range table.Columns {
			name := table.Name + "." + column
			if dbtest.Engine() != db.SQLite && strings.HasPrefix(name, "_litestream_") {
				continue // the log shipper's own
			}
			require.NotContains(t, declared, name, "declared twice")
			require.Contains(t, stored, name, "declared, but not in the schema")
			require.Contains(t, []dataclass.Class{dataclass.Public, dataclass.Trade, dataclass.Goods, dataclass.PII, dataclass.Secret}, class)
			declared[name] = class
		}
	}
	for name := range stored {
		require.Contains(t, declared, name, "a column without a data class")
	}
	for name, class := range declared {
		if strings.HasSuffix(name, "_sealed") {
			require.NotContains(t, []dataclass.Class{dataclass.Public, dataclass.Trade}, class, name)
		}
	}
}

func TestEveryInvariantRunsAndIsNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, inv := range app.Invariants() {
		require.Regexp(t, `^[a-z]+\.[a-z0-9_]+$`, inv.Name)
		require.False(t, seen[inv.Name], inv.Name)
		require.NotEmpty(t, inv.About)
		seen[inv.Name] = true
	}
	report, err := check.Run(t.Context(), dbtest.Open(t, dbtest.Options{}), app.Invariants(), func(string, int, int) {})
	require.NoError(t, err)
	require.Zero(t, report.Violations)
	require.Len(t, report.Results, len(seen))
}
