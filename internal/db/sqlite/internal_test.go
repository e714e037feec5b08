package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
)

func openSmall(t *testing.T) *DB {
	t.Helper()
	d, err := Open(context.Background(), Config{Dir: t.TempDir(), Migrations: fstest.MapFS{
		"0001_t.sql": {Data: []byte("-- +goose Up\nCREATE TABLE t (k INTEGER PRIMARY KEY) STRICT;\n")},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func TestVersions(t *testing.T) {
	for have, good := range map[string]bool{
		"3.51.3": true, "3.51.4": true, "3.52.0": true, "3.100.0": true, "4.0.0": true,
		"3.51.2": false, "3.9.9": false, "2.99.99": false, "x.y": false,
	} {
		require.Equal(t, good, checkVersion(have, "3.51.3") == nil, have)
	}
}

func TestInspect(t *testing.T) {
	for query, params := range map[string]int{
		"SELECT 1":                          0,
		"SELECT $1, $2, $1":                 2,
		"SELECT '$9; COMMIT', \"$8\" -- $7": 0,
		"SELECT /* $3 */ $1;  -- end":       1,
		"SELECT 'it''s $5', [a $6], $1":     1,
		"":                                  0,
	} {
		n, err := inspect(query)
		require.NoError(t, err, query)
		require.Equal(t, params, n, query)
	}
	for _, query := range []string{
		"SELECT $2", "SELECT $2, $1", "SELECT ?", "SELECT $0", "SELECT $x", "SELECT 1; SELECT 2", "end", "PrAgMa x",
	} {
		_, err := inspect(query)
		require.Error(t, err, query)
	}
}

func FuzzInspect(f *testing.F) {
	f.Add("SELECT $1 -- '")
	f.Fuzz(func(_ *testing.T, query string) { _, _ = inspect(query) }) // it ends and does not panic
}

// TestCommitFails replaces COMMIT by what cannot be told apart from a failed
// fsync: nobody may be told that it was saved, nor that it was not.
func TestCommitFails(t *testing.T) {
	d := openSmall(t)
	boom := errors.New("fsync: input/output error")
	d.writer.commit = func() error { return boom }
	failing := errors.New("its own")
	var all sync.WaitGroup
	for k := range 10 {
		all.Go(func() {
			err := d.Update(context.Background(), func(tx *db.Tx) error {
				if k%2 == 0 {
					return failing
				}
				_, err := tx.Exec(`INSERT INTO t (k) VALUES ($1)`, k)
				return err
			})
			if !errors.Is(err, db.ErrUnknown) && !errors.Is(err, db.ErrBroken) {
				t.Errorf("answered %v", err)
			}
		})
	}
	all.Wait()
	require.True(t, d.Stats().Broken)
	err := d.Update(context.Background(), func(*db.Tx) error { return errors.New("it ran") })
	require.ErrorIs(t, err, db.ErrBroken)
	require.NoError(t, d.View(context.Background(), func(tx *db.Tx) error {
		var n int
		return tx.Get([]any{&n}, `SELECT count(*) FROM t`)
	}), "reading goes on")
}

func TestStatementsAreBounded(t *testing.T) {
	d := openSmall(t)
	c := d.writer.conn
	require.NoError(t, d.Update(context.Background(), func(tx *db.Tx) error {
		rows, err := tx.Query(`SELECT 1 UNION ALL SELECT 2`)
		require.NoError(t, err)
		require.True(t, rows.Next())
		for i := range 2 * stmtLimit {
			var n int
			require.NoError(t, tx.Get([]any{&n}, fmt.Sprintf(`SELECT %d`, i)))
			require.Equal(t, i, n)
		}
		require.True(t, rows.Next(), "a statement in use is not evicted")
		return rows.Close()
	}))
	require.LessOrEqual(t, c.stmts.used.Len(), stmtLimit)
	require.Len(t, c.stmts.byText, c.stmts.used.Len())
}

// TestWatchdogEndsWithItsStatements closes queries in the wrong order: nothing
// may be interrupted once none runs.
func TestWatchdogEndsWithItsStatements(t *testing.T) {
	interrupts := make(chan struct{}, 100)
	w := &watchdog{interrupt: func() { interrupts <- struct{}{} }}
	outer := w.start(time.Hour)
	inner := w.start(20 * time.Millisecond)
	w.stop(outer) // the outer one
	<-interrupts  // the inner one is still watched
	require.ErrorIs(t, w.why(), db.ErrTimeout)
	w.stop(inner)
	for len(interrupts) > 0 {
		<-interrupts
	}
	time.Sleep(3 * nudge)
	require.Empty(t, interrupts)
	w.start(time.Hour)
	require.NoError(t, w.gone())
	w.close()
}

// TestAnswersComeAfterCommit holds COMMIT up: neither success nor failure may
// be told before it.
func TestAnswersComeAfterCommit(t *testing.T) {
	for name, end := range map[string]error{"success": nil, "failure": errors.New("its own")} {
		t.Run(name, func(t *testing.T) {
			d := openSmall(t)
			commit := d.writer.commit
			entered, leave := make(chan struct{}), make(chan struct{})
			d.writer.commit = func() error {
				close(entered)
				<-leave
				return commit()
			}
			answered := make(chan error, 1)
			go func() {
				answered <- d.Update(context.Background(), func(*db.Tx) error { return end })
			}()
			<-entered
			time.Sleep(20 * time.Millisecond)
			early := len(answered) > 0
			close(leave)
			require.False(t, early, "answered before the commit")
			require.ErrorIs(t, <-answered, end)
		})
	}
}
