package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
)

// settingsOf reads what a connection really runs with.
func settingsOf(tx *db.Tx) (map[string]string, error) {
	got := make(map[string]string)
	for _, name := range []string{"journal_mode", "synchronous", "foreign_keys", "query_only", "secure_delete", "temp_store"} {
		var value string
		if err := tx.Get([]any{&value}, `SELECT * FROM pragma_`+name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		got[name] = value
	}
	return got, nil
}

func TestSettingsHoldOnEveryConnection(t *testing.T) {
	d := dbtest.SQLite(t, func(c *sqlite.Config) { c.ReadConns, c.LongReadConns = 4, 2 })
	require.NoError(t, d.Update(context.Background(), func(tx *db.Tx) error {
		got, err := settingsOf(tx)
		require.Equal(t, map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1",
			"query_only": "0", "secure_delete": "2", "temp_store": "2",
		}, got)
		return err
	}))
	var together, all sync.WaitGroup
	together.Add(6) // six Views at once are on six connections
	for i := range 6 {
		ctx := context.Background()
		if i < 2 {
			ctx = db.WithLong(ctx)
		}
		all.Go(func() {
			err := d.View(ctx, func(tx *db.Tx) error {
				together.Done()
				together.Wait()
				got, err := settingsOf(tx)
				if got["foreign_keys"] != "1" || got["query_only"] != "1" || got["journal_mode"] != "wal" {
					t.Errorf("a reader runs with %v", got)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]sqlite.Config{
		"no place":       {},
		"two places":     {Dir: "a", Path: "b"},
		"not durable":    {Dir: t.TempDir(), Synchronous: "NORMAL"},
		"negative":       {Dir: t.TempDir(), MaxBatch: -1},
		"engine too old": {Dir: t.TempDir(), MinVersion: "99.1.0"},
	} {
		_, err := sqlite.Open(context.Background(), cfg)
		require.Error(t, err, name)
	}
}

func TestFilesArePrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "100% data? #1") // and odd names are no matter
	d, err := sqlite.Open(context.Background(), ackConfig(dir))
	require.NoError(t, err)
	require.NoError(t, insertAck(d, 1, 10))
	require.True(t, ackKeys(t, d)[1])
	for _, name := range []string{"", sqlite.FileName, sqlite.FileName + "-wal", sqlite.FileName + "-shm"} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, "%q is open to others: %v", name, info.Mode())
	}
	require.NoError(t, d.Close())
}

func TestMigrations(t *testing.T) {
	one := schema(`CREATE TABLE a (k INTEGER PRIMARY KEY) STRICT;`)
	both := fstest.MapFS{
		"0001_test.sql": one["0001_test.sql"],
		"0002_more.sql": {Data: []byte("-- +goose Up\nCREATE TABLE b (k INTEGER PRIMARY KEY) STRICT;\n")},
	}
	broken := fstest.MapFS{
		"0001_test.sql": one["0001_test.sql"],
		"0002_more.sql": {Data: []byte("-- +goose Up\nCREATE TABLE b (k INTEGER PRIMARY KEY) STRICT;\nCREATE TABLE a (k INTEGER);\n")},
	}
	orphans := fstest.MapFS{
		"0001_test.sql": one["0001_test.sql"],
		"0002_more.sql": {Data: []byte("-- +goose Up\nCREATE TABLE c (k INTEGER REFERENCES a (k)) STRICT;\nINSERT INTO c VALUES (7);\n")},
	}
	dir := t.TempDir()
	open := func(files fstest.MapFS) error {
		d, err := sqlite.Open(context.Background(), sqlite.Config{Dir: dir, Migrations: files})
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
	dir = t.TempDir()
	require.Equal(t, "migration_broke_keys", errs.CodeOf(open(orphans)))
}

// TestCloseInterruptsViews closes while a View computes and another waits.
func TestCloseInterruptsViews(t *testing.T) {
	d := dbtest.SQLite(t, func(c *sqlite.Config) { c.ReadConns = 1; c.StatementLimit = time.Hour })
	running := make(chan struct{})
	results := make(chan error, 2)
	endless := func(tx *db.Tx) error {
		close(running)
		var n int64
		return tx.Get([]any{&n}, `WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n`)
	}
	go func() { results <- d.View(context.Background(), endless) }()
	<-running
	go func() { results <- d.View(context.Background(), func(*db.Tx) error { return nil }) }()
	busy, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, d.View(busy, func(*db.Tx) error { return nil }), context.DeadlineExceeded, "all readers are busy")
	require.NoError(t, d.Close())
	require.ErrorIs(t, <-results, db.ErrClosing)
	require.ErrorIs(t, <-results, db.ErrClosing)
}
