package dbtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
)

func viewRefusesWrites(t *testing.T, s *suite) {
	for _, write := range []string{
		`INSERT INTO item (k, v) VALUES (1, 1)`, `UPDATE item SET v = 2`, `DELETE FROM item`, `DROP TABLE item`,
	} {
		err := s.DB.View(context.Background(), func(tx *db.Tx) error {
			_, err := tx.Exec(write)
			return err
		})
		require.ErrorIs(t, err, db.ErrReadOnly, write)
	}
	require.Empty(t, items(t, s.DB))
}

// controlRefused tries to end the transaction that others may share.
func controlRefused(t *testing.T, s *suite) {
	for _, verb := range []string{
		"COMMIT", "commit;", "/* x */ ROLLBACK", "-- x\nEND", "SAVEPOINT a", "RELEASE closure", "BEGIN",
		"INSERT INTO item (k, v) VALUES (9, 9); COMMIT", "PRAGMA synchronous = OFF", "VACUUM", "ATTACH 'x' AS y",
	} {
		err := s.update(func(tx *db.Tx) error {
			_, err := tx.Exec(verb)
			return err
		})
		require.Error(t, err, verb)
	}
	require.Empty(t, items(t, s.DB))
	require.NoError(t, s.update(func(tx *db.Tx) error { return put(tx, 1, 1) }))
}

func txEndsWithItsClosure(t *testing.T, s *suite) {
	var kept *db.Tx
	keep := func(tx *db.Tx) error { kept = tx; return nil }
	require.NoError(t, s.update(keep))
	require.Error(t, put(kept, 1, 1))
	require.NoError(t, s.DB.View(context.Background(), keep))
	_, err := kept.Query(`SELECT 1`)
	require.Error(t, err)
	require.Empty(t, items(t, s.DB))
}

func arguments(t *testing.T, s *suite) {
	key := id.New()
	at := time.Date(2026, 11, 22, 3, 4, 5, 678_000_000, time.UTC)
	long := "磐石'; DROP TABLE item; --"
	require.NoError(t, s.update(func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO thing (i, s, b, f, id, at) VALUES ($1, $2, $3, $4, $5, $6)`,
			int64(-1<<63), long, []byte{0, 1, 255}, true, key, db.Millis(at))
		return err
	}))
	require.NoError(t, s.DB.View(context.Background(), func(tx *db.Tx) error {
		var (
			i   int64
			txt string
			b   []byte
			f   bool
			got id.ID
			tm  db.Time
		)
		// The same parameter twice counts once.
		err := tx.Get([]any{&i, &txt, &b, &f, &got, &tm},
			`SELECT i, s, b, f, id, at FROM thing WHERE id = $1 OR id = $1 AND i = $2`, key, 7)
		require.Equal(t, int64(-1<<63), i)
		require.Equal(t, long, txt)
		require.Equal(t, []byte{0, 1, 255}, b)
		require.True(t, f)
		require.Equal(t, key, got)
		require.Equal(t, at, tm.Time)
		return err
	}))
	nulls(t, s)
}

// nulls checks that none, nil and the zero time are NULL and come back so, and
// that empty is not NULL.
func nulls(t *testing.T, s *suite) {
	require.NoError(t, s.update(func(tx *db.Tx) error {
		if _, err := tx.Exec(`DELETE FROM thing`); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO thing (i, s, b, f, id, at) VALUES ($1, $2, $3, $4, $5, $6)`,
			nil, "", []byte{}, false, id.ID{}, db.Millis(time.Time{}))
		return err
	}))
	require.NoError(t, s.DB.View(context.Background(), func(tx *db.Tx) error {
		var n int
		err := tx.Get([]any{&n}, `SELECT count(*) FROM thing
			WHERE i IS NULL AND s = '' AND b IS NOT NULL AND f = $1 AND id IS NULL AND at IS NULL`, 0)
		require.Equal(t, 1, n)
		got, tm := id.New(), db.Time{Time: time.Now()}
		require.NoError(t, tx.Get([]any{&got, &tm}, `SELECT id, at FROM thing`))
		require.True(t, got.IsZero())
		require.True(t, tm.IsZero())
		return err
	}))
	require.ErrorIs(t, s.DB.View(context.Background(), func(tx *db.Tx) error {
		var n int
		return tx.Get([]any{&n}, `SELECT k FROM item WHERE k = $1`, 77)
	}), db.ErrNoRows)
}

func argumentsRefused(t *testing.T, s *suite) {
	insert := func(value any) error {
		return s.update(func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO thing (s) VALUES ($1)`, value)
			return err
		})
	}
	require.Error(t, insert(time.Now()), "times go through db.Millis")
	require.Equal(t, errs.Invalid, errs.KindOf(insert("a\x00b")))
	require.Equal(t, errs.Invalid, errs.KindOf(insert("\xff\xfe")))
	require.Error(t, insert(struct{}{}))
	require.Error(t, s.update(func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO thing (i, s) VALUES ($1, $2)`, 1)
		return err
	}), "an argument is missing")
	require.Error(t, s.update(func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO thing (i) VALUES ($1)`, 1, 2)
		return err
	}), "an argument too many")
	require.Error(t, s.update(func(tx *db.Tx) error {
		_, err := tx.Exec(`SELECT 1 FROM no_such_table`)
		return err
	}))
}

// openRows leaves results open, and runs a query inside its own rows.
func openRows(t *testing.T, s *suite) {
	const pairs = `SELECT k, v FROM item WHERE k >= $1 ORDER BY k`
	for range 3 {
		require.NoError(t, s.update(func(tx *db.Tx) error {
			if _, err := tx.Exec(`DELETE FROM item`); err != nil {
				return err
			}
			for k := range int64(5) {
				if err := put(tx, k, k); err != nil {
					return err
				}
			}
			rows, err := tx.Query(pairs, 0)
			if err != nil {
				return err
			}
			rows.Next() // and left open
			_, err = tx.Query(`INSERT INTO item (k, v) VALUES (90, 0), (91, 0) RETURNING k`)
			return err
		}))
	}
	seen := 0
	require.NoError(t, s.DB.View(context.Background(), func(tx *db.Tx) error {
		outer, err := tx.Query(pairs, 0)
		if err != nil {
			return err
		}
		for outer.Next() {
			inner, err := db.Collect(tx, func(r db.Rows) (k int64, err error) { return k, r.Scan(&k, new(int64)) }, pairs, 3)
			if err != nil {
				return err
			}
			require.Equal(t, []int64{3, 4, 90, 91}, inner)
			seen++
		}
		return errors.Join(outer.Err(), outer.Close(), outer.Close())
	}))
	require.Equal(t, 7, seen)
}

func oneClockReading(t *testing.T, s *suite) {
	want := time.Date(2031, 4, 5, 6, 7, 8, 9_000_000, time.UTC)
	check := func(tx *db.Tx) error {
		require.Equal(t, want, tx.Now())
		require.Equal(t, want, tx.Now())
		return nil
	}
	require.NoError(t, s.update(check))
	require.NoError(t, s.DB.View(context.Background(), check))
}
