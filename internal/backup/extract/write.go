package extract

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"panshi/internal/dataclass"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// File is what was written of one table.
type File struct {
	Table string `json:"table"`
	Name  string `json:"file,omitempty"` // "" if there are no rows, and no file
	Rows  int64  `json:"rows"`
}

// Write writes each part into a new file of dir, one JSON object a row.
func (s Schema) Write(ctx context.Context, d *sqlite.Still, parts []Part, dir string) ([]File, error) {
	var files []File
	for _, p := range merged(parts) {
		f, err := s.writeTable(ctx, d, p, dir)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// merged puts the parts of one table together.
func merged(parts []Part) (all [][]Part) {
	at := map[string]int{}
	for _, p := range parts {
		i, known := at[p.Table]
		if !known {
			i = len(all)
			at[p.Table], all = i, append(all, nil)
		}
		all[i] = append(all[i], p)
	}
	return all
}

func (s Schema) writeTable(ctx context.Context, d *sqlite.Still, parts []Part, dir string) (f File, err error) {
	f = File{Table: parts[0].Table, Name: parts[0].Table + ".jsonl"}
	path := filepath.Join(dir, f.Name)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return f, unwritable(err)
	}
	buffer := bufio.NewWriter(file)
	f.Rows, err = s.lines(ctx, d, parts, json.NewEncoder(buffer))
	if err := errors.Join(err, buffer.Flush(), file.Sync(), file.Close()); err != nil {
		return f, err
	}
	if f.Rows > 0 {
		return f, nil
	}
	f.Name = ""
	return f, os.Remove(path)
}

func unwritable(err error) error {
	return errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written")
}

func (s Schema) lines(ctx context.Context, d *sqlite.Still, parts []Part, to *json.Encoder) (n int64, err error) {
	names, err := namesOf(ctx, d, parts[0].Table)
	if err != nil {
		return 0, err
	}
	for _, p := range parts {
		err := p.rows(ctx, d, names, func(values []any) error {
			row := map[string]any{}
			for i, name := range names {
				row[name] = s.shown(p.Table, name, values[i])
			}
			n++
			return to.Encode(row)
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func namesOf(ctx context.Context, d *sqlite.Still, table string) (names []string, err error) {
	columns, err := d.Columns(ctx, table)
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names, err
}

// shown is a value as it may leave: a column without a class does not.
func (s Schema) shown(table, column string, value any) any {
	class := s[table].Columns[column]
	if value != nil && class != dataclass.Public && class != dataclass.Trade {
		return "sealed:" + digest(value)
	}
	return readable(value)
}

func readable(value any) any {
	raw, blob := value.([]byte)
	switch {
	case blob && len(raw) == len(id.ID{}):
		return id.ID(raw).String()
	case blob:
		return "hex:" + hex.EncodeToString(raw)
	}
	return value
}

// digest tells values apart: 64 bits.
func digest(value any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%T %v", value, value))
	return hex.EncodeToString(sum[:8])
}

// keyText names a row by its primary key.
func (s Schema) keyText(table string, key []string, values []any) string {
	var parts []string
	for i, name := range key {
		parts = append(parts, fmt.Sprintf("%s=%v", name, s.shown(table, name, values[i])))
	}
	return strings.Join(parts, " ")
}
