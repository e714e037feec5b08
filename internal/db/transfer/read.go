package transfer

import (
	"context"
	"fmt"
	"strings"

	"panshi/internal/db"
)

// pageRows is how many rows are read at once: few enough to be in memory,
// enough that asking costs nothing.
const pageRows = 4000

// page is rows of a table in the order of its key, in canonical form and, for
// those who store them, in values.
type page struct {
	rows   int
	form   []byte // of all rows
	ends   []int  // where each row ends in form
	keys   []int  // where each row's key ends in form
	values []any  // columns of all rows; only if asked for
	sums   []sum  // of the integers in each column
	last   bool   // no row comes after
}

// row gives the canonical form of the ith row.
func (p *page) row(i int) []byte { return p.form[p.start(i):p.ends[i]] }

// keyOf gives the canonical form of the ith row's key.
func (p *page) keyOf(i int) []byte { return p.form[p.start(i):p.keys[i]] }

func (p *page) start(i int) int {
	if i == 0 {
		return 0
	}
	return p.ends[i-1]
}

// after is the statement that reads the rows behind a key, or the first ones.
func (t *table) after(first bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SELECT %s FROM %s", t.names(len(t.columns)), quote(t.name))
	n := 0
	if !first {
		marks := make([]string, t.key)
		for i := range marks {
			marks[i] = fmt.Sprintf("$%d", i+1)
		}
		n = t.key
		fmt.Fprintf(&b, " WHERE (%s) > (%s)", t.names(t.key), strings.Join(marks, ", "))
	}
	fmt.Fprintf(&b, " ORDER BY %s LIMIT $%d", t.names(t.key), n+1)
	return b.String()
}

// readPage reads the rows behind key, which is nil for the first ones.
func readPage(ctx context.Context, d db.DB, t *table, key []byte, withValues bool) (p *page, err error) {
	args, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	query := t.after(key == nil)
	err = d.View(ctx, func(tx *db.Tx) error {
		p = &page{sums: make([]sum, len(t.columns))}
		rows, err := tx.Query(query, append(args[:len(args):len(args)], pageRows)...)
		if err != nil {
			return err
		}
		defer rows.Close() // Err below tells
		return p.fill(t, rows, withValues)
	})
	return p, err
}

func (p *page) fill(t *table, rows db.Rows, withValues bool) error {
	row, dest := make([]any, len(t.columns)), make([]any, len(t.columns))
	for i := range dest {
		dest[i] = &row[i]
		if !withValues {
			dest[i] = passing{&row[i]}
		}
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		if err := p.add(t, row, withValues); err != nil {
			return err
		}
	}
	p.last = p.rows < pageRows
	return rows.Err()
}

func (p *page) add(t *table, row []any, withValues bool) (err error) {
	for i, c := range t.columns {
		if b, is := row[i].([]byte); is && b == nil {
			row[i] = []byte{} // SQLite's driver gives it for bytes that are none, and takes it for NULL
		}
		if p.form, err = appendValue(p.form, c, row[i]); err != nil {
			return err
		}
		if n, is := row[i].(int64); is {
			p.sums[i].add(sumOf(n))
		}
		if i == t.key-1 {
			p.keys = append(p.keys, len(p.form))
		}
	}
	if withValues {
		p.values = append(p.values, row...)
	}
	p.ends = append(p.ends, len(p.form))
	p.rows++
	return nil
}

// passing takes a value without a copy: it is gone with the next row.
type passing struct{ to *any }

// Scan implements sql.Scanner.
func (p passing) Scan(src any) error {
	*p.to = src
	return nil
}

// countTx counts a table's rows.
func countTx(tx *db.Tx, name string) (n int64, err error) {
	err = tx.Get([]any{&n}, `SELECT COUNT(*) FROM `+quote(name))
	return n, err
}
