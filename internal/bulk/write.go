package bulk

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"panshi/internal/db"
)

// writers is how many Updates wait at once: on SQLite they share a commit, on
// PostgreSQL they run side by side.
const writers = 4

// insert is the statement that writes n rows of a table at once.
func insert(table string, n int) string {
	columns := tables()[table]
	width := strings.Count(columns, ",") + 1
	var b strings.Builder
	b.WriteString("INSERT INTO " + table + " (" + columns + ") VALUES ")
	for i := range n * width {
		switch {
		case i == 0:
			b.WriteString("($")
		case i%width == 0:
			b.WriteString("), ($")
		default:
			b.WriteString(", $")
		}
		b.WriteString(strconv.Itoa(i + 1))
	}
	b.WriteString(")")
	return b.String()
}

// sheet is rows of one table on their way, at most db.MaxRows: an Update of
// its own writes them.
type sheet struct {
	table string
	rows  int
	args  []any
}

// writer collects rows and writes them in the background. put and close belong
// to one goroutine.
type writer struct {
	ctx      context.Context //nolint:containedctx // of the one filling that the writer is made for
	stop     context.CancelCauseFunc
	done     sync.WaitGroup
	full     chan sheet
	open     map[string]*sheet
	one      map[string]string // the statements of one row, by table
	many     map[string]string // those of a full sheet
	rows     atomic.Int64
	progress func(int64)
}

func newWriter(ctx context.Context, d db.DB, progress func(int64)) *writer {
	ctx, stop := context.WithCancelCause(ctx)
	w := &writer{
		ctx: ctx, stop: stop, full: make(chan sheet, writers), open: map[string]*sheet{},
		one: map[string]string{}, many: map[string]string{}, progress: progress,
	}
	for table := range tables() {
		w.one[table], w.many[table] = insert(table, 1), insert(table, db.MaxRows)
	}
	for range writers {
		w.done.Go(func() {
			if err := w.write(ctx, d); err != nil {
				stop(err)
			}
		})
	}
	return w
}

// put adds a row; its values stand in the order of the table's columns.
func (w *writer) put(table string, row ...any) {
	s := w.open[table]
	if s == nil {
		s = &sheet{table: table, args: make([]any, 0, db.MaxRows*len(row))}
		w.open[table] = s
	}
	s.args = append(s.args, row...)
	if s.rows++; s.rows == db.MaxRows {
		delete(w.open, table)
		w.send(*s)
	}
}

func (w *writer) send(s sheet) {
	select {
	case w.full <- s:
	case <-w.ctx.Done(): // close tells why
	}
}

func (w *writer) write(ctx context.Context, d db.DB) error {
	for s := range w.full {
		if err := d.Update(ctx, func(tx *db.Tx) error { return w.insertTx(tx, s) }); err != nil {
			return err
		}
		w.progress(w.rows.Add(int64(s.rows)))
	}
	return nil
}

// insertTx writes a sheet: in one statement where each is a round trip, and
// row by row on SQLite, whose driver looks for every parameter's name among all
// names.
func (w *writer) insertTx(tx *db.Tx, s sheet) error {
	if tx.Engine() == db.Postgres {
		text := w.many[s.table]
		if s.rows < db.MaxRows {
			text = insert(s.table, s.rows)
		}
		_, err := tx.Exec(text, s.args...)
		return err
	}
	width := len(s.args) / s.rows
	for row := range slices.Chunk(s.args, width) {
		if _, err := tx.Exec(w.one[s.table], row...); err != nil {
			return err
		}
	}
	return nil
}

// close writes what is left and waits.
func (w *writer) close() error {
	for _, s := range w.open {
		w.send(*s)
	}
	close(w.full)
	w.done.Wait()
	err := context.Cause(w.ctx)
	w.stop(nil)
	return err
}
