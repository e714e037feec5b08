package sqlite

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"panshi/internal/db"
)

// patience is how long a restarting checkpoint waits for readers while every
// write waits for it.
const patience = 50 * time.Millisecond

// busyTimeout is how long the engine waits for locks of other processes (a
// shell that somebody opened on the file).
const busyTimeout = 5 * time.Second

// checkpointer is the engine's own db.Checkpointer.
type checkpointer struct {
	every  int // pages to gather before they are copied
	limit  int // pages at which readers are waited for
	copied int // owned by the writer; pages in the log at the last passive checkpoint
}

// NewCheckpointer returns a Checkpointer that copies pages whenever another
// `every` of them (4 KiB each) have gathered, and, once readers have let the
// log grow past limit pages, waits briefly for them so that it can start over.
// It serves one DB.
func NewCheckpointer(every, limit int) db.Checkpointer {
	return &checkpointer{every: every, limit: limit}
}

// AfterBatch implements db.Checkpointer.
func (c *checkpointer) AfterBatch(ctx context.Context, log db.Log) error {
	state, err := log.State(ctx)
	if err != nil {
		return err
	}
	if state.Pages < c.copied {
		c.copied = 0 // it started over
	}
	if state.Pages-c.copied < c.every {
		return nil
	}
	mode := db.CheckpointPassive
	if state.Pages >= c.limit {
		mode = db.CheckpointRestart
	}
	if _, err := log.Checkpoint(ctx, mode); err != nil {
		return err
	}
	// Even if a reader held it up: trying again after every batch would cost
	// more than it gains.
	c.copied = state.Pages
	return nil
}

// AtClose implements db.Checkpointer.
func (c *checkpointer) AtClose(ctx context.Context, log db.Log) error {
	state, err := log.Checkpoint(ctx, db.CheckpointTruncate)
	if err == nil && state.Busy {
		err = fmt.Errorf("db: %d of the log's %d pages remain in it", state.Pages-state.Copied, state.Pages)
	}
	return err
}

// walLog is the writer's db.Log.
type walLog struct{ conn *conn }

// State implements db.Log.
func (l walLog) State(ctx context.Context) (db.LogState, error) { return l.pragma(ctx, "NOOP") }

// Checkpoint implements db.Log.
func (l walLog) Checkpoint(ctx context.Context, mode db.CheckpointMode) (db.LogState, error) {
	if mode == db.CheckpointPassive {
		return l.pragma(ctx, string(mode))
	}
	if err := l.conn.run(fmt.Sprintf("PRAGMA busy_timeout=%d", patience.Milliseconds())); err != nil {
		return db.LogState{}, translate(err, "busy_timeout")
	}
	state, err := l.pragma(ctx, string(mode))
	if back := l.conn.run(fmt.Sprintf("PRAGMA busy_timeout=%d", busyTimeout.Milliseconds())); err == nil {
		err = translate(back, "busy_timeout")
	}
	return state, err
}

func (l walLog) pragma(ctx context.Context, mode string) (s db.LogState, err error) {
	query := "PRAGMA wal_checkpoint(" + mode + ")"
	err = l.conn.get(ctx, query, &s.Busy, &s.Pages, &s.Copied)
	if err != nil {
		return s, fmt.Errorf("db: checkpoint: %w", translate(err, query))
	}
	return s, nil
}

// checkpoint lets the Checkpointer work between two batches.
func (w *writer) checkpoint() {
	if w.broken.Load() {
		return
	}
	start := time.Now()
	if err := w.cfg.Checkpointer.AfterBatch(context.Background(), walLog{w.conn}); err != nil {
		w.note(err)
		w.cfg.Logger.Warn("db: checkpoint failed", slog.Any("error", err))
	}
	if took := time.Since(start); took > time.Second {
		w.cfg.Logger.Warn("db: a checkpoint held up all writes", slog.Duration("for", took))
	}
}

// lastCheckpoint lets the Checkpointer empty the log. If it cannot, nothing is
// lost: what was committed stays in the log, which opening reads.
func (w *writer) lastCheckpoint() {
	if w.broken.Load() {
		return
	}
	if err := w.cfg.Checkpointer.AtClose(context.Background(), walLog{w.conn}); err != nil {
		w.cfg.Logger.Warn("db: the log could not be emptied at closing", slog.Any("error", err))
	}
}
