package dbtest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
)

// endless is a query that takes far longer than any limit of the suite.
const endless = `WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 10000000000) `

func cancelledBeforeStart(t *testing.T, s *suite) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	ran := false
	fn := func(tx *db.Tx) error { ran = true; return put(tx, 1, 1) }
	require.ErrorIs(t, s.DB.Update(ctx, fn), context.Canceled)
	require.ErrorIs(t, s.DB.View(ctx, fn), context.Canceled)
	require.False(t, ran)
	if !s.Serial {
		return
	}
	h := s.hold(5)
	ctx, cancel = context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- s.DB.Update(ctx, fn) }()
	settleDown()
	cancel()
	require.ErrorIs(t, <-result, context.Canceled, "it must not wait for those before it")
	close(h.release)
	require.NoError(t, <-h.done)
	require.False(t, ran)
	require.Equal(t, map[int64]int64{5: 5}, items(t, s.DB))
}

func cancelledAfterStart(t *testing.T, s *suite) {
	ctx, cancel := context.WithCancel(context.Background())
	err := s.DB.Update(ctx, func(tx *db.Tx) error {
		cancel()
		return put(tx, 1, 1)
	})
	require.NoError(t, err, "after the start the outcome is the commit's")
	require.Equal(t, map[int64]int64{1: 1}, items(t, s.DB))
}

func cancelledView(t *testing.T, s *suite) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := s.DB.View(ctx, func(tx *db.Tx) error {
		var n int64
		err := tx.Get([]any{&n}, endless+`SELECT count(*) FROM n`)
		if err == nil {
			return errors.New("it ended")
		}
		again := tx.Get([]any{&n}, `SELECT 1`)
		if !errors.Is(again, context.DeadlineExceeded) {
			return errors.New("a cancelled View went on")
		}
		return err
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), time.Second)
	require.Empty(t, items(t, s.DB), "the reader serves the next")
}

// closeWhileOthersWait checks that each of many is either committed and told
// so, or told ErrClosing and not there.
func closeWhileOthersWait(t *testing.T, s *suite) {
	const callers = 60
	h := s.hold(callers)
	results := make([]error, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			results[i] = s.update(func(tx *db.Tx) error { return put(tx, int64(i), 1) })
		})
	}
	settleDown()
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	settleDown()
	close(h.release)
	require.NoError(t, <-closed)
	all.Wait()
	require.NoError(t, <-h.done, "what runs is finished")
	kept := items(t, s.Reopen())
	for i, err := range results {
		if err != nil {
			require.ErrorIs(t, err, db.ErrClosing)
		}
		require.Equal(t, err == nil, kept[int64(i)] == 1, "item %d was answered %v", i, err)
	}
}

func closedRefuses(t *testing.T, s *suite) {
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing again is no error")
	nothing := func(*db.Tx) error { return errors.New("it ran") }
	require.ErrorIs(t, s.update(nothing), db.ErrClosing)
	require.ErrorIs(t, s.DB.View(context.Background(), nothing), db.ErrClosing)
}

// slowWrite is a write that the statement limit ends: under SQLite that takes
// the whole transaction along.
func slowWrite(tx *db.Tx) error {
	_, err := tx.Exec(endless + `INSERT INTO item (k, v) SELECT x + 5000000, x FROM n`)
	return err
}

func slowWriteFailsAlone(t *testing.T, s *suite) {
	var runs atomic.Int64
	results := s.batch(t,
		func(tx *db.Tx) error { runs.Add(1); return put(tx, 1, 1) },
		func(tx *db.Tx) error { return errors.Join(put(tx, 4, 4), errPlanned) },
		slowWrite,
		func(tx *db.Tx) error { return put(tx, 3, 3) },
	)
	require.NoError(t, results[0])
	require.ErrorIs(t, results[1], errPlanned)
	require.ErrorIs(t, results[2], db.ErrTimeout)
	require.NoError(t, results[3])
	require.Equal(t, map[int64]int64{1: 1, 3: 3, 1_000_000: 1_000_000}, items(t, s.DB))
	require.Positive(t, runs.Load())
	require.NoError(t, s.Close())
	require.Len(t, items(t, s.Reopen()), 3, "what was acknowledged is there")
}

// slowWriteSwallowed is a closure that goes on after its transaction is gone:
// nothing that it writes then may be kept, and it must not look like success.
func slowWriteSwallowed(t *testing.T, s *suite) {
	results := s.batch(t,
		func(tx *db.Tx) error { return put(tx, 1, 1) },
		func(tx *db.Tx) error {
			_ = put(tx, 2, 2)
			_ = slowWrite(tx)
			if put(tx, 3, 3) == nil {
				t.Error("a write was accepted after the transaction had been lost")
			}
			return nil
		},
	)
	require.NoError(t, results[0])
	require.ErrorIs(t, results[1], db.ErrTimeout)
	require.Equal(t, map[int64]int64{1: 1, 1_000_000: 1_000_000}, items(t, s.DB))
}

func slowReadFails(t *testing.T, s *suite) {
	queries := map[string]string{
		"first row":  endless + `SELECT count(*) FROM n`,
		"second row": endless + `SELECT 1 UNION ALL SELECT count(*) FROM n`,
	}
	for name, query := range queries {
		read := func(tx *db.Tx) error {
			_, err := db.Collect(tx, func(r db.Rows) (n int64, err error) { return n, r.Scan(&n) }, query)
			return err
		}
		start := time.Now()
		require.ErrorIs(t, s.DB.View(context.Background(), read), db.ErrTimeout, name)
		require.ErrorIs(t, s.update(read), db.ErrTimeout, name)
		require.Less(t, time.Since(start), 5*time.Second)
	}
	require.NoError(t, s.update(func(tx *db.Tx) error { return put(tx, 1, 1) }))
	require.Len(t, items(t, s.DB), 1)
}

// longIsLonger runs what takes longer than the short limit, in rows, so that
// the test does not depend on the machine's speed.
func longIsLonger(t *testing.T, s *suite) {
	count := func(tx *db.Tx) error {
		rows, err := tx.Query(`SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3`)
		if err != nil {
			return err
		}
		for rows.Next() {
			time.Sleep(80 * time.Millisecond) // together past the short limit
		}
		return rows.Err()
	}
	require.NoError(t, s.DB.View(db.WithLong(context.Background()), count))
	require.NoError(t, s.DB.Update(db.WithLong(context.Background()), count))
}
