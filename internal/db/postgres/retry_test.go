package postgres_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/postgres"
	"panshi/internal/errs"
)

// TestDeadlockRunsAgain lets two closures take two rows crosswise.
func TestDeadlockRunsAgain(t *testing.T) {
	d := own(t, tables)
	var met sync.WaitGroup
	met.Add(2)
	var all sync.WaitGroup
	for _, rows := range [][2]int64{{1, 2}, {2, 1}} {
		all.Go(func() {
			var once sync.Once
			err := update(d, func(tx *db.Tx) error {
				if err := add(tx, rows[0]); err != nil {
					return err
				}
				once.Do(func() {
					met.Done()
					met.Wait()
				})
				return add(tx, rows[1])
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 4, number(t, d, `SELECT sum(v) FROM item`))
	require.Positive(t, d.Stats().Retries)
}

func TestSerializationFailureRunsAgain(t *testing.T) {
	d := own(t, tables)
	runs := 0
	fails := func(times int64) func(tx *db.Tx) error {
		return func(tx *db.Tx) error {
			runs++
			if err := add(tx, 1); err != nil {
				return err
			}
			_ = tx.Get([]any{new(int64)}, `SELECT raise($1, $2)`, "40001", times) // swallowed: it runs again all the same
			return nil
		}
	}
	require.NoError(t, update(d, fails(3)))
	require.Equal(t, 4, runs)
	require.EqualValues(t, 1, number(t, d, `SELECT v FROM item WHERE k = 1`))
	runs = 0
	require.ErrorIs(t, update(d, fails(1_000_000)), db.ErrBusy)
	require.Equal(t, 9, runs, "bounded")
	require.EqualValues(t, 1, number(t, d, `SELECT v FROM item WHERE k = 1`))
	require.NoError(t, d.View(context.Background(), func(tx *db.Tx) error {
		return tx.Get([]any{new(int64)}, `SELECT count(*) FROM item`)
	}))
}

func TestServersErrors(t *testing.T) {
	d := own(t, tables)
	for code, want := range map[string]error{
		"53100": db.ErrFull, "57014": db.ErrTimeout, "55P03": db.ErrBusy, "23505": db.ErrUnique, "58030": db.ErrBroken,
		"53200": db.ErrBusy,
	} {
		err := update(d, func(tx *db.Tx) error {
			return errors.Join(add(tx, 1), tx.Get([]any{new(int64)}, `SELECT raise($1, $2)`, code, 1_000_000))
		})
		require.ErrorIs(t, err, want, code)
	}
	for _, code := range []string{"XX001", "XX002"} {
		err := update(d, func(tx *db.Tx) error {
			return tx.Get([]any{new(int64)}, `SELECT raise($1, $2)`, code, 1_000_000)
		})
		require.Equal(t, errs.Integrity, errs.KindOf(err), code)
	}
	require.Zero(t, number(t, d, `SELECT sum(v) FROM item`))
}

// TestWaitingForALockEnds holds a row for longer than another may wait.
func TestWaitingForALockEnds(t *testing.T) {
	d := own(t, tables, func(c *postgres.Config) { c.LockLimit = 50 * time.Millisecond })
	release, holding := make(chan struct{}), make(chan struct{})
	held := make(chan error, 1)
	go func() {
		held <- update(d, func(tx *db.Tx) error {
			err := add(tx, 1)
			close(holding)
			<-release
			return err
		})
	}()
	<-holding
	require.ErrorIs(t, update(d, func(tx *db.Tx) error { return add(tx, 1) }), db.ErrBusy)
	close(release)
	require.NoError(t, <-held)
	require.EqualValues(t, 1, number(t, d, `SELECT v FROM item WHERE k = 1`))
}

// TestFailedStatementsCostOneRun goes on after a failed statement: the first
// time the closure runs again with savepoints, later the statement has one.
func TestFailedStatementsCostOneRun(t *testing.T) {
	d := own(t, tables)
	runs := 0
	goesOn := func(k int64) func(tx *db.Tx) error {
		return func(tx *db.Tx) error {
			runs++
			if err := add(tx, 1); err != nil {
				return err
			}
			if err := put(tx, 1); !errors.Is(err, db.ErrUnique) {
				return errors.New("item 1 is there")
			}
			_, err := tx.Exec(`UPDATE item SET v = v + 10 WHERE k = $1`, k)
			return err
		}
	}
	require.NoError(t, update(d, goesOn(2)))
	require.Equal(t, 2, runs)
	require.NoError(t, update(d, goesOn(2)))
	require.Equal(t, 3, runs, "the statement is known now")
	s := d.Stats()
	require.EqualValues(t, 1, s.Careful)
	require.Equal(t, 1, s.Guarded)
	require.EqualValues(t, 2, number(t, d, `SELECT v FROM item WHERE k = 1`))
	require.EqualValues(t, 20, number(t, d, `SELECT v FROM item WHERE k = 2`))
}

// TestSwallowedFailureIsUndoneAlone returns nil after a failed statement.
func TestSwallowedFailureIsUndoneAlone(t *testing.T) {
	d := own(t, tables)
	require.NoError(t, update(d, func(tx *db.Tx) error {
		_, _ = tx.Exec(`SELECT 1 FROM no_such_table`)
		_ = put(tx, 1) // the first statement: nothing else is lost with it
		_, _ = tx.Exec(`SELECT 1 / v FROM item`)
		return put(tx, 3)
	}))
	require.Zero(t, d.Stats().Careful)
	require.NoError(t, update(d, func(tx *db.Tx) error {
		err := put(tx, 4)
		_, _ = tx.Exec(`SELECT 1 FROM no_such_table`)
		_, _ = tx.Exec(`SELECT 1 / v FROM item`)
		_ = put(tx, 1)
		return err
	}))
	require.EqualValues(t, 1, d.Stats().Careful)
	require.EqualValues(t, 4, number(t, d, `SELECT count(*) FROM item`))
	require.NoError(t, d.View(context.Background(), func(tx *db.Tx) error {
		require.NoError(t, tx.Get([]any{new(int64)}, `SELECT v FROM item WHERE k = 1`))
		_, err := tx.Exec(`DELETE FROM item`)
		require.ErrorIs(t, err, db.ErrReadOnly)
		return tx.Get([]any{new(int64)}, `SELECT v FROM item WHERE k = 2`)
	}), "a View goes on as well")
}

// TestColumnsChangeUnderneath alters a table whose statement is prepared.
func TestColumnsChangeUnderneath(t *testing.T) {
	d := own(t, tables, func(c *postgres.Config) { c.MaxConns = 1 })
	read := func(tx *db.Tx) error {
		return tx.Get([]any{new(int64), new(int64)}, `SELECT * FROM item ORDER BY k`)
	}
	require.NoError(t, update(d, read))
	require.NoError(t, update(d, func(tx *db.Tx) error {
		_, err := tx.Exec(`ALTER TABLE item ALTER v TYPE INTEGER`)
		return err
	}))
	require.NoError(t, update(d, read))
	require.Positive(t, d.Stats().Retries)
}
