package checkout

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
)

// blocked is a batcher whose batches wait until they are let go.
type blocked struct {
	batcher[int, int]
	started chan []int
	finish  chan error
}

// newBlocked squares numbers; one weighs its value in rows, and 13 panics.
func newBlocked() *blocked {
	b := &blocked{started: make(chan []int, 100), finish: make(chan error)}
	b.rows = func(n int) int { return n }
	b.run = func(_ context.Context, batch []int) ([]int, error) {
		b.started <- batch
		if err := <-b.finish; err != nil {
			return nil, err
		}
		outs := make([]int, len(batch))
		for i, n := range batch {
			if n == 13 {
				panic("thirteen")
			}
			outs[i] = n * n
		}
		return outs, nil
	}
	return b
}

// waiting is a caller.
type waiting struct {
	out  int
	err  error
	done bool
}

func (b *blocked) ask(ctx context.Context, wg *sync.WaitGroup, n int) *waiting {
	w := &waiting{}
	wg.Go(func() {
		w.out, w.err = b.do(ctx, n)
		w.done = true
	})
	synctest.Wait()
	return w
}

func (b *blocked) release(err error) {
	b.finish <- err
	synctest.Wait()
}

func TestALoneRequestRunsAtOnceAndOthersGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, wg := newBlocked(), &sync.WaitGroup{}
		first, second := b.ask(t.Context(), wg, 2), b.ask(t.Context(), wg, 3)
		require.Equal(t, []int{2}, <-b.started)
		require.Equal(t, []int{3}, <-b.started)
		var rest []*waiting
		for n := range 3 {
			rest = append(rest, b.ask(t.Context(), wg, n+4))
		}
		require.Empty(t, b.started, "two batches run, the others wait")
		require.False(t, first.done || second.done, "nobody is answered before the commit")
		b.release(nil)
		require.Equal(t, []int{4, 5, 6}, <-b.started)
		b.release(nil)
		b.release(nil)
		wg.Wait()
		require.Equal(t, []int{4, 9, 16, 25, 36}, []int{first.out, second.out, rest[0].out, rest[1].out, rest[2].out})
		require.Zero(t, b.workers)
	})
}

func TestABatchIsBoundedByItsRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, wg := newBlocked(), &sync.WaitGroup{}
		for _, n := range []int{1, 2, 300, 150, 50, 51, db.MaxRows + 1, 7} {
			b.ask(t.Context(), wg, n)
		}
		for _, want := range [][]int{{1}, {2}, {300, 150, 50}, {51}, {db.MaxRows + 1}, {7}} {
			require.Equal(t, want, <-b.started)
			b.release(nil)
		}
		wg.Wait()
	})
}

func TestWhoLeavesBeforeTheBatchStartsIsNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, wg := newBlocked(), &sync.WaitGroup{}
		ctx, cancel := context.WithCancel(t.Context())
		running, leaving := b.ask(ctx, wg, 1), b.ask(t.Context(), wg, 2)
		gone, stays := b.ask(ctx, wg, 3), b.ask(t.Context(), wg, 4)
		cancel()
		synctest.Wait()
		require.ErrorIs(t, gone.err, context.Canceled)
		require.False(t, running.done, "what has started is answered by its commit")
		for range 3 {
			b.release(nil)
		}
		wg.Wait()
		require.NoError(t, errors.Join(running.err, leaving.err, stays.err))
		require.Equal(t, []int{1, 2}, append(<-b.started, <-b.started...))
		require.Equal(t, []int{4}, <-b.started)
	})
}

func TestAFailedBatchIsNobodysAnswer(t *testing.T) {
	for name, c := range map[string]struct{ failure, want error }{
		"one of them is to blame": {db.ErrUnique, errAlone},
		"a lock":                  {db.ErrBusy, errAlone},
		"closing":                 {db.ErrClosing, db.ErrClosing},
		"nobody knows":            {db.ErrUnknown, db.ErrUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, wg := newBlocked(), &sync.WaitGroup{}
				lone := []*waiting{b.ask(t.Context(), wg, 1), b.ask(t.Context(), wg, 2)}
				many := []*waiting{b.ask(t.Context(), wg, 3), b.ask(t.Context(), wg, 4)}
				for range 3 {
					b.release(c.failure)
				}
				wg.Wait()
				for i := range 2 {
					require.ErrorIs(t, lone[i].err, c.failure, "who was alone hears what failed")
					require.ErrorIs(t, many[i].err, c.want)
				}
			})
		})
	}
}

func TestAPanicIsLeftToItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, wg := newBlocked(), &sync.WaitGroup{}
		lone, other := b.ask(t.Context(), wg, 13), b.ask(t.Context(), wg, 1)
		many := []*waiting{b.ask(t.Context(), wg, 2), b.ask(t.Context(), wg, 13)}
		for range 3 {
			b.release(nil)
		}
		wg.Wait()
		require.NoError(t, other.err)
		for _, w := range append(many, lone) {
			require.ErrorIs(t, w.err, errAlone)
		}
	})
}
