package transfer

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"math/big"
	"math/bits"
	"sync"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
)

// Summary is what one side of a table comes to.
type Summary struct {
	Rows   int64             `json:"rows"`
	Sums   map[string]string `json:"sums"`   // of each integer column, decimal
	Digest string            `json:"digest"` // SHA-256, hexadecimal, over all rows in the key's order
}

// TableReport compares one table.
type TableReport struct {
	Table       string  `json:"table"`
	Source      Summary `json:"source"`
	Destination Summary `json:"destination"`
	Same        bool    `json:"same"`
	Difference  string  `json:"difference,omitempty"` // the first one, by key
}

// ErrDiffers says that the destination is not the same as the source.
var ErrDiffers = errs.New(errs.Integrity, "move_differs", "the destination differs from the source; it is not served")

// Verify reads both sides from the disks anew and compares them. A difference
// is ErrDiffers, with a report that names the first one of each table.
func (m *Move) Verify(ctx context.Context) ([]TableReport, error) {
	m.mu.Lock()
	m.now.Verifying, m.now.Done = true, 0
	m.mu.Unlock()
	found := make(map[string]TableReport, len(m.tables))
	var mu sync.Mutex
	err := m.eachTable(ctx, func(ctx context.Context, t *table) error {
		r, err := m.compare(ctx, t)
		mu.Lock()
		defer mu.Unlock()
		found[t.name] = r
		return err
	})
	if err != nil {
		return nil, err
	}
	all := make([]TableReport, len(m.tables))
	for i, t := range m.tables {
		all[i] = found[t.name]
		if !all[i].Same && err == nil {
			err = ErrDiffers.With("table", t.name)
		}
	}
	if err == nil {
		fault.Point("transfer.verified")
	}
	return all, err
}

// compare reads one table on both sides, page by page side by side.
func (m *Move) compare(ctx context.Context, t *table) (TableReport, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r := TableReport{Table: t.name}
	a, b := newTally(t), newTally(t)
	source, dest := stream(ctx, m.from.DB, t, nil, false), stream(ctx, m.to.DB, t, nil, false)
	for {
		pa, errA := take(ctx, source)
		pb, errB := take(ctx, dest)
		if errA != nil || errB != nil {
			return r, cmp.Or(errA, errB)
		}
		if pa == nil && pb == nil {
			break
		}
		if r.Difference == "" {
			r.Difference = difference(t, pa, pb)
		}
		a.add(pa)
		b.add(pb)
		if pa != nil {
			m.report(t.name, int64(pa.rows))
		}
	}
	r.Source, r.Destination = a.summary(), b.summary()
	if err := m.recount(ctx, t, &r); err != nil {
		return r, err
	}
	r.Same = r.Difference == "" && r.Source.Digest == r.Destination.Digest
	return r, nil
}

// recount asks both databases for the number of rows: that the paging left
// rows out on both sides alike would show nowhere else.
func (m *Move) recount(ctx context.Context, t *table, r *TableReport) error {
	for _, side := range []struct {
		Side
		read int64
	}{{m.from, r.Source.Rows}, {m.to, r.Destination.Rows}} {
		var n int64
		if err := side.DB.View(ctx, func(tx *db.Tx) (err error) {
			n, err = countTx(tx, t.name)
			return err
		}); err != nil {
			return err
		}
		if n != side.read && r.Difference == "" {
			r.Difference = fmt.Sprintf("%s counts %d rows and gives %d", side.Place, n, side.read)
		}
	}
	return nil
}

// take gives the next page, nil behind the last.
func take(ctx context.Context, pages <-chan read) (*page, error) {
	next, more := <-pages
	if !more {
		return nil, ctx.Err()
	}
	return next.page, next.err
}

// difference names the first row in which two pages differ; either may be nil.
func difference(t *table, a, b *page) string {
	if a == nil {
		a = &page{}
	}
	if b == nil {
		b = &page{}
	}
	if bytes.Equal(a.form, b.form) {
		return ""
	}
	i := 0
	for i < a.rows && i < b.rows && bytes.Equal(a.row(i), b.row(i)) {
		i++
	}
	switch i {
	case a.rows:
		return "row " + showKey(b.keyOf(i)) + " is only in the destination"
	case b.rows:
		return "row " + showKey(a.keyOf(i)) + " is missing in the destination"
	}
	switch order := compareKeys(a.keyOf(i), b.keyOf(i)); {
	case order < 0:
		return "row " + showKey(a.keyOf(i)) + " is missing in the destination"
	case order > 0:
		return "row " + showKey(b.keyOf(i)) + " is only in the destination"
	}
	return "row " + showKey(a.keyOf(i)) + " differs in " + differingColumn(t, a.row(i), b.row(i))
}

// compareKeys compares two keys as the databases order them.
func compareKeys(a, b []byte) int {
	x, errX := parseKey(a)
	y, errY := parseKey(b)
	if errX != nil || errY != nil || len(x) != len(y) {
		return bytes.Compare(a, b)
	}
	for i := range x {
		order := 0
		switch v := x[i].(type) {
		case int64:
			w, _ := y[i].(int64) // keys of one table have one shape
			order = cmp.Compare(v, w)
		case string:
			w, _ := y[i].(string)
			order = cmp.Compare(v, w)
		case []byte:
			w, _ := y[i].([]byte)
			order = bytes.Compare(v, w)
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

// differingColumn names the column; its values may be secret and stay unsaid.
func differingColumn(t *table, a, b []byte) string {
	for _, c := range t.columns {
		_, restA, errA := parseValue(a)
		_, restB, errB := parseValue(b)
		if errA != nil || errB != nil || !bytes.Equal(a[:len(a)-len(restA)], b[:len(b)-len(restB)]) {
			return c.name
		}
		a, b = restA, restB
	}
	return "no column"
}

// tally sums one side up.
type tally struct {
	table *table
	sha   hash.Hash
	rows  int64
	sums  []sum
}

func newTally(t *table) *tally {
	y := &tally{table: t, sha: sha256.New(), sums: make([]sum, len(t.columns))}
	y.sha.Write([]byte(t.name + "(" + t.names(len(t.columns)) + ")"))
	return y
}

func (y *tally) add(p *page) {
	if p == nil {
		return
	}
	y.sha.Write(p.form)
	y.rows += int64(p.rows)
	for i := range p.sums {
		y.sums[i].add(p.sums[i])
	}
}

func (y *tally) summary() Summary {
	s := Summary{Rows: y.rows, Sums: map[string]string{}, Digest: hex.EncodeToString(y.sha.Sum(nil))}
	for i, c := range y.table.columns {
		if c.kind == integer {
			s.Sums[c.name] = y.sums[i].String()
		}
	}
	return s
}

// sum is a total of 128 bits: times of ten million rows go beyond 64.
type sum struct {
	hi int64
	lo uint64
}

func sumOf(v int64) sum { return sum{v >> 63, uint64(v)} }

func (s *sum) add(o sum) {
	lo, carry := bits.Add64(s.lo, o.lo, 0)
	s.lo, s.hi = lo, s.hi+o.hi+int64(carry)
}

// String is the total in decimal.
func (s *sum) String() string {
	total := new(big.Int).Lsh(big.NewInt(s.hi), 64)
	return total.Add(total, new(big.Int).SetUint64(s.lo)).String()
}
