package drill

import "panshi/internal/db"

// The engines' own catalogues: which tables no other one refers to, what their
// columns and keys are, and how they are made. A table's own catalogue knows
// nothing of partitions and views, so those are left out.

func leafNames(tx *db.Tx) ([]string, error) {
	query := `SELECT name FROM sqlite_schema AS t WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'
		AND name NOT LIKE '!_%' ESCAPE '!' AND name NOT LIKE 'goose%' AND NOT EXISTS (SELECT 1 FROM sqlite_schema AS o,
		pragma_foreign_key_list(o.name) AS r WHERE o.type = 'table' AND o.name <> t.name AND r."table" = t.name) ORDER BY name`
	if tx.Engine() == db.Postgres {
		query = `SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
			AND c.relname NOT LIKE 'goose%' AND NOT EXISTS (SELECT 1 FROM pg_constraint f WHERE f.contype = 'f' AND f.confrelid = c.oid AND f.conrelid <> c.oid)
			AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.refobjid = c.oid AND d.classid = 'pg_rewrite'::regclass) ORDER BY 1`
	}
	return db.Collect(tx, text, query)
}

func columnNames(tx *db.Tx, table string) ([]string, error) {
	query := `SELECT name FROM pragma_table_info($1) ORDER BY cid`
	if tx.Engine() == db.Postgres {
		query = `SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`
	}
	return db.Collect(tx, text, query, table)
}

func keyNames(tx *db.Tx, table string) ([]string, error) {
	query := `SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk`
	if tx.Engine() == db.Postgres {
		query = `SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
			WHERE i.indrelid = to_regclass($1) AND i.indisprimary ORDER BY array_position(i.indkey::int2[], a.attnum)`
	}
	return db.Collect(tx, text, query, table)
}

// makings are the statements that make a table as it is, with its indices.
func makings(tx *db.Tx, table string) ([]string, error) {
	if tx.Engine() != db.Postgres {
		return db.Collect(tx, text, `SELECT sql FROM sqlite_schema WHERE tbl_name = $1 AND sql IS NOT NULL ORDER BY type <> 'table', name`, table)
	}
	return db.Collect(tx, text, `SELECT format('CREATE TABLE %I (%s)', c.relname, string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
		|| CASE WHEN a.attcollation <> y.typcollation THEN format(' COLLATE %I', l.collname) ELSE '' END
		|| CASE WHEN d.adbin IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) ELSE '' END
		|| CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END, ', ' ORDER BY a.attnum))
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type y ON y.oid = a.atttypid
		LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE c.oid = to_regclass($1) GROUP BY c.relname
		UNION ALL (SELECT format('ALTER TABLE %I ADD CONSTRAINT %I %s', c.relname, k.conname, pg_get_constraintdef(k.oid))
		FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE k.conrelid = to_regclass($1) ORDER BY k.contype = 'f', k.conname)
		UNION ALL (SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = to_regclass($1)
		AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid))`, table)
}
