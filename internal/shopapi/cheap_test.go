package shopapi_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/cache"
	"panshi/internal/db/dbtest"
	"panshi/internal/web"
)

// plainWriter takes an answer as net/http would and keeps nothing.
type plainWriter struct {
	header http.Header
	status int
}

func (w *plainWriter) Header() http.Header         { return w.header }
func (w *plainWriter) WriteHeader(status int)      { w.status = status }
func (w *plainWriter) Write(p []byte) (int, error) { return len(p), nil }

// TestAReadyAnswerIsCheap counts what one request through the whole stack
// (id, log line, table, limits, cache) allocates.
func TestAReadyAnswerIsCheap(t *testing.T) {
	d := dbtest.SQLite(t)
	s := fill(t, d, "mine", 20)
	lines := web.NewLogWriter(io.Discard)
	n := newNode(t, d, cache.DefaultConfig(), lines)
	for target, most := range map[string]float64{
		"/api/v1/products": 10, "/api/v1/products?category=shelf-1&limit=5": 10, "/api/v1/categories": 10,
		"/api/v1/products/" + s.products[0].ID.String(): 10, "/": 10, "/p/good-1": 10,
	} {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.Header.Set("Accept-Encoding", "gzip, deflate, br")
		r.Header.Set("Accept-Language", "en-GB,en;q=0.9,zh;q=0.8")
		w := &plainWriter{header: http.Header{}}
		serve := func() {
			clear(w.header)
			n.handler.ServeHTTP(w, r)
		}
		serve()
		before := n.ready.Stats()
		allocs := testing.AllocsPerRun(200, serve)
		t.Logf("%s: %.1f", target, allocs)
		require.Equal(t, http.StatusOK, w.status)
		require.Greater(t, n.ready.Stats().Hits, before.Hits+150)
		require.LessOrEqual(t, allocs, most, target)
	}
}

// TestRatioToABareHandler prints how a ready answer compares with a bare
// net/http handler that sends the same bytes: real HTTP over loopback, kept
// alive, in turns of a tenth of a second within one run. Of each turn it takes
// the processor time of the whole process, client and all, for one request:
// that is the ratio of rates on a machine that does nothing else, and other
// programs disturb it little. It judges nothing but what no noise explains;
// panshi bench is to judge. PANSHI_TORTURE=long takes a longer look.
func TestRatioToABareHandler(t *testing.T) {
	d := dbtest.SQLite(t)
	s := fill(t, d, "mine", 20)
	lines := web.NewLogWriter(io.Discard)
	n := newNode(t, d, cache.DefaultConfig(), lines)
	ours := loopback(t, n.handler)
	turns := 5
	if os.Getenv("PANSHI_TORTURE") == "long" {
		turns = 100
	}
	for _, target := range []string{"/api/v1/products", "/api/v1/products/" + s.products[0].ID.String(), "/", "/p/good-1"} {
		a := n.ask("mine.example", target, "zh-CN")
		body, kind, length := []byte(a.body), []string{a.kind}, []string{strconv.Itoa(len(a.body))}
		bare := loopback(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"], w.Header()["Content-Length"] = kind, length
			_, _ = w.Write(body)
		}))
		rates, costs := make([]float64, turns), make([]float64, turns)
		for i := range turns {
			rate, cost := perTurn(t, ours+target)
			bareRate, bareCost := perTurn(t, bare+target)
			rates[i], costs[i] = rate/bareRate, bareCost/cost
		}
		slices.Sort(rates)
		slices.Sort(costs)
		t.Logf("%-55s %6d bytes: of a bare handler, by processor time %.2f (%.2f to %.2f), by rate %.2f",
			target, len(body), costs[turns/2], costs[turns/10], costs[turns-1-turns/10], rates[turns/2])
		require.Greater(t, costs[turns/2], 0.4)
	}
}

// perTurn is how many requests a second two connections get answered, and the
// seconds of processor time that one takes.
func perTurn(t *testing.T, url string) (rate, cost float64) {
	t.Helper()
	const clients, turn = 2, 100 * time.Millisecond
	counts := make(chan int, clients)
	began, used := time.Now(), processorTime(t)
	for range clients {
		go func() { counts <- requests(t.Context(), url, began.Add(turn)) }()
	}
	sum := 0
	for range clients {
		sum += <-counts
	}
	require.Positive(t, sum)
	return float64(sum) / time.Since(began).Seconds(), (processorTime(t) - used).Seconds() / float64(sum)
}

// processorTime is what this process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// loopback serves h on a free port until the test ends.
func loopback(t testing.TB, h http.Handler) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := web.NewServer(web.DefaultConfig(), h, slog.New(slog.DiscardHandler))
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	return "http://" + ln.Addr().String()
}

// requests asks over one connection until a time and counts the answers. It
// writes the request and skims the answer by hand: an http.Client would cost
// more than what it measures.
func requests(ctx context.Context, url string, until time.Time) (answered int) {
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return 0
	}
	defer conn.Close()
	request := fmt.Appendf(nil, "GET /%s HTTP/1.1\r\nHost: mine.example\r\n\r\n", path)
	answers := bufio.NewReaderSize(conn, 64<<10)
	for time.Now().Before(until) {
		if _, err := conn.Write(request); err != nil {
			return answered
		}
		if !skim(answers) {
			return 0
		}
		answered++
	}
	return answered
}

// skim reads one answer of a stated length.
func skim(answers *bufio.Reader) bool {
	length := -1
	for first := true; ; first = false {
		line, err := answers.ReadSlice('\n')
		if err != nil || first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			return false
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
	}
	_, err := answers.Discard(length)
	return err == nil
}
