package extract

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"panshi/internal/db/sqlite"
)

// first is how many rows of each kind are named.
const first = 20

// Diff is how one table differs between the backup and the shop.
type Diff struct {
	Table   string `json:"table"`
	Missing Rows   `json:"missing"` // in the backup, and not in the shop
	Changed Rows   `json:"changed"` // in both, with other values
	New     Rows   `json:"new"`     // in the shop, and not in the backup
}

// Rows counts rows and names the first of them by primary key; of changed ones
// the columns, too.
type Rows struct {
	Count int64    `json:"count"`
	First []string `json:"first"`
}

func (r *Rows) note(text string) {
	r.Count++
	if len(r.First) < first {
		r.First = append(r.First, text)
	}
}

// Compare tells how parts of the backup was differ from those of is. It holds
// the digests of the backup's rows in memory: some 150 bytes a row.
func (s Schema) Compare(ctx context.Context, was, is *sqlite.Still, parts []Part) ([]Diff, error) {
	var all []Diff
	for _, p := range merged(parts) {
		d, err := s.compareTable(ctx, was, is, p)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

func (s Schema) compareTable(ctx context.Context, was, is *sqlite.Still, parts []Part) (Diff, error) {
	table := parts[0].Table
	d := Diff{Table: table, Missing: Rows{First: []string{}}, Changed: Rows{First: []string{}}, New: Rows{First: []string{}}}
	key, names, err := columnsOfBoth(ctx, was, is, table)
	if err != nil || len(key) == 0 {
		return d, err
	}
	rows := map[string][]string{} // digests of the values, by the text of the key
	for _, p := range parts {
		err := p.rows(ctx, was, names, func(values []any) error {
			rows[s.keyText(table, key, values)] = digests(values)
			return nil
		})
		if err != nil {
			return d, err
		}
	}
	for _, p := range parts {
		err := p.rows(ctx, is, names, func(values []any) error {
			text := s.keyText(table, key, values)
			old, known := rows[text]
			delete(rows, text)
			if !known {
				d.New.note(text)
			} else if changed := differing(names, old, digests(values)); len(changed) > 0 {
				d.Changed.note(text + ": " + strings.Join(changed, ", "))
			}
			return nil
		})
		if err != nil {
			return d, err
		}
	}
	var gone []string
	for text := range rows {
		gone = append(gone, text)
	}
	slices.Sort(gone)
	for _, text := range gone {
		d.Missing.note(text)
	}
	return d, nil
}

// columnsOfBoth gives the primary key and then the other columns that both have.
func columnsOfBoth(ctx context.Context, was, is *sqlite.Still, table string) (key, names []string, err error) {
	columns, err := was.Columns(ctx, table)
	if err != nil {
		return nil, nil, err
	}
	there, err := namesOf(ctx, is, table)
	if err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(columns, func(a, b sqlite.Column) int { return cmp.Compare(keyPlace(a), keyPlace(b)) })
	for _, c := range columns {
		switch {
		case c.Key > 0:
			key, names = append(key, c.Name), append(names, c.Name)
		case slices.Contains(there, c.Name):
			names = append(names, c.Name)
		}
	}
	return key, names, nil
}

func keyPlace(c sqlite.Column) int {
	if c.Key == 0 {
		return 1 << 20
	}
	return c.Key
}

func digests(values []any) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = digest(v)
	}
	return out
}

func differing(names, was, is []string) (changed []string) {
	for i, name := range names {
		if was[i] != is[i] {
			changed = append(changed, name)
		}
	}
	return changed
}
