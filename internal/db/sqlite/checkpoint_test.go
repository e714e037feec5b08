package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/sqlite"
)

// spy watches a Checkpointer at work.
type spy struct {
	db.Checkpointer
	last          atomic.Int64 // pages in the log after the latest batch
	largest       atomic.Int64
	copied        atomic.Int64 // most ever seen copied
	closed, calls atomic.Int64
}

func (s *spy) AfterBatch(ctx context.Context, log db.Log) error {
	s.calls.Add(1)
	if s.Checkpointer != nil {
		if err := s.Checkpointer.AfterBatch(ctx, log); err != nil {
			return err
		}
	}
	state, err := log.State(ctx)
	s.last.Store(int64(state.Pages))
	s.largest.Store(max(s.largest.Load(), int64(state.Pages)))
	s.copied.Store(max(s.copied.Load(), int64(state.Copied)))
	return err
}

func (s *spy) AtClose(ctx context.Context, log db.Log) error {
	s.closed.Add(1)
	if s.Checkpointer != nil {
		return s.Checkpointer.AtClose(ctx, log)
	}
	return nil
}

func spied(t *testing.T, s *spy) (*sqlite.DB, string) {
	t.Helper()
	cfg := ackConfig(t.TempDir())
	cfg.Checkpointer = s
	d, err := sqlite.Open(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d, filepath.Join(cfg.Dir, sqlite.FileName)
}

func TestLogStaysShort(t *testing.T) {
	s := &spy{Checkpointer: sqlite.NewCheckpointer(50, 500)}
	d, file := spied(t, s)
	for k := range int64(200) {
		require.NoError(t, insertAck(d, k, 4000))
	}
	require.Positive(t, s.copied.Load())
	require.Less(t, s.largest.Load(), int64(120), "200 writes of 2 or 3 pages each")
	require.NoError(t, d.Close())
	require.EqualValues(t, 1, s.closed.Load())
	_, err := os.Stat(file + "-wal")
	require.ErrorIs(t, err, os.ErrNotExist, "closing leaves one file")
}

// TestReaderDelaysTheLogOnly keeps a reader on an old state while others
// write: they go on, and once it has left the log starts over.
func TestReaderDelaysTheLogOnly(t *testing.T) {
	s := &spy{Checkpointer: sqlite.NewCheckpointer(20, 60)}
	d, _ := spied(t, s)
	require.NoError(t, insertAck(d, 0, 1))
	require.NoError(t, d.View(context.Background(), func(tx *db.Tx) error {
		var before, after int
		require.NoError(t, tx.Get([]any{&before}, `SELECT count(*) FROM ack`))
		for k := int64(1); k < 60; k++ {
			require.NoError(t, insertAck(d, k, 4000))
		}
		require.Greater(t, s.last.Load(), int64(100), "the reader needs the log")
		require.NoError(t, tx.Get([]any{&after}, `SELECT count(*) FROM ack`))
		require.Equal(t, before, after)
		return nil
	}))
	for k := int64(100); k < 130; k++ {
		require.NoError(t, insertAck(d, k, 4000))
	}
	require.Less(t, s.last.Load(), int64(60), "the log starts over")
}

// TestCheckpointsCanBeTakenOver shows that with an owner that does nothing,
// nothing is copied behind its back.
func TestCheckpointsCanBeTakenOver(t *testing.T) {
	s := &spy{}
	d, _ := spied(t, s)
	for k := range int64(400) {
		require.NoError(t, insertAck(d, k, 12000))
	}
	require.Greater(t, s.last.Load(), int64(1200))
	require.Zero(t, s.copied.Load())
	require.EqualValues(t, 400, s.calls.Load())
}
