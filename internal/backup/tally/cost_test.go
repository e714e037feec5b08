package tally_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/tally"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
	"panshi/internal/id"
)

// What counting costs, on demand: PANSHI_TALLY_ORDERS=1000000 go test -run Cost.
// All days once, then today alone, and rows.
func TestCost(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("PANSHI_TALLY_ORDERS"))
	if err != nil {
		t.Skip("PANSHI_TALLY_ORDERS is not set")
	}
	d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir(), StatementLimit: time.Hour})
	require.NoError(t, err)
	s := newShop(t, d)
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	const days = 730
	for day := range days {
		s.exec(fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO orders (id, merchant_id, order_no, status, currency, total, contact_kind, contact_sealed, contact_index, lang, expires_at, created_at)
			SELECT CAST(unhex(printf('%%012x', $1 + i)) || randomblob(10) AS BLOB), $2, hex(randomblob(10)), 'completed', 'CNY', i, 'email', randomblob(80),
				randomblob(32), 'zh-CN', 1, 1 FROM n`, n/days), start.AddDate(0, 0, day).UnixMilli(), s.merchant)
		s.exec(`INSERT INTO ledger_postings SELECT o.id, l.column1, o.merchant_id, 'a' || l.column1, o.total, 'CNY'
			FROM orders o, (VALUES (0), (1)) l WHERE o.id >= $1`, idOf(start.AddDate(0, 0, day)))
	}
	c := tally.NewCounter([]string{"orders", "ledger_postings", "order_lines"})
	at := start.AddDate(0, 0, days-1).Add(12 * time.Hour)
	began := time.Now()
	require.NoError(t, c.CatchUp(t.Context(), d, at))
	t.Logf("closed days: %v", time.Since(began).Round(time.Millisecond))
	for _, what := range []string{"today and rows", "today"} {
		began := time.Now()
		require.NoError(t, d.View(db.WithLong(t.Context()), func(tx *db.Tx) error {
			sums, err := c.Count(tx, at)
			t.Logf("%s: %v, %d order totals", what, time.Since(began).Round(time.Millisecond), len(sums.Orders))
			return err
		}))
	}
	require.NoError(t, d.Close())
}

func idOf(at time.Time) []byte {
	v := id.Lowest(at)
	return v[:]
}
