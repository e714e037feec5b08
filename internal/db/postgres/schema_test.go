package postgres_test

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
	"panshi/internal/db/sqlite"
	"panshi/internal/id"
)

// TestEnginesHaveOneSchema compares tables, columns with their types,
// nullability and defaults, keys, indexes and references.
func TestEnginesHaveOneSchema(t *testing.T) {
	lite, server := describe(t, dbtest.SQLite(t), liteSchema()), describe(t, dbtest.Postgres(t), serverSchema())
	for part := range lite {
		require.NotEmpty(t, lite[part], part)
		require.Equal(t, lite[part], server[part], part)
	}
}

func TestMigrationsHaveOneNumbering(t *testing.T) {
	names := func(files fs.FS) []string {
		all, err := fs.Glob(files, "*.sql")
		require.NoError(t, err)
		return all
	}
	require.Equal(t, names(sqlite.Migrations()), names(postgres.Migrations()))
}

// describe runs queries that each give lines of text.
func describe(t *testing.T, d db.DB, queries map[string]string) map[string][]string {
	all := make(map[string][]string)
	for part, query := range queries {
		require.NoError(t, d.View(context.Background(), func(tx *db.Tx) error {
			lines, err := db.Collect(tx, func(r db.Rows) (s string, err error) { return s, r.Scan(&s) },
				`SELECT line FROM (`+query+`) AS l ORDER BY line`)
			all[part] = lines
			return err
		}), part)
	}
	return all
}

const liteTables = `(SELECT name AS tab FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'
	AND name NOT LIKE '\_litestream\_%' ESCAPE '\')`

func liteSchema() map[string]string {
	index := func(where string) string {
		return fmt.Sprintf(`SELECT tab || ' (' || (SELECT group_concat(name, ' ') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) || ')' AS line
			FROM %s AS t, pragma_index_list(t.tab) AS i WHERE %s`, liteTables, where)
	}
	return map[string]string{
		"columns": `SELECT tab || '.' || name || ' ' || CASE type WHEN 'BLOB' THEN 'bytea' WHEN 'INTEGER' THEN 'bigint' WHEN 'TEXT' THEN 'text C' END ||
			CASE "notnull" WHEN 1 THEN ' not null' ELSE '' END || coalesce(' default ' || dflt_value, '') AS line
			FROM ` + liteTables + ` AS t, pragma_table_info(t.tab)`,
		"primary keys": `SELECT tab || ' (' || (SELECT group_concat(name, ' ') FROM (SELECT name FROM pragma_table_info(t.tab) WHERE pk > 0 ORDER BY pk)) || ')' AS line
			FROM ` + liteTables + ` AS t`,
		"unique keys": index(`i.origin = 'u'`),
		"indexes": `SELECT tab || ' ' || i.name || ' unique ' || i."unique" || ' partial ' || i.partial || ' (' ||
			(SELECT group_concat(name, ' ') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)) || ')' AS line
			FROM ` + liteTables + ` AS t, pragma_index_list(t.tab) AS i WHERE i.origin = 'c'`,
		"references": `SELECT tab || '.' || "from" || ' to ' || "table" || '.' || "to" AS line
			FROM ` + liteTables + ` AS t, pragma_foreign_key_list(t.tab)`,
	}
}

func serverSchema() map[string]string {
	const ours = `c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'goose_%' AND NOT c.relispartition`
	columns := func(keys, of string) string {
		return `(SELECT string_agg(a.attname, ' ' ORDER BY k.n) FROM unnest(` + keys + `) WITH ORDINALITY AS k (num, n)
			JOIN pg_attribute a ON a.attrelid = ` + of + ` AND a.attnum = k.num)`
	}
	key := func(kind string) string {
		return `SELECT c.relname || ' (' || ` + columns("o.conkey", "c.oid") + ` || ')' AS line
			FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid WHERE o.contype = '` + kind + `' AND ` + ours
	}
	return map[string]string{
		"columns": `SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) ||
			CASE WHEN l.collname IS NULL THEN '' ELSE ' ' || l.collname END || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END ||
			coalesce(' default ' || regexp_replace(regexp_replace(pg_get_expr(d.adbin, d.adrelid), '::[a-z]+', ''), '^\((.*)\)$', '\1'), '') AS line
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
			LEFT JOIN pg_collation l ON l.oid = a.attcollation WHERE c.relkind IN ('r', 'p') AND ` + ours,
		"primary keys": key("p"),
		"unique keys":  key("u"),
		"indexes": `SELECT c.relname || ' ' || x.relname || ' unique ' || i.indisunique::int || ' partial ' || (i.indpred IS NOT NULL)::int ||
			' (' || ` + columns("i.indkey::int2[]", "c.oid") + ` || ')' AS line
			FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
			WHERE NOT EXISTS (SELECT 1 FROM pg_constraint o WHERE o.conindid = i.indexrelid AND o.contype IN ('p', 'u')) AND ` + ours,
		"references": `SELECT c.relname || '.' || ` + columns("o.conkey", "c.oid") + ` || ' to ' || f.relname || '.' || ` + columns("o.confkey", "f.oid") + ` AS line
			FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid JOIN pg_class f ON f.oid = o.confrelid WHERE o.contype = 'f' AND ` + ours,
	}
}

// TestMoneyIsWhole: what the shop counts money in is an integer on both
// engines, and nothing at all is stored as a fraction. (P93)
func TestMoneyIsWhole(t *testing.T) {
	money := regexp.MustCompile(`\.(amount|total|price|unit_price|received|refunded) `)
	for engine, columns := range map[db.Engine][]string{
		db.SQLite:   describe(t, dbtest.SQLite(t), liteSchema())["columns"],
		db.Postgres: describe(t, dbtest.Postgres(t), serverSchema())["columns"],
	} {
		found := 0
		for _, c := range columns {
			require.Regexp(t, `^[a-z0-9_]+\.[a-z0-9_]+ (bigint|bytea|text C)( |$)`, c, engine)
			if money.MatchString(c) {
				require.Contains(t, c, " bigint not null", engine)
				found++
			}
		}
		require.Greater(t, found, 10, engine)
	}
}

// TestReferencesHold: every REFERENCES of the schema is enforced, not only
// written down. (P93)
func TestReferencesHold(t *testing.T) {
	lite, server := dbtest.SQLite(t), dbtest.Postgres(t)
	all := describe(t, server, serverSchema())["references"]
	require.NotEmpty(t, all)
	held := describe(t, server, map[string]string{
		// A reference is four triggers: on writing here, and on changing there.
		"held": `SELECT o.conname || ' ' || o.convalidated || ' ' || count(*) FILTER (WHERE g.tgenabled = 'O') AS line
			FROM pg_constraint o JOIN pg_trigger g ON g.tgconstraint = o.oid
			WHERE o.contype = 'f' AND o.connamespace = 'public'::regnamespace GROUP BY o.conname, o.conrelid, o.convalidated`,
		"on": `SELECT current_setting('session_replication_role') AS line`,
	})
	require.Len(t, held["held"], len(all))
	for _, h := range held["held"] {
		require.Regexp(t, ` true 4$`, h)
	}
	require.Equal(t, []string{"origin"}, held["on"])
	for engine, d := range map[db.Engine]db.DB{db.SQLite: lite, db.Postgres: server} {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO categories (id, merchant_id, slug, title, created_at) VALUES ($1, $2, 's', 't', 1)`, id.New(), id.New())
			return err
		})
		require.Error(t, err, engine)
		require.Regexp(t, `(?i)foreign key`, err.Error(), engine)
	}
}
