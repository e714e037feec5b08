package shopapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/cache"
	"panshi/internal/catalog"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/stock"
)

func languages() []string { return []string{"zh-CN", "en"} }

func off() cache.Config { return cache.Config{MaxBytes: 0, MaxEntries: 1} }

func onEngines(t *testing.T, test func(t *testing.T, d cache.Database)) {
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		d, ok := open(dbtest.Options{}).(cache.Database)
		require.True(t, ok)
		test(t, d)
	})
}

// withoutID drops what is new in every answer: the request id of a problem.
func withoutID(t *testing.T, a answer) answer {
	t.Helper()
	var problem map[string]any
	if json.Unmarshal([]byte(a.body), &problem) == nil && problem["instance"] != nil {
		delete(problem, "instance")
		raw, err := json.Marshal(problem)
		require.NoError(t, err)
		a.body = string(raw)
	}
	return a
}

func TestReadyAnswersEqualThoseMadeAnew(t *testing.T) {
	onEngines(t, func(t *testing.T, d cache.Database) {
		mine, theirs := fill(t, d, "mine", 6), fill(t, d, "theirs", 3)
		anew, ready := newNode(t, d, off(), io.Discard), newNode(t, d, cache.DefaultConfig(), io.Discard)
		for range 2 { // made, then found
			for _, s := range []*shelf{mine, theirs} {
				for _, target := range s.addresses() {
					for _, lang := range languages() {
						host := s.merchant.Slug + ".example"
						want := withoutID(t, anew.ask(host, target, lang))
						require.Equal(t, want, withoutID(t, ready.ask(host, target, lang)), "%s%s in %s", host, target, lang)
					}
				}
			}
		}
		require.Zero(t, anew.ready.Stats().Entries)
		require.Greater(t, ready.ready.Stats().Hits, int64(40))
		require.Equal(t, http.StatusNotFound, ready.ask("theirs.example", "/api/v1/products/"+mine.products[0].ID.String(), "en").status)
		require.Equal(t, http.StatusNotFound, ready.ask("theirs.example", "/p/good-5", "en").status)
	})
}

// change is one that pages and lists must show.
type change struct {
	name string
	make func(t *testing.T, d db.DB, s *shelf)
}

func edit(slug string, fn func(p *catalog.Product)) func(*testing.T, db.DB, *shelf) {
	return func(t *testing.T, d db.DB, s *shelf) {
		_, err := catalog.NewService(d).Change(t.Context(), s.merchant.ID, slug, func(p *catalog.Product) error { fn(p); return nil })
		require.NoError(t, err)
	}
}

// orderOf holds or releases the whole stock of the first counted SKU.
func orderOf(s *shelf, n int) []stock.Claim {
	return []stock.Claim{{SKUID: s.products[1].SKUs[0].ID, Mode: stock.Counted, Quantity: n}}
}

func changes() []change {
	tx := func(fn func(tx *db.Tx, s *shelf) error) func(*testing.T, db.DB, *shelf) {
		return func(t *testing.T, d db.DB, s *shelf) {
			require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error { return fn(tx, s) }))
		}
	}
	order := id.New()
	return []change{
		{"price", edit("good-0", func(p *catalog.Product) { p.SKUs[0].Price.Minor = 7777 })},
		{"title", edit("good-0", func(p *catalog.Product) { p.Title, p.TitleEN = "新名", "Renamed" })},
		{"off sale", edit("good-2", func(p *catalog.Product) { p.On = false })},
		{"on sale again", edit("good-2", func(p *catalog.Product) { p.On = true })},
		{"new product", func(t *testing.T, d db.DB, s *shelf) {
			_, err := catalog.NewService(d).Put(t.Context(), s.draft(40))
			require.NoError(t, err)
		}},
		{"category", func(t *testing.T, d db.DB, s *shelf) {
			c := s.categories[0]
			c.Title, c.TitleEN = "改名", "Relabelled"
			_, err := catalog.NewService(d).PutCategory(t.Context(), c)
			require.NoError(t, err)
		}},
		{"one less", tx(func(tx *db.Tx, s *shelf) error { return stock.HoldTx(tx, s.merchant.ID, order, orderOf(s, 1)) })},
		{"sold out", tx(func(tx *db.Tx, s *shelf) error { return stock.HoldTx(tx, s.merchant.ID, order, orderOf(s, 2)) })},
		{"restock", tx(func(tx *db.Tx, s *shelf) error { return stock.ReleaseTx(tx, s.merchant.ID, order, orderOf(s, 3)) })},
		{"staff's count", func(t *testing.T, d db.DB, s *shelf) {
			_, err := catalog.NewService(d).SetCount(t.Context(), s.merchant.ID, s.products[1].SKUs[1].Code, true, 55)
			require.NoError(t, err)
		}},
		{"import of cards", tx(func(tx *db.Tx, s *shelf) error {
			_, err := stock.AddCardsTx(tx, s.merchant.ID, s.products[0].SKUs[0].ID, id.New(), []stock.SealedCard{
				{ID: id.New(), Content: []byte("sealed"), Index: []byte("index")},
			})
			return err
		})},
		{"import of a catalogue", tx(func(tx *db.Tx, s *shelf) error { // as package imports stores a row
			p := s.draft(4)
			p.Title, p.TitleEN = "导入", "Imported"
			_, err := catalog.PutTx(tx, p)
			return err
		})},
		{"shop's notice", func(t *testing.T, d db.DB, s *shelf) { putMerchant(t, d, s, "公告", true) }},
		{"shop closed", func(t *testing.T, d db.DB, s *shelf) { putMerchant(t, d, s, "公告", false) }},
	}
}

// TestEveryChangeShowsOnEveryNode is what catches "cache not invalidated": each
// change is made on one node, and shows on another within a second. A machine
// that does other things may be late, but not with most of them, and never as
// late as the ten seconds after which an entry is made anew in any case.
func TestEveryChangeShowsOnEveryNode(t *testing.T) {
	onEngines(t, func(t *testing.T, d cache.Database) {
		s := fill(t, d, "mine", 5)
		anew, ready := newNode(t, d, off(), io.Discard), newNode(t, d, cache.DefaultConfig(), io.Discard)
		look := func(n *node) (all []answer) {
			for _, target := range shown(s) {
				all = append(all, withoutID(t, n.ask("mine.example", target, "en")))
			}
			return all
		}
		require.Equal(t, look(anew), look(ready))
		var took []time.Duration
		for _, c := range changes() {
			before := look(anew)
			c.make(t, d, s)
			began := time.Now()
			require.Eventually(t, func() bool { // the list of merchants is up to a second old, there too
				return !equal(before, look(anew))
			}, 30*time.Second, 10*time.Millisecond, "%s changes nothing", c.name)
			require.Eventually(t, func() bool { return equal(look(anew), look(ready)) }, 8*time.Second, 10*time.Millisecond, c.name)
			took = append(took, time.Since(began))
			t.Logf("%s: %v", c.name, took[len(took)-1].Round(time.Millisecond))
		}
		slices.Sort(took)
		t.Logf("median %v, longest %v", took[len(took)/2], took[len(took)-1])
		require.Less(t, took[len(took)/2], cache.ShownWithin)
	})
}

// shown is enough to see every change somewhere.
func shown(s *shelf) []string {
	return []string{
		"/", "/c/shelf-0", "/p/good-1", "/p/good-2", "/api/v1/products", "/api/v1/products?category=shelf-1", "/api/v1/categories",
		"/api/v1/products/" + s.products[0].ID.String(), "/api/v1/products/" + s.products[1].ID.String(),
	}
}

func equal(a, b []answer) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func putMerchant(t *testing.T, d db.DB, s *shelf, notice string, open bool) {
	t.Helper()
	m := s.merchant
	m.Notice, m.Open = notice, open
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error { _, err := merchant.PutTx(tx, m); return err }))
}

func TestAThousandRequestsMakeOneQuery(t *testing.T) {
	d := dbtest.SQLite(t)
	fill(t, d, "mine", 20)
	n := newNode(t, d, cache.DefaultConfig(), io.Discard)
	require.Equal(t, http.StatusOK, n.ask("mine.example", "/api/v1/categories", "en").status) // the list of merchants is known
	release := make(chan struct{})
	block := func() error { <-release; return nil }
	n.db.block.Store(&block)
	var all sync.WaitGroup
	var wrong atomic.Int64
	for range 1000 {
		all.Go(func() {
			if a := n.ask("mine.example", "/api/v1/products", "en"); a.status != http.StatusOK || !strings.Contains(a.body, "Good 19") {
				wrong.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return n.guard.InFlight() == 1000 }, 30*time.Second, time.Millisecond, "all of them wait")
	close(release)
	all.Wait()
	require.Zero(t, wrong.Load())
	require.Equal(t, int64(2), n.ready.Stats().Loads, "the categories before, and one for all")
}

func TestASlowOrBrokenDatabaseIsAnsweredFor(t *testing.T) {
	d := dbtest.SQLite(t)
	s := fill(t, d, "mine", 5)
	var log lockedBuffer
	n := newNode(t, d, cache.DefaultConfig(), &log)
	targets := []string{"/", "/p/good-1", "/api/v1/products", "/api/v1/categories", "/api/v1/products/" + s.products[1].ID.String()}
	want := map[string]answer{}
	for _, target := range targets {
		want[target] = n.ask("mine.example", target, "en")
		require.Equal(t, http.StatusOK, want[target].status)
	}
	hang := make(chan struct{})
	for _, block := range []func() error{
		func() error { return errors.New("disk 0xdeadbeef on fire") },
		func() error { <-hang; return context.DeadlineExceeded },
	} {
		n.db.block.Store(&block)
		until := time.Now().Add(3500 * time.Millisecond) // past every second for which something counts as fresh
		for time.Now().Before(until) {
			for _, target := range targets {
				began := time.Now()
				require.Equal(t, want[target], n.ask("mine.example", target, "en"))
				require.Less(t, time.Since(began), 4*time.Second) // a load that hangs is given up after 5
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	close(hang)
	n.db.block.Store(nil)
	require.Contains(t, log.String(), "0xdeadbeef", "and it is told")
	setCount(t, d, s.merchant.ID, s.products[1].SKUs[0].ID, 77)
	require.Eventually(t, func() bool {
		return strings.Contains(n.ask("mine.example", "/api/v1/products/"+s.products[1].ID.String(), "en").body, `"available":77`)
	}, 30*time.Second, 10*time.Millisecond)
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestReadyHeaders(t *testing.T) {
	d := dbtest.SQLite(t)
	s := fill(t, d, "mine", 20)
	n := newNode(t, d, cache.DefaultConfig(), io.Discard)
	ask := func(method, target string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, target, nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		n.handler.ServeHTTP(w, r)
		return w
	}
	for target, c := range map[string][2]string{
		"/api/v1/products": {"no-cache", "Accept-Language, Accept-Encoding"},
		"/api/v1/products/" + s.products[0].ID.String(): {"no-cache", "Accept-Language, Accept-Encoding"},
		"/":         {"private, no-cache", "Cookie, Accept-Language, Accept-Encoding"},
		"/p/good-1": {"private, no-cache", "Cookie, Accept-Language, Accept-Encoding"},
	} {
		w := ask(http.MethodGet, target, "Accept-Encoding", "gzip, deflate, br", "Accept-Language", "en")
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, c[0], w.Header().Get("Cache-Control"), target)
		require.Equal(t, c[1], w.Header().Get("Vary"), target)
		require.Equal(t, "br", w.Header().Get("Content-Encoding"))
		require.NotEmpty(t, w.Header().Get("Content-Security-Policy"))
		require.NotEmpty(t, w.Header().Get("X-Request-Id"))
		tag := w.Header().Get("ETag")
		again := ask(http.MethodGet, target, "Accept-Encoding", "gzip, deflate, br", "Accept-Language", "en", "If-None-Match", tag)
		require.Equal(t, http.StatusNotModified, again.Code)
		require.Empty(t, again.Body.Bytes())
		require.Equal(t, http.StatusOK, ask(http.MethodGet, target, "Accept-Language", "zh-CN", "If-None-Match", tag).Code, "another form")
		head := ask(http.MethodHead, target, "Accept-Encoding", "gzip, deflate, br", "Accept-Language", "en")
		require.Empty(t, head.Body.Bytes())
		require.Equal(t, w.Header().Get("Content-Length"), head.Header().Get("Content-Length"))
	}
	w := ask(http.MethodGet, "/", "Cookie", "lang=en", "Accept-Language", "zh-CN")
	require.Contains(t, w.Body.String(), `<html lang="en">`, "a choice by cookie counts for shared pages")
	require.Empty(t, w.Header().Get("Set-Cookie"))
	w = ask(http.MethodGet, "/?lang=en", "Accept-Language", "zh-CN")
	require.NotEmpty(t, w.Header().Get("Set-Cookie"), "choosing one is a visitor's own")
	require.Empty(t, w.Header().Get("ETag"))
}
