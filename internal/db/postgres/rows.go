package postgres

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// rows is a result being read. While it comes over the connection, reader is
// set; when another statement needs the connection, spill moves the rest into
// memory.
type rows struct {
	txn      *txn
	stmt     *stmt
	pipeline *pgconn.Pipeline
	reader   *pgconn.ResultReader // nil once all is read
	guarded  bool

	current [][]byte   // the row that Scan reads
	kept    [][][]byte // rows that were moved into memory
	ended   bool
	tag     pgconn.CommandTag
	err     error
}

// Next implements db.Rows.
func (r *rows) Next() bool {
	r.current = nil
	switch {
	case r.ended:
		return false
	case r.reader != nil:
		if r.reader.NextRow() {
			r.current = r.reader.Values()
			return true
		}
		r.finish()
	case len(r.kept) > 0:
		r.current, r.kept = r.kept[0], r.kept[1:]
		return true
	}
	r.ended = true
	return false
}

// Scan implements db.Rows.
func (r *rows) Scan(dest ...any) error {
	if r.current == nil {
		return errors.New("db: Scan without Next (in " + head(r.stmt.query) + ")")
	}
	if len(dest) != len(r.current) {
		return fmt.Errorf("db: %d columns, %d destinations (in %s)", len(r.current), len(dest), head(r.stmt.query))
	}
	for i, raw := range r.current {
		field := r.stmt.desc.Fields[i]
		value, err := decode(field.DataTypeOID, raw)
		if err == nil {
			err = assign(dest[i], value)
		}
		if err != nil {
			return fmt.Errorf("db: column %s: %w (in %s)", field.Name, err, head(r.stmt.query))
		}
	}
	return nil
}

// Err implements db.Rows.
func (r *rows) Err() error {
	if !r.ended {
		return nil // rows in memory come before the error behind them
	}
	return r.err
}

// Close implements db.Rows.
func (r *rows) Close() error {
	r.ended, r.current, r.kept = true, nil, nil
	if r.reader != nil {
		r.finish()
	}
	return r.err
}

// spill makes room on the connection.
func (r *rows) spill() {
	r.current = cloneRow(r.current)
	for r.reader.NextRow() {
		r.kept = append(r.kept, cloneRow(r.reader.Values()))
	}
	r.finish()
}

func cloneRow(row [][]byte) [][]byte {
	if row == nil {
		return nil
	}
	fresh := make([][]byte, len(row))
	for i, v := range row {
		fresh[i] = bytes.Clone(v)
	}
	return fresh
}

// finish reads to the end of the round trip.
func (r *rows) finish() {
	var err error
	r.tag, err = r.reader.Close()
	if err == nil && r.guarded {
		err = released(r.pipeline)
	}
	if closing := r.pipeline.Close(); err == nil {
		err = closing
	}
	r.reader, r.txn.open = nil, nil
	if err != nil {
		r.err = r.txn.failed(err, r.stmt.query, r.guarded)
	}
}

// released reads the answer to RELEASE.
func released(p *pgconn.Pipeline) error {
	result, err := p.GetResults()
	if err != nil {
		return err
	}
	if reader, ok := result.(*pgconn.ResultReader); ok {
		_, err = reader.Close()
	}
	return err
}
