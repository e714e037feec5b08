package kit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Book is what the shop and the platform acknowledged: the promises that must
// hold whatever happens to the shop afterwards.
type Book struct {
	mu      sync.Mutex
	entries []*Entry // guarded by mu
}

// Entry is one acknowledged order.
type Entry struct {
	Placed
	Quantity int

	mu   sync.Mutex
	paid []string // payments whose money the platform has; guarded by mu
}

// Write notes an order that the shop acknowledged.
func (b *Book) Write(p Placed, quantity int) *Entry {
	e := &Entry{Placed: p, Quantity: quantity}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(b.entries, e)
	return e
}

// Entries are all orders so far.
func (b *Book) Entries() []*Entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.entries)
}

// Paid gives the orders for which the platform has money.
func (b *Book) Paid() []*Entry {
	return slices.DeleteFunc(b.Entries(), func(e *Entry) bool { return e.Payments() == 0 })
}

// NotePaid notes that the platform has the money of a payment.
func (e *Entry) NotePaid(paymentNo string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.paid = append(e.paid, paymentNo)
}

// Payments counts the payments whose money the platform has.
func (e *Entry) Payments() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.paid)
}

// Each runs f for every item, width at a time.
func Each[T any](items []T, width int, f func(i int, item T)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, width)
	for i, item := range items {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(i, item)
		})
	}
	wg.Wait()
}

// RequireKept fails the test if an acknowledged order is lost. It asks about
// the newest so many; 0 is all.
func (b *Book) RequireKept(t testing.TB, c *Client, newest int) {
	t.Helper()
	entries := b.Entries()
	if newest > 0 && newest < len(entries) {
		entries = entries[len(entries)-newest:]
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var lost problems
	Each(entries, 16, func(_ int, e *Entry) {
		if o, err := c.Order(ctx, e.Placed); err != nil || o.Total != e.Total {
			lost.add("order %s: total %d instead of %d, %v", e.No, o.Total, e.Total, err)
		}
	})
	lost.require(t, "acknowledged orders are there")
}

// RequireServed waits until every order that the platform has money for is
// delivered or paid back, and fails the test if that takes longer than within.
func (b *Book) RequireServed(t testing.TB, c *Client, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	var left problems
	Each(b.Paid(), 16, func(_ int, e *Entry) {
		if o, err := c.AwaitStatus(ctx, e.Placed, "delivered", "completed", "refunding", "refunded"); err != nil {
			left.add("order %s is %q: %v", e.No, o.Status, err)
		}
	})
	left.require(t, "what was paid is delivered or refunded in time")
}

// RequireDistinct reveals all that was delivered and fails the test if an order
// has not exactly its keys or two have the same one, or an unpaid one has any.
// It gives the keys.
func (b *Book) RequireDistinct(t testing.TB, c *Client) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wrong problems
	var mu sync.Mutex
	owner := map[string]string{}
	Each(b.Entries(), 16, func(_ int, e *Entry) {
		o, err := c.Order(ctx, e.Placed)
		if err != nil {
			wrong.add("order %s: %v", e.No, err)
			return
		}
		served := o.Status == "delivered" || o.Status == "completed"
		keys, err := c.Reveal(ctx, e.Placed)
		switch {
		case served && e.Payments() == 0:
			wrong.add("order %s: delivered without money", e.No)
		case served && (err != nil || len(keys) != e.Quantity):
			wrong.add("order %s: %d keys of %d, %v", e.No, len(keys), e.Quantity, err)
		case !served && len(keys) > 0:
			wrong.add("order %s: %s, but shows %d keys", e.No, o.Status, len(keys))
		}
		mu.Lock()
		defer mu.Unlock()
		for _, k := range keys {
			if first, twice := owner[k]; twice {
				wrong.add("one key went to %s and %s", first, e.No)
			}
			owner[k] = e.No
		}
	})
	wrong.require(t, "every order has its own keys")
	keys := make([]string, 0, len(owner))
	for k := range owner {
		keys = append(keys, k)
	}
	return keys
}

// AwaitStatus asks until an order has one of the statuses.
func (c *Client) AwaitStatus(ctx context.Context, p Placed, statuses ...string) (Order, error) {
	for {
		o, err := c.Order(ctx, p)
		if err != nil || slices.Contains(statuses, o.Status) {
			return o, err
		}
		select {
		case <-ctx.Done():
			return o, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// problems gathers what goroutines of a test find wrong.
type problems struct {
	mu   sync.Mutex
	text []string // guarded by mu
}

func (p *problems) add(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = append(p.text, fmt.Sprintf(format, args...))
}

func (p *problems) require(t testing.TB, promise string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Empty(t, p.text[:min(len(p.text), 10)], "%s (%d broken)", promise, len(p.text))
}

// Buy places an order, pays it and waits for its keys.
func Buy(ctx context.Context, c *Client, p *Platform, b *Book, contact Contact, line Line) (*Entry, error) {
	e, pay, err := Begin(ctx, c, b, contact, line)
	if err != nil {
		return e, err
	}
	if err := p.Pay(ctx, pay.No); err != nil {
		return e, err
	}
	e.NotePaid(pay.No)
	_, err = c.AwaitStatus(ctx, e.Placed, "delivered", "completed")
	return e, err
}

// Begin places an order and starts its payment.
func Begin(ctx context.Context, c *Client, b *Book, contact Contact, line Line) (*Entry, Payment, error) {
	placed, err := c.Place(ctx, contact, line)
	if err != nil {
		return nil, Payment{}, err
	}
	e := b.Write(placed, line.Quantity)
	pay, err := c.StartPayment(ctx, placed)
	return e, pay, err
}
