package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

func TestMain(m *testing.M) { os.Exit(kit.Main(m)) }

// takeover is how long the work of a dead process may stand still: a lease of
// 5 s, a look every second, and the rest for a busy machine.
const takeover = 15 * time.Second

func buyer(n int) kit.Contact { return kit.Contact{Email: fmt.Sprintf("buyer%d@shop.example", n)} }

// crowd is buyers who ask once and note every answer that they should not get.
type crowd struct {
	client   *kit.Client
	platform *kit.Platform
	book     *kit.Book
	sku      string
	product  string
	title    string // of the product
	channel  string

	lenient atomic.Bool // the database is down: 503 with Retry-After is an answer
	asked   atomic.Int64
	busy    atomic.Int64 // answers 503

	mu    sync.Mutex
	wrong []string // guarded by mu
}

func newCrowd(t *testing.T, c *kit.Cluster, p *kit.Platform) *crowd {
	t.Helper()
	w := &crowd{client: c.Client(), platform: p, book: &kit.Book{}}
	w.sku = w.client.DemoCard(t)
	for _, product := range w.client.Products(t) {
		if product.Kind == "card" && product.Available == 2000 {
			w.product, w.title = product.ID, product.Title
		}
	}
	var err error
	w.channel, err = w.client.Channel(t.Context())
	require.NoError(t, err)
	return w
}

// begin lets n buyers come until stop is called, which returns when all have
// gone.
func (w *crowd) begin(ctx context.Context, n int) (stop func()) {
	ctx, goHome := context.WithCancel(ctx)
	var buyers sync.WaitGroup
	for i := range n {
		buyers.Go(func() {
			for round := 0; ctx.Err() == nil; round++ {
				w.visit(ctx, i*100_000+round)
			}
		})
	}
	return func() {
		goHome()
		buyers.Wait()
	}
}

// visit is one buyer: looks around, orders, pays, and looks at the order.
func (w *crowd) visit(ctx context.Context, n int) {
	w.ask(ctx, http.MethodGet, "/api/v1/products?limit=20", nil, nil, nil, 200)
	w.ask(ctx, http.MethodGet, "/api/v1/products?q="+url.QueryEscape(w.title), nil, nil, nil, 200)
	w.ask(ctx, http.MethodGet, "/api/v1/products/"+w.product, nil, nil, nil, 200)
	var placed kit.Placed
	body := map[string]any{"lines": []kit.Line{{SKU: w.sku, Quantity: 1}}, "contact": buyer(n)}
	if !w.ask(ctx, http.MethodPost, "/api/v1/orders", map[string]string{"Idempotency-Key": kit.NewKey()}, body, &placed, 201) {
		return
	}
	entry := w.book.Write(placed, 1)
	own := map[string]string{"Authorization": "Bearer " + placed.Token}
	path := "/api/v1/orders/" + placed.No
	w.ask(ctx, http.MethodGet, path, own, nil, nil, 200)
	own["Idempotency-Key"] = kit.NewKey()
	var pay kit.Payment
	if !w.ask(ctx, http.MethodPost, path+"/payments", own, map[string]string{"channel": w.channel}, &pay, 201) {
		return
	}
	if err := w.platform.Pay(ctx, pay.No); err != nil {
		if kit.CodeOf(err) != "ORDER_CLOSED" {
			w.note("paying: %v", err)
		}
		return
	}
	entry.NotePaid(pay.No)
	w.ask(ctx, http.MethodGet, path, own, nil, nil, 200)
	w.ask(ctx, http.MethodPost, path+"/deliveries/reveal", own, nil, nil, 200, 409) // 409: the callback is not there yet
}

// ask sends one request, once, and notes an answer that is none of allowed. It
// tells whether the answer is a success.
func (w *crowd) ask(ctx context.Context, method, path string, header map[string]string, body, out any, allowed ...int) bool {
	if ctx.Err() != nil {
		return false
	}
	raw := []byte(nil)
	if body != nil {
		raw, _ = json.Marshal(body) // maps of strings
	}
	// A buyer who goes home waits for the answer: it counts.
	status, got, answer, err := w.client.Raw(context.WithoutCancel(ctx), method, path, header, bytes.NewReader(raw))
	w.asked.Add(1)
	switch {
	case err != nil:
		w.note("%s %s: %v", method, path, err)
		return false
	case status == http.StatusServiceUnavailable && w.lenient.Load():
		w.busy.Add(1)
		if got.Get("Retry-After") == "" {
			w.note("%s %s: 503 without Retry-After: %s", method, path, answer)
		}
		time.Sleep(20 * time.Millisecond)
		return false
	}
	for _, s := range allowed {
		if s == status {
			if status/100 == 2 && out != nil {
				if err := json.Unmarshal(answer, out); err != nil {
					w.note("%s %s: %v", method, path, err)
					return false
				}
			}
			return status/100 == 2
		}
	}
	w.note("%s %s: %d %s", method, path, status, answer)
	return false
}

func (w *crowd) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// requireServed fails the test if a buyer got an answer that none should get.
func (w *crowd) requireServed(t *testing.T, when string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Empty(t, w.wrong[:min(len(w.wrong), 10)], "%s: %d of %d requests failed", when, len(w.wrong), w.asked.Load())
	t.Logf("%s: %d requests, none failed", when, w.asked.Load())
}

// requirePromises fails the test if an acknowledged order is lost, a payment
// was not served, a key went to two, or the books disagree.
func (w *crowd) requirePromises(t *testing.T, c *kit.Cluster) {
	t.Helper()
	require.NotEmpty(t, w.book.Paid())
	w.book.RequireKept(t, w.client, 0)
	w.book.RequireServed(t, w.client, time.Minute)
	w.book.RequireDistinct(t, w.client)
	c.RequireClean()
}

// within waits until ok, and gives how long that took. It fails the test if
// that is longer than limit.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > limit {
			require.Fail(t, what, "not within %v", limit)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}
