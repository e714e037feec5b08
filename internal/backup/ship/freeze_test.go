package ship_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/ship"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
)

// frozen reads the database at a moment that is known.
func (s *shop) frozen() (m ship.Moment, rows []string) {
	s.t.Helper()
	nudge := func() {
		go func() { _ = s.db.Update(context.WithoutCancel(s.t.Context()), func(*db.Tx) error { return nil }) }()
	}
	require.NoError(s.t, s.db.View(s.t.Context(), func(tx *db.Tx) (err error) {
		m, err = s.ship.Freeze(s.t.Context(), nudge, func() error {
			var found bool
			return tx.Get([]any{&found}, `SELECT EXISTS (SELECT 1 FROM leases)`)
		})
		if err != nil {
			return err
		}
		rows, err = lines(tx)
		return err
	}))
	return m, rows
}

// lines reads what load writes.
func lines(tx *db.Tx) ([]string, error) {
	return db.Collect(tx, func(rows db.Rows) (line string, err error) {
		var holder string
		err = rows.Scan(&line, &holder)
		return line + " " + holder, err
	}, `SELECT name, holder FROM leases ORDER BY name`)
}

// What is read at a frozen moment is what a restore to its transaction gives,
// row by row, although eight goroutines write before, during and after it.
func TestAFrozenMomentIsATransaction(t *testing.T) {
	r := backuptest.NewDice(t)
	s := newShop(t)
	s.hasty = true
	s.open()
	s.shipped()
	var writers sync.WaitGroup
	writers.Go(func() { s.load(r, 60) })
	moments := map[ship.Moment][]string{}
	for range 8 {
		m, rows := s.frozen()
		require.NotZero(t, m.Transaction)
		moments[m] = rows
	}
	writers.Wait()
	s.write("later", 1)
	m, rows := s.frozen() // an idle shop stands still, too
	moments[m] = rows
	s.close()
	for before, was := range moments {
		require.Equal(t, was, s.heldAt(restore.Target{Generation: before.Generation, Transaction: before.Transaction}))
		passed := false
		s.passed = func(path string) {
			passed = true
			require.Equal(t, was, s.held(path), "on the way")
		}
		want := restore.Target{Generation: m.Generation, Transaction: m.Transaction, Via: before.Transaction}
		require.Equal(t, rows, s.heldAt(want), "via %d", before.Transaction)
		require.True(t, passed)
	}
}

// heldAt restores and reads the result.
func (s *shop) heldAt(want restore.Target) []string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), sqlite.FileName)
	plan, err := s.tryRestore(want, path)
	require.NoError(s.t, err)
	require.Equal(s.t, want.Transaction, plan.Transaction)
	return s.held(path)
}

// held reads a database file that nobody has open.
func (s *shop) held(path string) (rows []string) {
	s.t.Helper()
	d, err := sqlite.OpenStill(path)
	require.NoError(s.t, err)
	defer func() { require.NoError(s.t, d.Close()) }()
	require.NoError(s.t, d.View(s.t.Context(), func(tx *db.Tx) (err error) {
		rows, err = lines(tx)
		return err
	}))
	return rows
}

// A writer that cannot come is not waited for, and afterwards writes again.
func TestNobodyStandsStillForLong(t *testing.T) {
	s := newShop(t)
	s.open()
	s.shipped()
	_, err := s.ship.Freeze(t.Context(), func() {}, func() error { return nil })
	require.Equal(t, "backup_not_counted", errs.CodeOf(err), "nothing is committed")
	s.write("after", 1)
	s.shipped()
	s.close()
}
