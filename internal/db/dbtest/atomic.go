package dbtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
)

var errPlanned = errors.New("planned")

func updateIsSeen(t *testing.T, s *suite) {
	require.NoError(t, s.update(func(tx *db.Tx) error { return put(tx, 1, 10) }))
	require.Equal(t, map[int64]int64{1: 10}, items(t, s.DB))
	require.NoError(t, s.Close())
	d := s.Reopen()
	require.Equal(t, map[int64]int64{1: 10}, items(t, d))
}

func viewIsOneState(t *testing.T, s *suite) {
	count := func(tx *db.Tx) (n int64) {
		require.NoError(t, tx.Get([]any{&n}, `SELECT count(*) FROM item`))
		return n
	}
	require.NoError(t, s.DB.View(context.Background(), func(tx *db.Tx) error {
		before := count(tx)
		require.NoError(t, s.update(func(tx *db.Tx) error { return put(tx, 1, 1) }))
		require.Equal(t, before, count(tx), "a View's state moved")
		return nil
	}))
	require.Len(t, items(t, s.DB), 1)
}

// readerNeverSeesHalf moves amounts between two items while readers add them
// up; the sum of a batch that is half done would differ.
func readerNeverSeesHalf(t *testing.T, s *suite) {
	require.NoError(t, s.update(func(tx *db.Tx) error { return errors.Join(put(tx, 1, 500), put(tx, 2, 500)) }))
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var sum int64
				err := s.DB.View(context.Background(), func(tx *db.Tx) error {
					return tx.Get([]any{&sum}, `SELECT sum(v) FROM item`)
				})
				if err != nil || sum != 1000 {
					t.Errorf("a reader saw the sum %d (%v)", sum, err)
					return
				}
			}
		})
	}
	for w := range 8 {
		writers.Go(func() {
			for i := range 25 {
				move(t, s, int64(w+i+1), i%5 == 4)
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}

// move takes n from item 1 to item 2 in two steps, and fails between them if
// told to.
func move(t *testing.T, s *suite, n int64, fail bool) {
	err := s.update(func(tx *db.Tx) error {
		if _, err := tx.Exec(`UPDATE item SET v = v - $1 WHERE k = 1`, n); err != nil {
			return err
		}
		runtime.Gosched()
		if fail {
			return errPlanned
		}
		_, err := tx.Exec(`UPDATE item SET v = v + $1 WHERE k = 2`, n)
		return err
	})
	if fail != errors.Is(err, errPlanned) || !fail && err != nil {
		t.Errorf("moving: %v", err)
	}
}

func errorUndoesOnlyItsOwn(t *testing.T, s *suite) {
	var closures []func(*db.Tx) error
	want := map[int64]int64{1_000_000: 1_000_000}
	for i := range int64(20) {
		fails := i%3 == 0
		closures = append(closures, func(tx *db.Tx) error {
			if err := put(tx, i, i); err != nil {
				return err
			}
			if fails {
				return fmt.Errorf("number %d: %w", i, errPlanned)
			}
			return nil
		})
		if !fails {
			want[i] = i
		}
	}
	for i, err := range s.batch(t, closures...) {
		if i%3 == 0 {
			require.ErrorIs(t, err, errPlanned)
		} else {
			require.NoError(t, err)
		}
	}
	require.Equal(t, want, items(t, s.DB))
	require.NoError(t, s.Close())
	require.Equal(t, want, items(t, s.Reopen()))
}

func panicHarmsNobodyElse(t *testing.T, s *suite) {
	results := s.batch(t,
		func(tx *db.Tx) error { return put(tx, 1, 1) },
		func(tx *db.Tx) error {
			if err := put(tx, 2, 2); err != nil {
				return err
			}
			panic("the closure's own value")
		},
		func(tx *db.Tx) error { return put(tx, 3, 3) },
	)
	require.NoError(t, results[0])
	require.Equal(t, panicked{"the closure's own value"}, results[1], "the panic must reach the caller")
	require.NoError(t, results[2])
	require.Equal(t, map[int64]int64{1: 1, 3: 3, 1_000_000: 1_000_000}, items(t, s.DB))
	require.PanicsWithValue(t, "in a View", func() {
		_ = s.DB.View(context.Background(), func(*db.Tx) error { panic("in a View") })
	})
	require.NoError(t, s.update(func(tx *db.Tx) error { return put(tx, 4, 4) }), "the engine lives on")
}

func goexitHarmsNobodyElse(t *testing.T, s *suite) {
	results := s.batch(t,
		func(tx *db.Tx) error { return put(tx, 1, 1) },
		func(tx *db.Tx) error {
			if err := put(tx, 2, 2); err != nil {
				return err
			}
			runtime.Goexit()
			return nil
		},
		func(tx *db.Tx) error { return put(tx, 3, 3) },
	)
	require.NoError(t, results[0])
	require.Error(t, results[1], "Goexit must not look like success")
	require.NoError(t, results[2])
	require.Equal(t, map[int64]int64{1: 1, 3: 3, 1_000_000: 1_000_000}, items(t, s.DB))
	require.NoError(t, s.update(func(tx *db.Tx) error { return put(tx, 4, 4) }), "the engine lives on")
}

func uniqueIsRecoverable(t *testing.T, s *suite) {
	closures := []func(tx *db.Tx) error{
		func(tx *db.Tx) error { return put(tx, 1, 1) },
		func(tx *db.Tx) error {
			if err := put(tx, 2, 2); err != nil {
				return err
			}
			err := put(tx, 1, 99)
			if !errors.Is(err, db.ErrUnique) {
				return fmt.Errorf("a second item 1: %w", err)
			}
			_, err = tx.Exec(`INSERT INTO item (k, v, tag) VALUES ($1, $2, $3), ($4, $5, $6)`, 7, 7, "same", 8, 8, "same")
			if !errors.Is(err, db.ErrUnique) {
				return fmt.Errorf("two equal tags: %w", err)
			}
			return put(tx, 3, 3)
		},
		func(tx *db.Tx) error { return put(tx, 2, 98) },
	}
	together := 1 // side by side, any could be first
	if s.Serial {
		together = len(closures) // in the same commit, in this order
	}
	results := s.batch(t, closures[:together]...)
	for _, c := range closures[together:] {
		results = append(results, s.update(c))
	}
	require.NoError(t, results[0])
	require.NoError(t, results[1])
	require.ErrorIs(t, results[2], db.ErrUnique)
	require.Equal(t, map[int64]int64{1: 1, 2: 2, 3: 3, 1_000_000: 1_000_000}, items(t, s.DB))
}

// deferredKeyFailsAlone breaks a key that is checked at commit only.
func deferredKeyFailsAlone(t *testing.T, s *suite) {
	results := s.batch(t,
		func(tx *db.Tx) error { return put(tx, 1, 1) },
		func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO child (k, p) VALUES (1, 42)`)
			return errors.Join(err, put(tx, 2, 2))
		},
		func(tx *db.Tx) error { return put(tx, 3, 3) },
	)
	require.NoError(t, results[0])
	require.Error(t, results[1])
	require.NoError(t, results[2])
	require.Equal(t, map[int64]int64{1: 1, 3: 3, 1_000_000: 1_000_000}, items(t, s.DB))
}

func onCommit(t *testing.T, s *suite) {
	var mu sync.Mutex
	var woke []int
	wake := func(n int) func() {
		return func() {
			mu.Lock()
			defer mu.Unlock()
			woke = append(woke, n)
		}
	}
	for n := 1; n <= 3; n++ {
		require.NoError(t, s.update(func(tx *db.Tx) error {
			tx.OnCommit(wake(n))
			return put(tx, int64(n), 0)
		}))
	}
	require.ErrorIs(t, s.update(func(tx *db.Tx) error {
		tx.OnCommit(wake(99))
		return errPlanned
	}), errPlanned)
	require.NoError(t, s.update(func(tx *db.Tx) error {
		tx.OnCommit(func() { panic("a wake-up") })
		return nil
	}))
	last := make(chan struct{})
	require.NoError(t, s.update(func(tx *db.Tx) error {
		tx.OnCommit(func() { close(last) })
		return nil
	}))
	<-last
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []int{1, 2, 3}, woke)
}
