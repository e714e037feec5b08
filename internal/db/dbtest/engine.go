package dbtest

import (
	"os"
	"testing"

	"panshi/internal/db"
	"panshi/internal/db/postgres"
	"panshi/internal/db/sqlite"
)

// EngineVariable names the engine that Open uses: "sqlite" (also when it is
// not set) or "postgres".
const EngineVariable = "PANSHI_TEST_ENGINE"

// Open returns a fresh database with the shop's schema on the engine that the
// environment chooses, so that a package's tests run on either; it is closed
// when the test ends. In a synctest bubble call it inside.
func Open(t testing.TB, o Options) db.DB {
	t.Helper()
	switch engine := Engine(); engine {
	case db.SQLite:
		return SQLite(t, func(c *sqlite.Config) {
			c.Clock, c.StatementLimit, c.LongLimit = o.Clock, o.StatementLimit, o.LongLimit
		})
	case db.Postgres:
		return Postgres(t, func(c *postgres.Config) {
			c.Clock, c.StatementLimit, c.LongLimit = o.Clock, o.StatementLimit, o.LongLimit
		})
	default:
		t.Fatalf("dbtest: %s is %q; it can be sqlite or postgres", EngineVariable, engine)
		return nil
	}
}

// Once skips a test that chooses its engines itself where the environment asks
// for the second round, on PostgreSQL: it ran in the first.
func Once(t testing.TB) {
	t.Helper()
	if Engine() != db.SQLite {
		t.Skip("dbtest: this test chooses its engines itself; unset " + EngineVariable + " to run it")
	}
}

// Engine is the engine that the environment chooses.
func Engine() db.Engine {
	if name := os.Getenv(EngineVariable); name != "" {
		return db.Engine(name)
	}
	return db.SQLite
}
