package powerloss

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// promise is what the shop told one buyer. Its fields belong to the buyer's
// goroutine until it ends, then to the test.
type promise struct {
	*kit.Entry
	payment   string   // number of the payment it started; "" if none was acknowledged
	cancelled bool     // it acknowledged that the order is closed
	delivered bool     // it showed the order as delivered
	keys      []string // it showed these keys
}

// ledger is all promises of a shop.
type ledger struct {
	book kit.Book
	mu   sync.Mutex
	all  []*promise // guarded by mu
}

func (l *ledger) write(placed kit.Placed, quantity int) *promise {
	p := &promise{Entry: l.book.Write(placed, quantity)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, p)
	return p
}

// newest gives the latest n promises, all for n = 0.
func (l *ledger) newest(n int) []*promise {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n == 0 || n > len(l.all) {
		n = len(l.all)
	}
	return slices.Clone(l.all[len(l.all)-n:])
}

// awaitPromises waits until the shop made n promises, which takes long on a busy
// machine.
func (w *world) awaitPromises(n int) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return len(w.promises.newest(0)) >= n }, 30*time.Second, time.Millisecond)
}

// broken looks at the newest n promises with look and tells which the shop
// broke.
func (l *ledger) broken(t *testing.T, c *kit.Client, n int, look func(*promise, context.Context, *kit.Client) error) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var lost faults
	kit.Each(l.newest(n), 16, func(_ int, p *promise) {
		if err := look(p, ctx, c); err != nil {
			lost.add("order %s: %v", p.No, err)
		}
	})
	return lost.text
}

// look tells how a shop broke a promise.
func (p *promise) look(ctx context.Context, c *kit.Client) error {
	if err := p.glance(ctx, c); err != nil || p.keys == nil {
		return err
	}
	keys, err := c.Reveal(ctx, p.Placed)
	if err == nil && !slices.Equal(keys, p.keys) {
		return errors.New("shows other keys than before")
	}
	return err
}

// glance is look without the keys: a shop that cannot record who saw keys does
// not show them.
func (p *promise) glance(ctx context.Context, c *kit.Client) error {
	o, err := c.Order(ctx, p.Placed)
	switch {
	case err != nil:
		return err
	case o.Total != p.Total:
		return fmt.Errorf("total %d instead of %d", o.Total, p.Total)
	case p.payment != "" && !slices.ContainsFunc(o.Payments, func(y kit.Payment) bool { return y.No == p.payment }):
		return fmt.Errorf("payment %s is gone", p.payment)
	case p.cancelled && o.Status != "closed":
		return fmt.Errorf("was cancelled, is %s", o.Status)
	case p.delivered && o.Status != "delivered" && o.Status != "completed":
		return fmt.Errorf("was delivered, is %s", o.Status)
	}
	return nil
}

// requireKept fails the test if one of the newest n promises is broken.
func (w *world) requireKept(n int) {
	w.t.Helper()
	lost := w.promises.broken(w.t, w.client, n, (*promise).look)
	require.Empty(w.t, lost[:min(10, len(lost))], "%d acknowledged, and lost", len(lost))
}

// requireReadable is requireKept in a shop that cannot write.
func (w *world) requireReadable() {
	w.t.Helper()
	require.NotEmpty(w.t, w.promises.newest(0))
	lost := w.promises.broken(w.t, w.client, 0, (*promise).glance)
	require.Empty(w.t, lost[:min(10, len(lost))], "%d acknowledged, and not shown", len(lost))
}

// requireServed looks at everything, in a shop that runs: all that was paid is
// delivered within a minute, each key once.
func (w *world) requireServed() {
	w.t.Helper()
	w.requireKept(0)
	w.promises.book.RequireServed(w.t, w.client, time.Minute)
	w.promises.book.RequireDistinct(w.t, w.client)
	w.shop.RequireClean()
	require.Empty(w.t, w.wrong.text)
}

// faults gathers what goroutines find wrong.
type faults struct {
	mu   sync.Mutex
	text []string // guarded by mu
}

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text = append(f.text, fmt.Sprintf(format, args...))
}
