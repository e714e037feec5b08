package kit

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/pgserver"
	"panshi/internal/db/postgres"
	"panshi/internal/db/sqlite"
)

// engines is the PostgreSQL on which the shops of a test process live when
// dbtest.EngineVariable asks for it: a real server of the process's own, that
// ends with it. Each shop has a database of its own on it.
type engines struct {
	start func() (*pgserver.Server, error)
	names atomic.Int64
}

// settings of a server with many small databases whose log is searched.
const serverSettings = `
shared_buffers = 64MB
max_wal_size = 192MB
min_wal_size = 16MB
autovacuum = off
`

func newEngines() *engines {
	return &engines{start: sync.OnceValues(func() (*pgserver.Server, error) {
		return pgserver.Start(pgserver.Memory(), serverSettings)
	})}
}

// database makes a database from a template and gives its name and its URL.
// Both are "" on SQLite, where the data directory is the database.
func (e *engines) database(template string) (name, url string, err error) {
	if dbtest.Engine() == db.SQLite {
		return "", "", nil
	}
	server, err := e.start()
	if err != nil {
		return "", "", err
	}
	name = "shop" + strconv.FormatInt(e.names.Add(1), 10)
	return name, server.URL(name), server.Admin("CREATE DATABASE " + name + " TEMPLATE " + template)
}

// settingsOf are the flags that lead a command to a database.
func settingsOf(url string) []string {
	if url == "" {
		return nil
	}
	return []string{"--set", "db.url=" + url}
}

// OnlyOn skips a test on the other engine. why says what it is about that the
// other engine does not have.
func OnlyOn(t testing.TB, engine db.Engine, why string) {
	t.Helper()
	if dbtest.Engine() != engine {
		t.Skipf("only on %s: %s", engine, why)
	}
}

// useDatabase gives the shop a database of its own that is a copy of template,
// until its test ends.
func (s *Shop) useDatabase(template string) {
	s.t.Helper()
	name, url, err := shared.engines.database(template)
	require.NoError(s.t, err)
	if name == "" {
		return
	}
	s.database, s.databaseURL = name, url
	s.t.Cleanup(func() {
		server, err := shared.engines.start()
		require.NoError(s.t, err)
		require.NoError(s.t, server.Admin("DROP DATABASE "+name+" WITH (FORCE)"))
	})
}

// UseServer leads the shop, and all commands on it, to the database of a url from
// now on.
func (s *Shop) UseServer(url string) { s.database, s.databaseURL = "", url }

// Change runs one transaction on the database of a shop that stands still,
// behind its back.
func (s *Shop) Change(fn func(tx *db.Tx) error) {
	s.t.Helper()
	if s.databaseURL == "" {
		d, err := sqlite.Open(s.t.Context(), sqlite.Config{Dir: s.Data})
		require.NoError(s.t, err)
		require.NoError(s.t, errors.Join(d.Update(s.t.Context(), fn), d.Close()))
		return
	}
	d, err := postgres.Open(s.t.Context(), postgres.Config{URL: s.databaseURL})
	require.NoError(s.t, err)
	require.NoError(s.t, errors.Join(d.Update(s.t.Context(), fn), d.Close()))
}

// Disks are the directories in which the shop and its database server write:
// on PostgreSQL too the tables of this shop's database and the server's log of
// all databases. What the server holds in memory is written first.
func (s *Shop) Disks() []string {
	s.t.Helper()
	if s.databaseURL == "" {
		return []string{s.Dir}
	}
	server, err := shared.engines.start()
	require.NoError(s.t, err)
	require.NoError(s.t, server.Admin("CHECKPOINT"))
	data := filepath.Join(server.Dir(), "data")
	entries, err := os.ReadDir(data)
	require.NoError(s.t, err)
	dirs := []string{s.Dir, filepath.Join(data, "base", s.databaseOID())}
	for _, e := range entries {
		if e.IsDir() && e.Name() != "base" {
			dirs = append(dirs, filepath.Join(data, e.Name()))
		}
	}
	return dirs
}

// databaseOID names the folder of the shop's tables.
func (s *Shop) databaseOID() string {
	s.t.Helper()
	d, err := postgres.Open(s.t.Context(), postgres.Config{URL: s.databaseURL})
	require.NoError(s.t, err)
	var oid int64
	err = d.View(s.t.Context(), func(tx *db.Tx) error {
		return tx.Get([]any{&oid}, `SELECT oid::bigint FROM pg_database WHERE datname = current_database()`)
	})
	require.NoError(s.t, errors.Join(err, d.Close()))
	return strconv.FormatInt(oid, 10)
}
