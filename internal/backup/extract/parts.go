package extract

import (
	"context"
	"maps"
	"slices"

	"panshi/internal/dataclass"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
)

// Want says what is taken out: exactly one is set.
type Want struct {
	Table string // a whole table
	Order string // everything of the orders with this number
}

// Part is rows of one table.
type Part struct {
	Table  string
	match  string // column; "" is all rows
	values []any  // of the column
}

// Schema is the data classes of all tables, by name.
type Schema map[string]dataclass.Table

// NewSchema sorts tables by name.
func NewSchema(tables []dataclass.Table) Schema {
	s := Schema{}
	for _, t := range tables {
		s[t.Name] = t
	}
	return s
}

// Parts finds what is wanted in a database. Codes extract_table_unknown,
// extract_order_unknown.
func (s Schema) Parts(ctx context.Context, d *sqlite.Still, w Want) ([]Part, error) {
	if w.Order != "" {
		return s.ofOrder(ctx, d, w.Order)
	}
	if _, known := s[w.Table]; !known {
		return nil, errs.Field("table", "extract_table_unknown", "there is no table of this name")
	}
	return []Part{{Table: w.Table}}, nil
}

// ofOrder finds the rows that name an order: by its number, by its id, and the
// postings of its entries in the books.
func (s Schema) ofOrder(ctx context.Context, d *sqlite.Still, number string) ([]Part, error) {
	orders := []Part{{"orders", "order_no", []any{number}}, {"archived_orders", "order_no", []any{number}}}
	ids, err := valuesOf(ctx, d, orders, "id")
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, errs.Field("order", "extract_order_unknown", "there is no order of this number in that state of the shop")
	}
	parts := orders
	for _, name := range slices.Sorted(maps.Keys(s)) {
		for _, column := range []string{"order_id", "subject_id"} {
			if _, has := s[name].Columns[column]; has {
				parts = append(parts, Part{name, column, ids})
			}
		}
	}
	entries, err := valuesOf(ctx, d, []Part{{"ledger_entries", "subject_id", ids}}, "id")
	for _, name := range []string{"ledger_postings", "archived_ledger_postings"} {
		parts = append(parts, Part{name, "entry_id", entries})
	}
	return parts, err
}

func valuesOf(ctx context.Context, d *sqlite.Still, parts []Part, column string) (all []any, err error) {
	for _, p := range parts {
		err := p.rows(ctx, d, []string{column}, func(values []any) error {
			all = append(all, values[0])
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// rows walks through the part; a table that the database does not have has none.
func (p Part) rows(ctx context.Context, d *sqlite.Still, columns []string, fn func([]any) error) error {
	there, err := d.Columns(ctx, p.Table)
	if err != nil || len(there) == 0 {
		return err
	}
	if p.match == "" {
		return d.Rows(ctx, p.Table, columns, "", nil, fn)
	}
	for _, v := range p.values {
		if err := d.Rows(ctx, p.Table, columns, p.match, v, fn); err != nil {
			return err
		}
	}
	return nil
}
