package dbtest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"panshi/internal/db"
)

// Columns gives the columns of every table of the shop's schema, by table, in
// the order of the table.
func Columns(t testing.TB, d db.DB) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := d.View(context.Background(), func(tx *db.Tx) error {
		query := `SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c
			WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'goose_%' ORDER BY m.name, c.cid`
		if tx.Engine() == db.Postgres {
			query = `SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
				WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
				AND c.relname NOT LIKE 'goose_%' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum`
		}
		rows, err := tx.Query(query)
		if err != nil {
			return err
		}
		defer rows.Close() // Err below tells
		for rows.Next() {
			var table, column string
			if err := rows.Scan(&table, &column); err != nil {
				return err
			}
			all[table] = append(all[table], column)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatalf("dbtest: reading the schema: %v", err)
	}
	return all
}

// Dump gives every cell of some tables as it is stored, bytes as bytes, so
// that a test can look for what must not be there.
func Dump(t testing.TB, d db.DB, tables ...string) string {
	t.Helper()
	known := Columns(t, d)
	var all strings.Builder
	for _, table := range tables {
		err := d.View(context.Background(), func(tx *db.Tx) error {
			lines, err := db.Collect(tx, func(rows db.Rows) (string, error) {
				return line(rows, len(known[table]))
			}, `SELECT `+strings.Join(known[table], ", ")+` FROM `+table)
			all.WriteString(strings.Join(lines, "\n"))
			return err
		})
		if err != nil {
			t.Fatalf("dbtest: dumping: %v", err)
		}
	}
	return all.String()
}

func line(rows db.Rows, columns int) (string, error) {
	cells, dest := make([]any, columns), make([]any, columns)
	for i := range cells {
		dest[i] = &cells[i]
	}
	err := rows.Scan(dest...)
	var b strings.Builder
	for _, cell := range cells {
		fmt.Fprintf(&b, "%s|", cell)
	}
	return b.String(), err
}
