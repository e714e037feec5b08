package checkout

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"panshi/internal/db"
)

// batchWorkers is how many batches of one kind run side by side: while one
// waits for its commit, the next does its reading and writing.
const batchWorkers = 2

// errAlone says that a request does not belong into a batch: it runs by the
// path of single requests, which knows every case.
var errAlone = errors.New("checkout: this request runs alone")

// batcher gathers requests that wait for the database into micro-batches, each
// one transaction. Nobody is waited for: a request that comes when a worker is
// free runs at once, and those that come meanwhile run together.
type batcher[In, Out any] struct {
	// run answers a batch, one outcome a request, after a commit. If it fails
	// nothing was kept, except that with db.ErrUnknown all may have been.
	run func(ctx context.Context, batch []In) ([]Out, error)
	// rows is the most that a request may write.
	rows func(In) int

	mu      sync.Mutex
	waiting []*ticket[In, Out] // guarded by mu
	workers int                // guarded by mu
}

// ticket is one request on its way.
type ticket[In, Out any] struct {
	ctx   context.Context //nolint:containedctx // a ticket is one call's scope
	in    In
	taken bool             // guarded by batcher.mu
	reply chan answer[Out] // holds one
}

type answer[Out any] struct {
	out Out
	err error
}

// do runs one request in a batch and returns its outcome after the commit, or
// errAlone if it has to run by itself. ctx is honoured until the batch starts.
func (b *batcher[In, Out]) do(ctx context.Context, in In) (Out, error) {
	t := &ticket[In, Out]{ctx: ctx, in: in, reply: make(chan answer[Out], 1)}
	b.enqueue(t)
	select {
	case a := <-t.reply:
		return a.out, a.err
	case <-ctx.Done():
	}
	if b.withdraw(t) {
		var none Out
		return none, ctx.Err()
	}
	a := <-t.reply
	return a.out, a.err
}

func (b *batcher[In, Out]) enqueue(t *ticket[In, Out]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, t)
	if b.workers < batchWorkers {
		b.workers++
		go b.work()
	}
}

// withdraw takes a request back whose caller has left, if it has not started.
func (b *batcher[In, Out]) withdraw(t *ticket[In, Out]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.taken {
		return false
	}
	for i, other := range b.waiting {
		if other == t {
			b.waiting = append(b.waiting[:i], b.waiting[i+1:]...)
			break
		}
	}
	return true
}

// work runs batches until nobody waits.
func (b *batcher[In, Out]) work() {
	for {
		batch := b.take()
		if len(batch) == 0 {
			return
		}
		b.serve(batch)
	}
}

// take takes what waits, as far as one transaction may write it.
func (b *batcher[In, Out]) take() []*ticket[In, Out] {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, rows := 0, 0
	for _, t := range b.waiting {
		if rows += b.rows(t.in); rows > db.MaxRows && n > 0 {
			break
		}
		t.taken = true
		n++
	}
	batch := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	if n == 0 {
		b.workers--
		b.waiting = nil
	}
	return batch
}

// serve runs a batch and answers each of its requests.
func (b *batcher[In, Out]) serve(batch []*ticket[In, Out]) {
	requests := make([]In, len(batch))
	for i, t := range batch {
		requests[i] = t.in
	}
	outs, err := b.guarded(context.WithoutCancel(batch[0].ctx), requests)
	for i, t := range batch {
		var a answer[Out]
		switch {
		case err == nil:
			a.out = outs[i]
		case len(batch) == 1 || concernsAll(err):
			a.err = err
		default: // it may be about one of them: each runs alone and hears its own answer
			a.err = errAlone
		}
		t.reply <- a
	}
}

// guarded turns a panic into errAlone: whoever causes it meets it again in the
// goroutine of the caller, where it belongs, and the others do not.
func (b *batcher[In, Out]) guarded(ctx context.Context, requests []In) (outs []Out, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %v", errAlone, p)
		}
	}()
	return b.run(ctx, requests)
}

// concernsAll tells whether a batch failed for a reason that no single request
// has caused and none would escape alone.
func concernsAll(err error) bool {
	for _, known := range []error{db.ErrClosing, db.ErrUnknown, db.ErrFull, db.ErrBroken} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
