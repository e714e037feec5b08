package transfer_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/transfer"
	"panshi/internal/errs"
)

// strange is a table of a later migration with every type and a key of three.
func strange(t *testing.T, d db.DB) {
	t.Helper()
	exec(t, d, `CREATE TABLE strange (place TEXT NOT NULL, n INTEGER NOT NULL, raw BLOB NOT NULL, "order" TEXT, big INTEGER,
		body BLOB, merchant_id BLOB, PRIMARY KEY (place, n, raw)) STRICT`,
		`CREATE TABLE strange (big BIGINT, "order" TEXT, place TEXT COLLATE "C" NOT NULL, n BIGINT NOT NULL, body BYTEA,
		merchant_id BYTEA, raw BYTEA NOT NULL, PRIMARY KEY (place, n, raw))`)
}

// exec runs a statement, of which PostgreSQL may have its own text.
func exec(t *testing.T, d db.DB, query string, postgres ...string) {
	t.Helper()
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		if tx.Engine() == db.Postgres && len(postgres) > 0 {
			query = postgres[0]
		}
		_, err := tx.Exec(query)
		return err
	}))
}

// fillStrange writes every value that is hard to carry, and more rows than a
// batch and a page have.
func fillStrange(t *testing.T, d db.DB) {
	t.Helper()
	rows := [][]any{
		{"", int64(0), []byte{}, nil, nil, nil},
		{"", int64(math.MinInt64), []byte{0}, "", int64(math.MaxInt64), []byte{}},
		{"", int64(-1), []byte{0xff, 0}, "NULL", int64(math.MinInt64), []byte("NULL")},
		{"\"quoted\" \\back\\slash {a,b}", int64(math.MaxInt64), []byte{0x5c, 0x22}, "\t\n\r", int64(-7), []byte{0}},
		{"磐石 🪨 \u0000"[:len("磐石 🪨 ")], int64(1), []byte("{}"), "ÀÉ e\u0301 \U0010ffff", int64(0), make([]byte, 70_000)},
		{"z\U0010ffff", int64(1), []byte{1}, strings.Repeat("长", 30_000), int64(1), nil},
		{"z\uffff", int64(1), []byte{1}, "sorts before by bytes", int64(1), nil},
	}
	for i := range 9000 {
		rows = append(rows, []any{"many", int64(i - 4500), []byte{byte(i), byte(i >> 8)}, "x", int64(i), []byte{byte(i)}})
	}
	for len(rows) > 0 {
		n := min(len(rows), db.MaxRows)
		require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
			for _, r := range rows[:n] {
				if _, err := tx.Exec(`INSERT INTO strange (place, n, raw, "order", big, body) VALUES ($1, $2, $3, $4, $5, $6)`,
					r...); err != nil {
					return err
				}
			}
			return nil
		}))
		rows = rows[n:]
	}
}

func silent(transfer.Progress) {}

// both runs a test for each direction, and between two databases of one
// engine.
func both(t *testing.T, test func(t *testing.T, from, to db.DB)) {
	t.Run("up", func(t *testing.T) { test(t, dbtest.SQLite(t), dbtest.Postgres(t)) })
	if testing.Short() {
		return // the race detector learns nothing from the other directions
	}
	t.Run("down", func(t *testing.T) { test(t, dbtest.Postgres(t), dbtest.SQLite(t)) })
	t.Run("beside", func(t *testing.T) { test(t, dbtest.SQLite(t), dbtest.SQLite(t)) })
}

func sides(from, to db.DB) (a, b transfer.Side) {
	return transfer.Side{DB: from, Place: "the old place"}, transfer.Side{DB: to, Place: "the new place"}
}

func begin(t *testing.T, from, to db.DB) *transfer.Move {
	t.Helper()
	a, b := sides(from, to)
	m, err := transfer.Begin(t.Context(), a, b, silent)
	require.NoError(t, err)
	return m
}

func codeOf(from, to db.DB) string {
	a, b := sides(from, to)
	_, err := transfer.Begin(context.Background(), a, b, silent)
	return errs.CodeOf(err)
}

func TestEveryValueArrives(t *testing.T) {
	both(t, func(t *testing.T, from, to db.DB) {
		strange(t, from)
		strange(t, to)
		fillStrange(t, from)
		m := begin(t, from, to)
		require.Equal(t, "shop_moving", errs.CodeOf(transfer.Servable(t.Context(), from)))
		require.Equal(t, "move_unfinished", errs.CodeOf(transfer.Servable(t.Context(), to)))
		require.NoError(t, m.Copy(t.Context()))
		reports, err := m.Verify(t.Context())
		require.NoError(t, err)
		require.Equal(t, "move_unfinished", errs.CodeOf(transfer.Servable(t.Context(), to)))
		require.NoError(t, m.Finish(t.Context()))

		seen := 0
		for _, r := range reports {
			require.Equal(t, r.Source, r.Destination, r.Table)
			if r.Table == "strange" {
				seen++
				require.EqualValues(t, 9007, r.Source.Rows)
				require.Equal(t, map[string]string{"n": "-4499", "big": "40495494"}, r.Source.Sums)
			}
		}
		require.Equal(t, 1, seen)
		require.NoError(t, transfer.Servable(t.Context(), to))
		require.Equal(t, "shop_moved", errs.CodeOf(transfer.Servable(t.Context(), from)))
		require.Equal(t, "shop_moved", codeOf(from, to))
		row := first(t, to)
		require.Equal(t, []any{"", int64(math.MinInt64), []byte{0}, "", int64(math.MaxInt64)}, row[:5])
		require.IsType(t, []byte{}, row[5], "empty is not NULL")
		require.Empty(t, row[5])

		place, err := transfer.Reopen(t.Context(), from)
		require.NoError(t, err)
		require.Equal(t, "the new place", place)
		require.NoError(t, transfer.Servable(t.Context(), from))
	})
}

func first(t *testing.T, d db.DB) []any {
	t.Helper()
	row := make([]any, 6)
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
		return tx.Get([]any{&row[0], &row[1], &row[2], &row[3], &row[4], &row[5]},
			`SELECT place, n, raw, "order", big, body FROM strange ORDER BY place, n, raw LIMIT 1`)
	}))
	return row
}

// TestDamageIsFound changes the destination in each way behind the copy's back.
func TestDamageIsFound(t *testing.T) {
	both(t, func(t *testing.T, from, to db.DB) {
		strange(t, from)
		strange(t, to)
		fillStrange(t, from)
		m := begin(t, from, to)
		require.NoError(t, m.Copy(t.Context()))
		for _, c := range []struct{ damage, mend, says string }{
			{
				`UPDATE strange SET big = big + 1 WHERE n = 17`, `UPDATE strange SET big = big - 1 WHERE n = 17`,
				`row "many", 17, a511 differs in big`,
			},
			{
				`UPDATE strange SET body = NULL WHERE n = -4500 AND place = 'many'`, ``,
				`row "many", -4500, 0000 differs in body`,
			},
		} {
			exec(t, to, c.damage)
			require.Equal(t, c.says, differs(t, m))
			if c.mend != "" {
				exec(t, to, c.mend)
			}
		}
		exec(t, to, `DELETE FROM strange WHERE place = 'many' AND n < -4499`)
		require.Equal(t, `row "many", -4500, 0000 is missing in the destination`, differs(t, m))
		exec(t, to, `DELETE FROM strange WHERE place = '' AND n = 0`)
		require.Equal(t, `row "", 0,  is missing in the destination`, differs(t, m))
		exec(t, to, `INSERT INTO strange (place, n, raw) SELECT place, -5, raw FROM strange WHERE n = -1 AND place = ''`)
		require.Equal(t, `row "", -5, ff00 is only in the destination`, differs(t, m))
		exec(t, from, `DELETE FROM strange`)
		require.Contains(t, differs(t, m), `is only in the destination`)
		require.Equal(t, "move_unfinished", errs.CodeOf(transfer.Servable(t.Context(), to)), "after any of it")
	})
}

func differs(t *testing.T, m *transfer.Move) string {
	t.Helper()
	reports, err := m.Verify(t.Context())
	require.ErrorIs(t, err, transfer.ErrDiffers)
	require.Equal(t, errs.Integrity, errs.KindOf(err))
	for _, r := range reports {
		if r.Table == "strange" {
			require.False(t, r.Same)
			return r.Difference
		}
		require.True(t, r.Same, r.Table)
	}
	return ""
}

var errStop = errors.New("stop")

// TestInterruptedMoveGoesOn cancels the copy again and again, each time in a
// later batch, and begins anew.
func TestInterruptedMoveGoesOn(t *testing.T) {
	both(t, func(t *testing.T, from, to db.DB) {
		strange(t, from)
		strange(t, to)
		fillStrange(t, from)
		a, b := sides(from, to)
		runs := 0
		for {
			ctx, cancel := context.WithCancelCause(t.Context())
			start := int64(-1)
			m, err := transfer.Begin(t.Context(), a, b, func(p transfer.Progress) {
				if start < 0 || p.Done < start+2000 {
					return
				}
				cancel(errStop)
			})
			require.NoError(t, err)
			require.Equal(t, runs > 0, m.Resumed())
			start = copied(t, to)
			err = m.Copy(ctx)
			if err == nil {
				_, err = m.Verify(t.Context())
				require.NoError(t, err)
				require.NoError(t, m.Finish(t.Context()))
				break
			}
			require.ErrorIs(t, err, errStop)
			require.Greater(t, copied(t, to), start)
			runs++
		}
		require.GreaterOrEqual(t, runs, 3)
		require.EqualValues(t, 9007, copied(t, to))
	})
}

func copied(t *testing.T, d db.DB) (n int64) {
	t.Helper()
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error { return tx.Get([]any{&n}, `SELECT COUNT(*) FROM strange`) }))
	return n
}

const aMerchant = `INSERT INTO merchants (id, slug, name, currency, status, created_at, updated_at)
	VALUES (x'00ff', 'other', 'Other', 'CNY', 'open', 1, 1)`

// aMerchantOn is the same in the words of PostgreSQL.
func aMerchantOn() string { return strings.Replace(aMerchant, `x'00ff'`, `'\x00ff'`, 1) }

func TestWhatIsRefused(t *testing.T) {
	both(t, func(t *testing.T, from, to db.DB) {
		exec(t, to, aMerchant, aMerchantOn())
		require.Equal(t, "destination_not_empty", codeOf(from, to))
		require.NoError(t, transfer.Servable(t.Context(), from), "nothing was marked")
		require.NoError(t, transfer.Servable(t.Context(), to))
		exec(t, to, `DELETE FROM merchants`)
		exec(t, to, `INSERT INTO staff_unknown_logins (bucket, failures) VALUES (1, 1)`)

		strange(t, from)
		require.Equal(t, "transfer_unknown_schema", codeOf(from, to), "only one side has the table")
		strange(t, to)
		exec(t, from, `CREATE TABLE odd (id BLOB NOT NULL PRIMARY KEY, price REAL) STRICT`, `CREATE TABLE odd (id BYTEA PRIMARY KEY, price FLOAT8)`)
		require.Equal(t, "transfer_unknown_schema", codeOf(from, to), "a type that nobody knows")
		exec(t, from, `DROP TABLE odd`)
		exec(t, from, `CREATE TABLE odd (id BLOB) STRICT`, `CREATE TABLE odd (id BYTEA)`)
		require.Equal(t, "transfer_unknown_schema", codeOf(from, to), "no primary key")
		exec(t, from, `DROP TABLE odd`)
		require.NoError(t, transfer.Servable(t.Context(), from))

		m := begin(t, from, to)
		require.False(t, m.Resumed())
		require.Equal(t, "move_unfinished", codeOf(to, from), "half a shop is no source")
		_, err := transfer.Reopen(t.Context(), from)
		require.NoError(t, err)
		require.Equal(t, "move_of_another_shop", codeOf(from, to), "the source was opened meanwhile")
	})
}

// TestPlanCountsRows also shows that tables come behind those they refer to.
func TestPlanCountsRows(t *testing.T) {
	d := dbtest.SQLite(t)
	exec(t, d, aMerchant)
	plan, err := transfer.Plan(t.Context(), d)
	require.NoError(t, err)
	at := map[string]int{}
	for i, p := range plan {
		at[p.Table] = i + 1
		if p.Table == "merchants" {
			require.EqualValues(t, 1, p.Rows)
		}
	}
	require.NotZero(t, at["merchants"])
	require.Less(t, at["merchants"], at["products"])
	require.Less(t, at["products"], at["skus"])
	require.Less(t, at["skus"], at["cards"])
	require.Less(t, at["payments"], at["refunds"])
	require.NotContains(t, at, "leases")
	require.NotContains(t, at, "goose_db_version")
}
