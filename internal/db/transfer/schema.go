package transfer

import (
	"fmt"
	"slices"
	"strings"

	"panshi/internal/db"
	"panshi/internal/errs"
)

// kind is what a column holds.
type kind byte

const (
	integer kind = 'i'
	text    kind = 't'
	blob    kind = 'b'
)

// column of a table.
type column struct {
	name string
	kind kind
}

// table is one of the shop's tables. The columns of its primary key come
// first, in the key's order, and then the others by name, so that both engines
// tell the same row in the same bytes.
type table struct {
	name    string
	columns []column
	key     int      // how many of them are the primary key
	refs    []string // tables that its rows refer to, without itself
}

// Names of the package's own tables.
const (
	progressTable = "transfer_progress" // in a destination until the move is over
	markTable     = "transfer_mark"     // in a source, for good
)

// ours tells whether a table is part of the shop. The history of migrations is
// each database's own, leases belong to processes, and the engine and the log
// shipper keep their own books.
func ours(name string) bool {
	switch name {
	case "leases", progressTable, markTable:
		return false
	}
	for _, prefix := range []string{"goose_", "sqlite_", "_litestream_"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return true
}

// schemaQuery tells of every column: table, column, type, whether an order by
// it is the order of its bytes, and its place in the primary key or 0. Parts of
// a partitioned table are no tables of their own.
func schemaQuery(engine db.Engine) string {
	if engine == db.Postgres {
		return `SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
				CASE WHEN l.collname IS NULL OR l.collname = 'C' THEN 1 ELSE 0 END,
				COALESCE(array_position(k.conkey, a.attnum), 0)
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			LEFT JOIN pg_collation l ON l.oid = a.attcollation
			LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
			WHERE c.relnamespace = to_regnamespace(current_schema()) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
			ORDER BY 1, 2`
	}
	return `SELECT t.name, i.name, i.type, 1, i.pk FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS i
		WHERE t.type = 'table' ORDER BY 1, 2`
}

func refsQuery(engine db.Engine) string {
	if engine == db.Postgres {
		return `SELECT DISTINCT c.relname, f.relname FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
			JOIN pg_class f ON f.oid = o.confrelid WHERE o.contype = 'f' AND NOT c.relispartition
			AND c.relnamespace = to_regnamespace(current_schema()) ORDER BY 1, 2`
	}
	return `SELECT DISTINCT t.name, r."table" FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS r
		WHERE t.type = 'table' ORDER BY 1, 2`
}

// kindOf reads a type as the engines spell it.
func kindOf(spelt string) (kind, bool) {
	switch strings.ToLower(spelt) {
	case "integer", "bigint":
		return integer, true
	case "text":
		return text, true
	case "blob", "bytea":
		return blob, true
	}
	return 0, false
}

// seen is one line of the schema.
type seen struct {
	table, column, spelt string
	bytewise, key        int
}

// schemaTx reads the shop's tables, by name.
func schemaTx(tx *db.Tx) ([]table, error) {
	lines, err := db.Collect(tx, func(r db.Rows) (s seen, err error) {
		return s, r.Scan(&s.table, &s.column, &s.spelt, &s.bytewise, &s.key)
	}, schemaQuery(tx.Engine()))
	if err != nil {
		return nil, err
	}
	var all []table
	for len(lines) > 0 {
		end := slices.IndexFunc(lines, func(s seen) bool { return s.table != lines[0].table })
		if end < 0 {
			end = len(lines)
		}
		if ours(lines[0].table) {
			t, err := tableOf(lines[:end])
			if err != nil {
				return nil, err
			}
			all = append(all, t)
		}
		lines = lines[end:]
	}
	return all, referTx(tx, all)
}

// tableOf puts the columns of one table in order.
func tableOf(lines []seen) (table, error) {
	t := table{name: lines[0].table}
	slices.SortStableFunc(lines, func(a, b seen) int {
		switch {
		case a.key > 0 && b.key > 0:
			return a.key - b.key
		case a.key > 0:
			return -1
		case b.key > 0:
			return 1
		}
		return strings.Compare(a.column, b.column)
	})
	for _, l := range lines {
		k, known := kindOf(l.spelt)
		if !known {
			return t, cannot("column %s.%s is of the type %q, which no move knows", l.table, l.column, l.spelt)
		}
		if l.key > 0 {
			t.key++
			if l.bytewise == 0 {
				return t, cannot("the key column %s.%s does not compare by bytes", l.table, l.column)
			}
		}
		t.columns = append(t.columns, column{l.column, k})
	}
	if t.key == 0 {
		return t, cannot("table %s has no primary key", t.name)
	}
	return t, nil
}

func cannot(format string, args ...any) error {
	return errs.New(errs.Internal, "transfer_unknown_schema", "the move cannot copy this schema: "+fmt.Sprintf(format, args...))
}

// referTx notes which tables refer to which.
func referTx(tx *db.Tx, all []table) error {
	pairs, err := db.Collect(tx, func(r db.Rows) (p [2]string, err error) { return p, r.Scan(&p[0], &p[1]) },
		refsQuery(tx.Engine()))
	if err != nil {
		return err
	}
	for _, p := range pairs {
		i := slices.IndexFunc(all, func(t table) bool { return t.name == p[0] })
		if i >= 0 && p[0] != p[1] {
			all[i].refs = append(all[i].refs, p[1])
		}
	}
	return nil
}

// inOrder sorts tables so that each comes behind those it refers to.
func inOrder(all []table) ([]table, error) {
	var sorted []table
	placed := map[string]bool{}
	for len(sorted) < len(all) {
		before := len(sorted)
		for _, t := range all {
			if !placed[t.name] && !slices.ContainsFunc(t.refs, func(r string) bool { return !placed[r] }) {
				placed[t.name] = true
				sorted = append(sorted, t)
			}
		}
		if len(sorted) == before {
			return nil, cannot("tables refer to each other in a circle")
		}
	}
	return sorted, nil
}

// sameSchema says in what two databases differ; the rows of one would not fit
// the other.
func sameSchema(source, dest []table) error {
	lines := func(all []table) (out []string) {
		for _, t := range all {
			for i, c := range t.columns {
				out = append(out, fmt.Sprintf("%s.%s %c key %t", t.name, c.name, c.kind, i < t.key))
			}
		}
		slices.Sort(out)
		return out
	}
	a, b := lines(source), lines(dest)
	if slices.Equal(a, b) {
		return nil
	}
	for _, l := range a {
		if !slices.Contains(b, l) {
			return cannot("only the source has %s", l)
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			return cannot("only the destination has %s", l)
		}
	}
	return cannot("keys differ")
}

// names lists the columns for a statement. Names come from the schema; they
// are quoted, because a later migration may use a word of SQL.
func (t *table) names(n int) string {
	quoted := make([]string, n)
	for i, c := range t.columns[:n] {
		quoted[i] = quote(c.name)
	}
	return strings.Join(quoted, ", ")
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
