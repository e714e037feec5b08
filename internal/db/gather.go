package db

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// errGatherPanic says that a shared read panicked.
var errGatherPanic = errors.New("db: a shared read panicked")

// Gather lets callers that want to read something at the same time share one
// View. It remembers nothing: a question is answered by a read that began after
// it was asked, so an answer is as true as one of a View of the caller's own.
// One read runs at a time and takes along all that wait, up to MaxRows
// questions. It is safe for concurrent use.
type Gather[Q comparable, A any] struct {
	read func(ctx context.Context, questions []Q) (map[Q]A, error)

	mu      sync.Mutex
	waiting []*question[Q, A] // guarded by mu
	reading bool              // guarded by mu
}

type question[Q comparable, A any] struct {
	ctx    context.Context //nolint:containedctx // a question is one call's scope
	about  Q
	answer chan answer[A] // holds one, so that a caller may leave
}

type answer[A any] struct {
	a     A
	found bool
	err   error
}

// NewGather returns a Gather whose answers come from read, which runs one View
// for different questions and leaves out those that have no answer. Its error
// is everybody's.
func NewGather[Q comparable, A any](read func(ctx context.Context, questions []Q) (map[Q]A, error)) *Gather[Q, A] {
	return &Gather[Q, A]{read: read}
}

// Ask returns q's answer, if there is one.
func (g *Gather[Q, A]) Ask(ctx context.Context, q Q) (a A, found bool, err error) {
	if err := ctx.Err(); err != nil {
		return a, false, err
	}
	w := &question[Q, A]{ctx: ctx, about: q, answer: make(chan answer[A], 1)}
	g.enqueue(w)
	select {
	case got := <-w.answer:
		return got.a, got.found, got.err
	case <-ctx.Done():
		return a, false, ctx.Err()
	}
}

func (g *Gather[Q, A]) enqueue(w *question[Q, A]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, w)
	if !g.reading {
		g.reading = true
		go g.work()
	}
}

// work reads until nobody waits.
func (g *Gather[Q, A]) work() {
	for batch := g.take(); len(batch) > 0; batch = g.take() {
		g.serve(batch)
	}
}

// take takes what waits, without the callers that have left.
func (g *Gather[Q, A]) take() (batch []*question[Q, A]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(batch) < MaxRows && len(g.waiting) > 0 {
		if g.waiting[0].ctx.Err() == nil {
			batch = append(batch, g.waiting[0])
		}
		g.waiting = g.waiting[1:]
	}
	g.reading = len(batch) > 0
	return batch
}

// serve reads once for a batch and answers it.
func (g *Gather[Q, A]) serve(batch []*question[Q, A]) {
	different := make([]Q, 0, len(batch))
	seen := make(map[Q]bool, len(batch))
	for _, w := range batch {
		if !seen[w.about] {
			seen[w.about] = true
			different = append(different, w.about)
		}
	}
	answers, err := g.guarded(context.Background(), different) // no caller's marks: they are not everybody's
	for _, w := range batch {
		a, found := answers[w.about]
		w.answer <- answer[A]{a, found, err}
	}
}

// guarded turns a panic into an error: it must not end the process, and nobody
// may wait for ever.
func (g *Gather[Q, A]) guarded(ctx context.Context, questions []Q) (answers map[Q]A, err error) {
	defer func() {
		if p := recover(); p != nil {
			answers, err = nil, fmt.Errorf("%w: %v", errGatherPanic, p)
		}
	}()
	return g.read(ctx, questions)
}
