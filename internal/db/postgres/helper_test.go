package postgres_test

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
)

// schema is a migration folder with one file.
func schema(up string) fstest.MapFS {
	text := "-- +goose Up\n-- +goose StatementBegin\n" + up + "\n-- +goose StatementEnd\n"
	return fstest.MapFS{"0001_test.sql": &fstest.MapFile{Data: []byte(text)}}
}

// tables are what most tests need. raise fails with any code that the server
// knows, the first time or each time.
const tables = `
	CREATE TABLE item (k BIGINT PRIMARY KEY, v BIGINT NOT NULL);
	INSERT INTO item VALUES (1, 0), (2, 0);
	CREATE SEQUENCE calls;
	CREATE FUNCTION raise(code TEXT, times BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
	BEGIN
		IF nextval('calls') <= times THEN
			RAISE EXCEPTION 'planned' USING ERRCODE = code;
		END IF;
		RETURN 1;
	END $$;`

// own gives the test a database with the given tables.
func own(t testing.TB, up string, configure ...func(*postgres.Config)) *postgres.DB {
	t.Helper()
	cfg := postgres.Config{URL: dbtest.EmptyPostgres(t), Migrations: schema(up)}
	for _, change := range configure {
		change(&cfg)
	}
	d, err := postgres.Open(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func update(d *postgres.DB, fn func(tx *db.Tx) error) error {
	return d.Update(context.Background(), fn)
}

func put(tx *db.Tx, k int64) error {
	_, err := tx.Exec(`INSERT INTO item (k, v) VALUES ($1, 0)`, k)
	return err
}

func add(tx *db.Tx, k int64) error {
	_, err := tx.Exec(`UPDATE item SET v = v + 1 WHERE k = $1`, k)
	return err
}

// number reads one integer.
func number(t testing.TB, d *postgres.DB, query string, args ...any) (n int64) {
	t.Helper()
	require.NoError(t, d.View(context.Background(), func(tx *db.Tx) error { return tx.Get([]any{&n}, query, args...) }))
	return n
}
