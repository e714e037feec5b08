package dataclass

// Class says what a column holds and so how it must be treated.
type Class string

// The classes of DESIGN.md, rule 13.
const (
	Public Class = "public" // anybody may read it: titles, prices, counters
	Trade  Class = "trade"  // facts of orders, payments and books
	Goods  Class = "goods"  // what is sold: card keys, shared texts; sealed by the vault
	PII    Class = "pii"    // a person's data; sealed by the vault
	Secret Class = "secret" // credentials and tokens; sealed or hashed
)

// Table is the classes of one table's columns, by name.
type Table struct {
	Name    string
	Columns map[string]Class
}

// Of builds a Table whose columns all have one class, except those named in
// the maps that follow.
func Of(name string, class Class, columns []string, except ...map[string]Class) Table {
	t := Table{Name: name, Columns: make(map[string]Class, len(columns))}
	for _, c := range columns {
		t.Columns[c] = class
	}
	for _, m := range except {
		for c, k := range m {
			t.Columns[c] = k
		}
	}
	return t
}
