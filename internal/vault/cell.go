package vault

import (
	"errors"
	"fmt"

	"panshi/internal/id"
)

// cellVersion is the first byte of a cell's encoding.
const cellVersion = 1

var errCell = errors.New("vault: a cell needs table and column of 1 to 255 bytes and a row id")

// Cell is the one place in the database where a sealed value opens. All three
// parts are needed; Row is the id of the row, known before it is inserted.
type Cell struct {
	Table, Column string
	Row           id.ID
}

// String names the cell for logs; it holds no text of a customer.
func (c Cell) String() string { return fmt.Sprintf("%s.%s of row %s", c.Table, c.Column, c.Row) }

// associated encodes the cell so that no two cells have the same bytes: names
// carry their length, the id has a fixed one.
func (c Cell) associated() ([]byte, error) {
	if c.Row.IsZero() || !nameable(c.Table) || !nameable(c.Column) {
		return nil, errCell
	}
	b := make([]byte, 0, 3+len(c.Table)+len(c.Column)+len(c.Row))
	b = append(b, cellVersion, byte(len(c.Table)))
	b = append(b, c.Table...)
	b = append(b, byte(len(c.Column)))
	b = append(b, c.Column...)
	return append(b, c.Row[:]...), nil
}

func nameable(s string) bool { return len(s) > 0 && len(s) <= 255 }
