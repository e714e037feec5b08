package check_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/check"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/invariant"
)

func TestViolationsAreShownWhateverTheyAreMadeOf(t *testing.T) {
	bytes := `x'0aff'`
	if dbtest.Engine() == db.Postgres {
		bytes = `'\x0aff'::bytea`
	}
	report, err := check.Run(t.Context(), dbtest.Open(t, dbtest.Options{}), []invariant.Invariant{
		{Name: "ids and numbers", Query: `SELECT ` + bytes + `, 42`},
		{Name: "text and nothing", Query: `SELECT 'text', NULL`},
		{Name: "many", Query: `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT i, i FROM n`},
		{Name: "none", Query: `SELECT 1, 2 WHERE 1 = 0`},
	}, func(string, int, int) {})
	require.NoError(t, err)
	require.Equal(t, []check.Violation{{Subject: "0aff", Detail: "42"}}, report.Results[0].Violations)
	require.Equal(t, []check.Violation{{Subject: "text"}}, report.Results[1].Violations)
	require.Equal(t, 50, report.Results[2].Count)
	require.Len(t, report.Results[2].Violations, check.MaxShown)
	require.Zero(t, report.Results[3].Count)
	require.Equal(t, 52, report.Violations)
}
