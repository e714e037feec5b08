package dbtest

import (
	"context"
	"sync"
	"testing"

	"panshi/internal/db"
	"panshi/internal/db/pgserver"
	"panshi/internal/db/postgres"
	"panshi/internal/db/sqlite"
)

// server is the one PostgreSQL of the test process. It starts with the first
// test that asks for it and ends with the process.
var server = sync.OnceValues(func() (*cluster, error) { return startCluster(pgserver.Memory()) })

// slowServer is that of benchmarks: it waits for a disk as a shop's does.
var slowServer = sync.OnceValues(func() (*cluster, error) { return startCluster("") })

func serverFor(t testing.TB) (*cluster, error) {
	if _, measures := t.(*testing.B); measures {
		return slowServer()
	}
	return server()
}

// Postgres returns a fresh database with the shop's schema on a real server;
// it is closed when the test ends. Each of configure may change
// the configuration, for example the clock. Without an installed server the
// test fails. In a synctest bubble call it inside.
func Postgres(t testing.TB, configure ...func(*postgres.Config)) *postgres.DB {
	t.Helper()
	return openPostgres(t, postgresURL(t, migrated), configure...)
}

// EmptyPostgres returns the URL of a fresh database without a table. Close
// what you open on it before the test ends.
func EmptyPostgres(t testing.TB) string {
	t.Helper()
	return postgresURL(t, "template0")
}

func postgresURL(t testing.TB, template string) string {
	t.Helper()
	c, err := serverFor(t)
	if err != nil {
		t.Fatalf("dbtest: PostgreSQL: %v", err)
	}
	name, err := c.create(template)
	if err != nil {
		t.Fatalf("dbtest: making a database: %v", err)
	}
	t.Cleanup(func() {
		if err := c.done(name); err != nil {
			t.Errorf("dbtest: dropping databases: %v", err)
		}
	})
	return c.URL(name)
}

func openPostgres(t testing.TB, url string, configure ...func(*postgres.Config)) *postgres.DB {
	t.Helper()
	cfg := postgres.Config{URL: url}
	for _, change := range configure {
		change(&cfg)
	}
	d, err := postgres.Open(context.Background(), cfg)
	if err != nil {
		t.Fatalf("dbtest: opening: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("dbtest: closing: %v", err)
		}
	})
	return d
}

// Engines runs a test once on each engine. open returns a fresh database with
// the shop's schema each time it is called. See Once.
func Engines(t *testing.T, test func(t *testing.T, open func(Options) db.DB)) {
	t.Helper()
	Once(t)
	t.Run(string(db.SQLite), func(t *testing.T) {
		test(t, func(o Options) db.DB {
			return SQLite(t, func(c *sqlite.Config) {
				c.Clock, c.StatementLimit, c.LongLimit = o.Clock, o.StatementLimit, o.LongLimit
			})
		})
	})
	t.Run(string(db.Postgres), func(t *testing.T) {
		test(t, func(o Options) db.DB {
			return Postgres(t, func(c *postgres.Config) {
				c.Clock, c.StatementLimit, c.LongLimit = o.Clock, o.StatementLimit, o.LongLimit
			})
		})
	})
}
