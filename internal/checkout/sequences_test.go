package checkout_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
	"panshi/internal/db/sqlite"
)

// How many random sequences a run draws, on the engine that the environment
// chooses: PostgreSQL takes longer for each.
const (
	sequencesSQLite   = 2000
	sequencesPostgres = 200
	sequencesShort    = 100 // of which rapid draws a fifth with -short
)

// lanes is how many sequences run side by side, each on a database of its own.
const lanes = 2

// sequences draws random sequences and holds prop to each, on an empty
// database. RAPID_CHECKS and -rapid.checks set how many each lane draws.
func sequences(t *testing.T, prop func(d db.DB, rt *rapid.T)) {
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm") // hundreds of thousands of commits: no need to wait for a disk
	}
	n := sequencesSQLite
	switch {
	case testing.Short():
		n = sequencesShort
	case os.Getenv("PANSHI_TORTURE") == "long":
		n = 10 * sequencesSQLite
	case dbtest.Engine() == db.Postgres:
		n = sequencesPostgres
	}
	draw(t, n/lanes)
	for lane := range lanes {
		t.Run(strconv.Itoa(lane), func(t *testing.T) {
			t.Parallel()
			d := openSmall(t)
			rapid.Check(t, func(rt *rapid.T) {
				empty(t, d)
				prop(d, rt)
			})
		})
	}
}

// draw sets how many sequences rapid draws, unless the caller of the test did.
func draw(t *testing.T, n int) {
	t.Helper()
	const name = "rapid.checks"
	given := os.Getenv("RAPID_CHECKS") != ""
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	before := flag.Lookup(name).Value.String()
	require.NoError(t, flag.Set(name, strconv.Itoa(n)))
	t.Cleanup(func() { require.NoError(t, flag.Set(name, before)) })
}

// openSmall opens a database for one client.
func openSmall(t *testing.T) db.DB {
	if dbtest.Engine() == db.Postgres {
		return dbtest.Postgres(t, func(c *postgres.Config) { c.MaxConns, c.LongConns = 2, 1 })
	}
	return dbtest.SQLite(t, func(c *sqlite.Config) { c.ReadConns = 1 })
}

// empty deletes all rows. A database that stays open keeps its prepared
// statements, which a new one would have to make anew for each sequence.
func empty(t *testing.T, d db.DB) {
	t.Helper()
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		tables, err := db.Collect(tx, func(r db.Rows) (name string, err error) {
			err = r.Scan(&name)
			return name, err
		}, tablesOf(tx.Engine()))
		if err != nil {
			return err
		}
		for _, table := range tables {
			if _, err := tx.Exec(`DELETE FROM ` + table); err != nil {
				return err
			}
		}
		return nil
	}))
}

// tablesOf lists the shop's tables, the youngest first: what refers to others
// comes before them.
func tablesOf(engine db.Engine) string {
	if engine == db.Postgres {
		return `SELECT relname::TEXT FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
			AND relnamespace = 'public'::REGNAMESPACE AND relname NOT LIKE 'goose%' ORDER BY oid DESC`
	}
	return `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose%'
		ORDER BY rowid DESC`
}

// broken is one query that names the invariants which do not hold: it runs
// after every step.
func broken() string {
	var parts []string
	for _, inv := range invariants() {
		parts = append(parts, fmt.Sprintf("SELECT '%s' AS name WHERE EXISTS (%s)", inv.Name, inv.Query))
	}
	return strings.Join(parts, "\nUNION ALL ")
}
