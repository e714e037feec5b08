package db_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
)

// shelfAsked is a Gather over a map whose reads wait until they are let go.
type shelfAsked struct {
	*db.Gather[string, int]
	started chan []string
	finish  chan map[string]int // nil panics
	wg      sync.WaitGroup
}

func newShelfAsked() *shelfAsked {
	s := &shelfAsked{started: make(chan []string, 10), finish: make(chan map[string]int)}
	s.Gather = db.NewGather(func(_ context.Context, questions []string) (map[string]int, error) {
		s.started <- questions
		answers := <-s.finish
		if answers == nil {
			panic("nothing")
		}
		if len(answers) == 0 {
			return nil, errors.New("out of order")
		}
		return answers, nil
	})
	return s
}

type heard struct {
	answer int
	found  bool
	err    error
}

func (s *shelfAsked) ask(ctx context.Context, q string) *heard {
	h := &heard{}
	s.wg.Go(func() { h.answer, h.found, h.err = s.Ask(ctx, q) })
	synctest.Wait()
	return h
}

// TestGatherAnswersFromALaterRead: who asks while a read runs hears of the next
// one, together with all others who did.
func TestGatherAnswersFromALaterRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelfAsked()
		first := s.ask(t.Context(), "a")
		a, again, none := s.ask(t.Context(), "a"), s.ask(t.Context(), "a"), s.ask(t.Context(), "b")
		gone, leave := context.WithCancel(t.Context())
		left := s.ask(gone, "c")
		leave()
		s.finish <- map[string]int{"a": 1}
		s.finish <- map[string]int{"a": 2}
		s.wg.Wait()
		require.Equal(t, heard{answer: 1, found: true}, *first)
		require.Equal(t, heard{answer: 2, found: true}, *a)
		require.Equal(t, *a, *again)
		require.Equal(t, heard{}, *none)
		require.ErrorIs(t, left.err, context.Canceled)
		require.Equal(t, []string{"a"}, <-s.started)
		require.Equal(t, []string{"a", "b"}, <-s.started, "each question once, and not of those who left")
		require.Empty(t, s.started)
	})
}

// TestGatherFails: a read that fails or panics fails for all that it was for,
// and not for the next.
func TestGatherFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelfAsked()
		first, second := s.ask(t.Context(), "a"), s.ask(t.Context(), "a")
		s.finish <- nil
		s.finish <- map[string]int{}
		s.wg.Wait()
		require.ErrorContains(t, first.err, "nothing")
		require.EqualError(t, second.err, "out of order")
		third := s.ask(t.Context(), "a")
		s.finish <- map[string]int{"a": 3}
		s.wg.Wait()
		require.Equal(t, heard{answer: 3, found: true}, *third)
	})
}
