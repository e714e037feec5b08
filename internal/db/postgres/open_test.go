package postgres_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
	"panshi/internal/errs"
)

func TestConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]postgres.Config{
		"no place":   {},
		"bad URL":    {URL: "postgres://u:hidden@localhost:port/x"},
		"negative":   {URL: "host=/nowhere", MaxConns: -1},
		"not served": {URL: "host=" + t.TempDir()},
	} {
		_, err := postgres.Open(context.Background(), cfg)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "hidden")
	}
}

// TestSettingsHold although the database was set otherwise.
func TestSettingsHold(t *testing.T) {
	url := dbtest.EmptyPostgres(t)
	_, rest, _ := strings.Cut(url, "dbname=")
	name, _, _ := strings.Cut(rest, " ")
	cfg := postgres.Config{URL: url, Migrations: schema("ALTER DATABASE " + name + " SET synchronous_commit = off")}
	for range 2 {
		d, err := postgres.Open(context.Background(), cfg)
		require.NoError(t, err)
		for _, ctx := range []context.Context{context.Background(), db.WithLong(context.Background())} {
			var levels []string
			read := func(tx *db.Tx) error {
				var commit, isolation, limit string
				err := tx.Get([]any{&commit, &isolation, &limit}, `SELECT current_setting('synchronous_commit'),
					current_setting('transaction_isolation'), current_setting('statement_timeout')`)
				require.Equal(t, "on", commit)
				require.Equal(t, map[bool]string{false: "2s", true: "10min"}[db.IsLong(ctx)], limit)
				levels = append(levels, isolation)
				return err
			}
			require.NoError(t, d.Update(ctx, read))
			require.NoError(t, d.View(ctx, read))
			require.Equal(t, []string{"read committed", "repeatable read"}, levels)
		}
		require.NoError(t, d.Close())
	}
}

func TestMigrations(t *testing.T) {
	one := schema(`CREATE TABLE a (k BIGINT PRIMARY KEY);`)
	both := fstest.MapFS{
		"0001_test.sql": one["0001_test.sql"],
		"0002_more.sql": {Data: []byte("-- +goose Up\nCREATE TABLE b (k BIGINT PRIMARY KEY);\n")},
	}
	broken := fstest.MapFS{
		"0001_test.sql": one["0001_test.sql"],
		"0002_more.sql": {Data: []byte("-- +goose Up\nCREATE TABLE b (k BIGINT PRIMARY KEY);\nCREATE TABLE a (k BIGINT);\n")},
	}
	url := dbtest.EmptyPostgres(t)
	open := func(files fstest.MapFS) error {
		d, err := postgres.Open(context.Background(), postgres.Config{URL: url, Migrations: files})
		if err == nil {
			err = d.Close()
		}
		return err
	}
	require.NoError(t, open(one))
	require.Error(t, open(broken))
	require.NoError(t, open(one), "a failed migration leaves the schema as it was")
	require.NoError(t, open(both))
	require.NoError(t, open(both), "nothing to do")
	require.Equal(t, "database_newer", errs.CodeOf(open(one)))
}

// TestManyMigrateAtOnce starts several nodes on an empty database.
func TestManyMigrateAtOnce(t *testing.T) {
	url := dbtest.EmptyPostgres(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			d, err := postgres.Open(context.Background(), postgres.Config{URL: url})
			if err == nil {
				err = d.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestCloseInterruptsViews closes while a View computes and another waits.
func TestCloseInterruptsViews(t *testing.T) {
	d := own(t, tables, func(c *postgres.Config) { c.MaxConns = 1; c.StatementLimit = time.Hour })
	running := make(chan struct{})
	results := make(chan error, 2)
	endless := func(tx *db.Tx) error {
		close(running)
		var n int64
		return tx.Get([]any{&n}, `WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000000) SELECT count(*) FROM n`)
	}
	go func() { results <- d.View(context.Background(), endless) }()
	<-running
	go func() { results <- d.View(context.Background(), func(*db.Tx) error { return nil }) }()
	busy, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, d.View(busy, func(*db.Tx) error { return nil }), context.DeadlineExceeded, "all connections are busy")
	require.NoError(t, d.Close())
	require.ErrorIs(t, <-results, db.ErrClosing)
	require.ErrorIs(t, <-results, db.ErrClosing)
}

// TestManyRows reads more than the connection buffers, with a query inside.
func TestManyRows(t *testing.T) {
	d := own(t, tables)
	const many = 50_000
	sum := int64(0)
	require.NoError(t, d.View(context.Background(), func(tx *db.Tx) error {
		rows, err := tx.Query(`SELECT x, CAST(x AS TEXT) FROM generate_series(1, 50000) AS s (x)`)
		if err != nil {
			return err
		}
		for n := int64(1); rows.Next(); n++ {
			if n == many/2 {
				require.NoError(t, tx.Get([]any{new(int64)}, `SELECT v FROM item WHERE k = 1`))
			}
			var x int64
			var text string
			if err := rows.Scan(&x, &text); err != nil {
				return err
			}
			require.Equal(t, n, x)
			require.NotEmpty(t, text)
			sum += x
		}
		return rows.Err()
	}))
	require.EqualValues(t, many*(many+1)/2, sum)
}
