package transfer

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"panshi/internal/db"
)

// inserter writes rows of one table: row by row on SQLite, whose driver looks
// for each parameter's name among all names of the statement, so that one for
// many rows would be slow; in one statement on PostgreSQL, where each is a
// round trip.
type inserter struct {
	table *table
	one   string
	many  string
}

func newInserter(t *table) *inserter {
	marks, lists := make([]string, len(t.columns)), make([]string, len(t.columns))
	for i, c := range t.columns {
		marks[i] = fmt.Sprintf("$%d", i+1)
		lists[i] = fmt.Sprintf("CAST(CAST($%d AS text) AS %s[])", i+1, c.kind.serverType())
	}
	head := "INSERT INTO " + quote(t.name) + " (" + t.names(len(t.columns)) + ") "
	return &inserter{
		t, head + "VALUES (" + strings.Join(marks, ", ") + ")",
		head + "SELECT * FROM unnest(" + strings.Join(lists, ", ") + ")",
	}
}

func (k kind) serverType() string {
	switch k {
	case integer:
		return "bigint"
	case blob:
		return "bytea"
	case text:
	}
	return "text"
}

// insertTx writes rows, whose columns stand one after the other in values.
func (in *inserter) insertTx(tx *db.Tx, values []any) error {
	width := len(in.table.columns)
	if tx.Engine() == db.Postgres {
		lists := make([]any, width)
		for i := range lists {
			lists[i] = list(values, i, width)
		}
		_, err := tx.Exec(in.many, lists...)
		return err
	}
	for ; len(values) > 0; values = values[width:] {
		if _, err := tx.Exec(in.one, values[:width]...); err != nil {
			return err
		}
	}
	return nil
}

// list writes every width-th value from the first on as an array in the words
// of PostgreSQL.
func list(values []any, first, width int) string {
	out := []byte{'{'}
	for i := first; i < len(values); i += width {
		if i > first {
			out = append(out, ',')
		}
		switch v := values[i].(type) {
		case int64:
			out = strconv.AppendInt(out, v, 10)
		case string:
			out = appendQuoted(out, v)
		case []byte:
			out = append(hex.AppendEncode(append(out, `"\\x`...), v), '"')
		default:
			out = append(out, "NULL"...)
		}
	}
	return string(append(out, '}'))
}

func appendQuoted(out []byte, s string) []byte {
	out = append(out, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			out = append(out, '\\')
		}
		out = append(out, s[i])
	}
	return append(out, '"')
}
