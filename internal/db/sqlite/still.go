package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"panshi/internal/db"
)

// Still is a database file that nobody writes to and that has no log: a copy,
// such as a restore makes one. It is read as it stands, whatever schema it has.
type Still struct{ readers *readers }

// OpenStill opens a copy. It writes nothing, beside the file neither.
func OpenStill(path string) (*Still, error) {
	cfg, err := Config{Path: path, ReadConns: 1}.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg.still = true
	pool, err := sql.Open("sqlite", source(cfg.Path, "ro&immutable=1", readerSettings()))
	if err != nil {
		return nil, err
	}
	return &Still{newReaders(cfg, pool, cfg.ReadConns)}, nil
}

// View runs fn on the copy.
func (s *Still) View(ctx context.Context, fn func(tx *db.Tx) error) error {
	return s.readers.view(ctx, fn)
}

// Close lets go of the file.
func (s *Still) Close() error { return s.readers.close() }

// Column is one column of a table.
type Column struct {
	Name string
	Key  int // its place in the primary key, from 1; 0 if it is in none
}

// Columns gives the columns of a table, in their order; none if there is no such
// table.
func (s *Still) Columns(ctx context.Context, table string) (all []Column, err error) {
	err = s.View(ctx, func(tx *db.Tx) error {
		all, err = db.Collect(tx, func(rows db.Rows) (c Column, err error) { return c, rows.Scan(&c.Name, &c.Key) },
			`SELECT name, pk FROM pragma_table_info($1) ORDER BY cid`, table)
		return err
	})
	return all, err
}

// Rows calls fn with the values of some columns of each row of a table: of all
// rows, or of those whose column match has a value. fn must not keep the slice. Names are of Columns.
func (s *Still) Rows(ctx context.Context, table string, columns []string, match string, value any, fn func(values []any) error) error {
	query, args := "SELECT "+strings.Join(quoted(columns), ", ")+" FROM "+quoted([]string{table})[0], []any{}
	if match != "" {
		query, args = query+" WHERE "+quoted([]string{match})[0]+" = $1", []any{value}
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	return s.View(db.WithLong(ctx), func(tx *db.Tx) error {
		rows, err := tx.Query(query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return err
			}
			if err := fn(values); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func quoted(names []string) []string {
	var out []string
	for _, name := range names {
		out = append(out, `"`+strings.ReplaceAll(name, `"`, `""`)+`"`)
	}
	return out
}
