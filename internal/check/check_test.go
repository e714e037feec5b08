package check_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/check"
	"panshi/internal/db/dbtest"
	"panshi/internal/invariant"
)

func TestViolationsAreShownWhateverTheyAreMadeOf(t *testing.T) {
	report, err := check.Run(t.Context(), dbtest.SQLite(t), []invariant.Invariant{
		{Name: "ids and numbers", Query: `SELECT x'0aff', 42 UNION ALL SELECT 'text', NULL`},
		{Name: "many", Query: `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT i, i FROM n`},
		{Name: "none", Query: `SELECT 1, 2 WHERE 1 = 0`},
	}, func(string, int, int) {})
	require.NoError(t, err)
	require.Equal(t, []check.Violation{{Subject: "0aff", Detail: "42"}, {Subject: "text"}}, report.Results[0].Violations)
	require.Equal(t, 50, report.Results[1].Count)
	require.Len(t, report.Results[1].Violations, check.MaxShown)
	require.Zero(t, report.Results[2].Count)
	require.Equal(t, 52, report.Violations)
}
