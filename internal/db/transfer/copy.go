package transfer

import (
	"context"
	"sync"

	"panshi/internal/db"
	"panshi/internal/fault"
)

// atOnce is how many tables are worked on side by side. While one waits for
// the disk another is read; on SQLite their batches share a commit.
const atOnce = 4

// batchRows is how many rows one transaction brings: with the row that says
// how far the table came they are db.MaxRows.
const batchRows = db.MaxRows - 1

// Copy brings all rows that are not there yet. An error, also that of ctx,
// leaves a move that can be taken up again.
func (m *Move) Copy(ctx context.Context) error {
	for _, t := range m.tables {
		m.report(t.name, m.progress[t.name].rows)
	}
	err := m.eachTable(ctx, m.copyTable)
	if err == nil {
		fault.Point("transfer.copied")
	}
	return err
}

// eachTable works on the tables side by side, on each when those that it
// refers to are done. The first error ends all.
func (m *Move) eachTable(ctx context.Context, work func(context.Context, *table) error) error {
	ctx, stop := context.WithCancelCause(db.WithLong(ctx))
	defer stop(nil)
	done := make(map[string]chan struct{}, len(m.tables))
	for _, t := range m.tables {
		done[t.name] = make(chan struct{})
	}
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range m.tables {
		t := &m.tables[i]
		all.Go(func() {
			defer close(done[t.name])
			for _, r := range t.refs {
				<-done[r]
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() == nil {
				if err := work(ctx, t); err != nil {
					stop(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// copyTable brings the rows behind the last one that is there. One goroutine
// reads ahead of the one that writes.
func (m *Move) copyTable(ctx context.Context, t *table) error {
	p := m.progress[t.name]
	p.move = m.id
	if p.done {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	pages := stream(ctx, m.from.DB, t, p.lastKey, true)
	in := newInserter(t)
	for next := range pages {
		if next.err != nil {
			return next.err
		}
		if err := m.writePage(ctx, in, next.page, &p); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return m.analyze(ctx, t)
}

// writePage writes a page in batches. A commit of which nobody knows whether it
// happened ends the copying like any error: the next run finds out from the
// progress that was, or was not, written with it.
func (m *Move) writePage(ctx context.Context, in *inserter, pg *page, p *progress) error {
	width := len(in.table.columns)
	for from := 0; from < pg.rows || from == 0; from += batchRows {
		to := min(from+batchRows, pg.rows)
		if to > from {
			p.lastKey = pg.keyOf(to - 1)
		}
		p.rows += int64(to - from)
		p.done = pg.last && to == pg.rows
		if err := m.to.DB.Update(ctx, func(tx *db.Tx) error {
			if to > from {
				if err := in.insertTx(tx, pg.values[from*width:to*width]); err != nil {
					return err
				}
			}
			return setProgressTx(tx, in.table.name, *p)
		}); err != nil {
			return err
		}
		if to > from {
			fault.Point("transfer.copy.batch-written")
		}
		m.report(in.table.name, int64(to-from))
	}
	return nil
}

// analyze tells PostgreSQL's planner at once what the table looks like. SQLite
// plans by the indexes alone, as it does in every shop.
func (m *Move) analyze(ctx context.Context, t *table) error {
	return m.to.DB.Update(ctx, func(tx *db.Tx) error {
		if tx.Engine() != db.Postgres {
			return nil
		}
		_, err := tx.Exec(`ANALYZE ` + quote(t.name))
		return err
	})
}

// read is a page or why there is none.
type read struct {
	page *page
	err  error
}

// stream reads a table from behind key to its end, a page ahead of whoever
// takes them. It ends with ctx.
func stream(ctx context.Context, d db.DB, t *table, key []byte, withValues bool) <-chan read {
	pages := make(chan read, 1)
	go func() {
		defer close(pages)
		for last := false; !last; {
			p, err := readPage(ctx, d, t, key, withValues)
			select {
			case pages <- read{p, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
			if last = p.last; !last {
				key = p.keyOf(p.rows - 1)
			}
		}
	}()
	return pages
}
