package sqlite

import (
	"context"
	"database/sql"
	"log/slog"
	"time"

	"panshi/internal/db"
)

// leaveTime is how long closing waits for Views whose closures do not return
// although their statements are interrupted.
const leaveTime = 10 * time.Second

// readers is a bounded pool of read-only connections, opened when first used.
type readers struct {
	cfg    Config
	pool   *sql.DB
	slots  chan *conn      // a nil one stands for a connection to open
	ctx    context.Context //nolint:containedctx // ends when the pool closes; Views derive from it
	cancel context.CancelFunc
}

func newReaders(cfg Config, pool *sql.DB, n int) *readers {
	r := &readers{cfg: cfg, pool: pool, slots: make(chan *conn, n)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for range n {
		r.slots <- nil
	}
	return r
}

// view is DB.View on one of the pool's connections.
func (r *readers) view(ctx context.Context, fn func(*db.Tx) error) error {
	c, err := r.take(ctx)
	if err != nil {
		return err
	}
	unwatch := c.dog.watch(ctx)
	unclose := context.AfterFunc(r.ctx, c.dog.leave)
	s := &session{conn: c}
	defer func() {
		s.over = true
		c.closeRows()
		unclose()
		unwatch()
		r.put(c)
	}()
	if err := c.begin("BEGIN"); err != nil {
		return translate(err, "BEGIN")
	}
	return fn(db.NewTx(ctx, s, db.SQLite, r.cfg.Clock.Now()))
}

// take waits for a connection.
func (r *readers) take(ctx context.Context) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.ctx.Err() != nil {
		return nil, db.ErrClosing
	}
	select {
	case c := <-r.slots:
		if c != nil {
			return c, nil
		}
		c, err := openReader(ctx, r.cfg, r.pool)
		if err != nil {
			r.slots <- nil
			return nil, err
		}
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.ctx.Done():
		return nil, db.ErrClosing
	}
}

// put ends the snapshot and gives the connection back; one that cannot end it
// is closed.
func (r *readers) put(c *conn) {
	if c.handle.inTransaction() {
		if err := c.run("ROLLBACK"); err != nil {
			r.cfg.Logger.Warn("db: a reader failed", slog.Any("error", err))
			_ = c.close() // it is useless, whatever closing it says
			c = nil
		}
	}
	r.slots <- c
}

// close interrupts the Views that run, waits for them, and closes the
// connections.
func (r *readers) close() error {
	r.cancel()
	late := time.NewTimer(leaveTime)
	defer late.Stop()
	for range cap(r.slots) {
		select {
		case c := <-r.slots:
			if c != nil {
				_ = c.close() // a read-only connection has nothing to lose
			}
		case <-late.C:
			r.cfg.Logger.Error("db: a View does not end; closing without it")
			return r.pool.Close()
		}
	}
	return r.pool.Close()
}
