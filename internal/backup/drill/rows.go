package drill

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"panshi/internal/db"
)

// batch is how many rows one transaction writes at most, with room to spare.
const batch = db.MaxRows - 10

// shape is what is known of a table.
type shape struct {
	name string
	cols []string
	keys []string // columns of the primary key; empty if it has none
}

// leaves lists the tables that no other one refers to, so that a drill may take
// rows from them as an intruder does. What belongs to the engine is left out.
func leaves(ctx context.Context, d db.DB) ([]shape, error) {
	var all []shape
	err := d.View(db.WithLong(ctx), func(tx *db.Tx) error {
		names, err := leafNames(tx)
		if err != nil {
			return err
		}
		all = nil
		for _, name := range names {
			s, err := shapeOf(tx, name)
			if err != nil {
				return err
			}
			all = append(all, s)
		}
		return nil
	})
	return all, err
}

func text(rows db.Rows) (s string, err error) { return s, rows.Scan(&s) }

func shapeOf(tx *db.Tx, name string) (s shape, err error) {
	s.name = name
	if s.cols, err = columnNames(tx, name); err != nil {
		return s, err
	}
	s.keys, err = keyNames(tx, name)
	return s, err
}

func quoted(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, `"`+n+`"`)
	}
	return strings.Join(out, ", ")
}

// rows counts a table.
func (s shape) rows(ctx context.Context, d db.DB) (n int64, err error) {
	err = d.View(db.WithLong(ctx), func(tx *db.Tx) error { return tx.Get([]any{&n}, `SELECT COUNT(*) FROM "`+s.name+`"`) })
	return n, err
}

// row is one row, by its key and by all that it holds.
type row struct {
	key    string // hexadecimal where it is bytes
	digest [sha256.Size]byte
	values []any // only where they were asked for
}

// scan reads every row of a table. The names in the statement come from the
// database itself.
func (s shape) scan(ctx context.Context, d db.DB, each func(row) error) error {
	return d.View(db.WithLong(ctx), func(tx *db.Tx) error {
		rows, err := tx.Query(`SELECT ` + quoted(s.cols) + ` FROM "` + s.name + `"`)
		if err != nil {
			return err
		}
		defer rows.Close() // Err below tells
		for rows.Next() {
			values, into := make([]any, len(s.cols)), make([]any, len(s.cols))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				return err
			}
			if err := each(s.rowOf(values)); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func (s shape) rowOf(values []any) row {
	h := sha256.New()
	var key []string
	for i, v := range values {
		fmt.Fprintf(h, "%T %v\n", v, v)
		if slices.Contains(s.keys, s.cols[i]) {
			key = append(key, keyText(v))
		}
	}
	return row{key: strings.Join(key, " "), digest: [sha256.Size]byte(h.Sum(nil)), values: values}
}

func keyText(v any) string {
	switch raw := v.(type) {
	case []byte:
		return hex.EncodeToString(raw)
	case [16]byte: // an identifier, as PostgreSQL has it
		return hex.EncodeToString(raw[:])
	}
	return fmt.Sprint(v)
}

// sum is all rows of a table in one number, whatever their order.
type sum struct {
	rows  int64
	mixed [sha256.Size]byte
}

func (s shape) sum(ctx context.Context, d db.DB) (out sum, err error) {
	err = s.scan(ctx, d, func(r row) error {
		out.rows++
		carry := 0
		for i, b := range r.digest { // addition without order, and no two equal rows that cancel out
			carry += int(out.mixed[i]) + int(b)
			out.mixed[i] = byte(carry)
			carry >>= 8
		}
		return nil
	})
	return out, err
}

// digests gives what each row holds, by key.
func (s shape) digests(ctx context.Context, d db.DB) (map[string][sha256.Size]byte, error) {
	out := map[string][sha256.Size]byte{}
	err := s.scan(ctx, d, func(r row) error {
		out[r.key] = r.digest
		return nil
	})
	return out, err
}

// bring writes those rows of a table from one shop into another that take wants.
func (s shape) bring(ctx context.Context, from, to db.DB, take func(key string) bool) error {
	var some [][]any
	flush := func() error {
		defer func() { some = nil }()
		return to.Update(ctx, func(tx *db.Tx) error {
			for _, values := range some {
				if _, err := tx.Exec(s.insert(), values...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := s.scan(ctx, from, func(r row) error {
		if !take(r.key) {
			return nil
		}
		if some = append(some, r.values); len(some) < batch {
			return nil
		}
		return flush()
	})
	if err != nil || len(some) == 0 {
		return err
	}
	return flush()
}

func (s shape) insert() string {
	var marks []string
	for i := range s.cols {
		marks = append(marks, fmt.Sprintf("$%d", i+1))
	}
	return `INSERT INTO "` + s.name + `" (` + quoted(s.cols) + `) VALUES (` + strings.Join(marks, ", ") + `)`
}

// remove deletes rows as an intruder does.
func (s shape) remove(ctx context.Context, d db.DB, keys map[string]bool) error {
	var doomed [][]any
	if err := s.scan(ctx, d, func(r row) error {
		if !keys[r.key] {
			return nil
		}
		var values []any
		for _, k := range s.keys {
			values = append(values, r.values[slices.Index(s.cols, k)])
		}
		doomed = append(doomed, values)
		return nil
	}); err != nil {
		return err
	}
	var where []string
	for i, k := range s.keys {
		where = append(where, fmt.Sprintf(`"%s" = $%d`, k, i+1))
	}
	for some := range slices.Chunk(doomed, batch) {
		if err := d.Update(ctx, func(tx *db.Tx) error {
			for _, values := range some {
				if _, err := tx.Exec(`DELETE FROM "`+s.name+`" WHERE `+strings.Join(where, " AND "), values...); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
