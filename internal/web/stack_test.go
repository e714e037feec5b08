package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/perm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestClientAddress(t *testing.T) {
	t.Parallel()
	trusted := []string{"127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"}
	for name, c := range map[string]struct {
		peer string
		xff  []string
		want string
	}{
		"no proxy":                       {"203.0.113.9:1", nil, "203.0.113.9"},
		"a stranger's header":            {"203.0.113.9:1", []string{"1.2.3.4"}, "203.0.113.9"},
		"one proxy":                      {"127.0.0.1:1", []string{"198.51.100.7"}, "198.51.100.7"},
		"spoofed before the proxy":       {"127.0.0.1:1", []string{"1.2.3.4, 198.51.100.7"}, "198.51.100.7"},
		"spoofed in another header":      {"127.0.0.1:1", []string{"1.2.3.4", "198.51.100.7"}, "198.51.100.7"},
		"spoofed as one of our proxies":  {"127.0.0.1:1", []string{"10.9.9.9, 198.51.100.7"}, "198.51.100.7"},
		"two proxies":                    {"127.0.0.1:1", []string{"198.51.100.7, 10.1.1.1"}, "198.51.100.7"},
		"two proxies, spoofed":           {"127.0.0.1:1", []string{"127.0.0.1, 198.51.100.7, 10.1.1.1"}, "198.51.100.7"},
		"only proxies":                   {"127.0.0.1:1", []string{"10.2.2.2, 10.1.1.1"}, "10.2.2.2"},
		"rubbish stops the walk":         {"127.0.0.1:1", []string{"198.51.100.7, rubbish, 10.1.1.1"}, "10.1.1.1"},
		"rubbish only":                   {"127.0.0.1:1", []string{"<script>"}, "127.0.0.1"},
		"empty header":                   {"127.0.0.1:1", []string{""}, "127.0.0.1"},
		"with port":                      {"127.0.0.1:1", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		"IPv6":                           {"[2001:db8:1::1]:1", []string{"2001:db8:2::9"}, "2001:db8:2::9"},
		"IPv6 with port":                 {"[2001:db8:1::1]:1", []string{"[2001:db8:2::9]:80"}, "2001:db8:2::9"},
		"mapped peer":                    {"[::ffff:127.0.0.1]:1", []string{"198.51.100.7"}, "198.51.100.7"},
		"mapped hop is the same proxy":   {"127.0.0.1:1", []string{"198.51.100.7, ::ffff:10.1.1.1"}, "198.51.100.7"},
		"a zone does not make a new key": {"127.0.0.1:1", []string{"fe80::1%eth0"}, "fe80::1"},
		"many hops":                      {"127.0.0.1:1", []string{"1.2.3.4," + strings.Repeat("10.1.1.1,", 40) + "10.1.1.1"}, "10.1.1.1"},
		"unix socket":                    {"@", []string{"1.2.3.4"}, "invalid IP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxies, err := parseProxies(trusted)
			require.NoError(t, err)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.peer
			for _, v := range c.xff {
				r.Header.Add("X-Forwarded-For", v)
			}
			require.Equal(t, c.want, clientAddr(r, proxies).String())
		})
	}
}

func TestLimitKeyCountsAnIPv6NetworkOnce(t *testing.T) {
	t.Parallel()
	key := func(s string) string { return limitKey(parseHop(s)) }
	require.Equal(t, key("2001:db8::1"), key("2001:db8::ffff:1"))
	require.NotEqual(t, key("2001:db8::1"), key("2001:db8:0:1::1"))
	require.NotEqual(t, key("192.0.2.1"), key("192.0.2.2"))
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	require.NoError(t, DefaultConfig().Validate())
	for field, change := range map[string]func(*Config){
		"trusted_proxies":     func(c *Config) { c.TrustedProxies = []string{"10.0.0.0/33"} },
		"trusted_origins[1]":  func(c *Config) { c.TrustedOrigins = []string{"https://a.example", "a.example/path"} },
		"max_header_bytes":    func(c *Config) { c.MaxHeaderBytes = 0 },
		"max_body_bytes":      func(c *Config) { c.MaxBodyBytes = -1 },
		"read_header_timeout": func(c *Config) { c.ReadHeaderTimeout = 0 },
		"write_timeout":       func(c *Config) { c.WriteTimeout = time.Hour },
	} {
		cfg := DefaultConfig()
		change(&cfg)
		var e *errs.Error
		require.ErrorAs(t, cfg.Validate(), &e, field)
		require.Equal(t, field, e.Field)
	}
}

func TestRequestLogSchema(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	mux := newTestMux(t)
	require.NoError(t, mux.Add(Audience{Name: "t"}, Route{
		Method: "GET", Pattern: "/orders/{order_no}", Permission: perm.Anyone, Priority: perm.Normal, Limit: LimitRead,
		Handler: func(w http.ResponseWriter, _ *http.Request) error { _, err := w.Write([]byte("hello")); return err },
	}))
	h := wrapped(t, DefaultConfig(), mux, &log)
	w := request{method: "GET", target: "/orders/SECRET1?token=SECRET2", header: map[string]string{
		"Authorization": "Bearer SECRET3", "Cookie": "s=SECRET4", "User-Agent": "SECRET5", "X-Request-Id": "caller-id-1",
	}}.do(h)
	require.Equal(t, "caller-id-1", w.Header().Get("X-Request-Id"))
	require.NotContains(t, log.String(), "SECRET")
	var line map[string]any
	require.NoError(t, json.Unmarshal(log.Bytes(), &line))
	require.Equal(t, "/orders/{order_no}", line["route"])
	require.InDelta(t, 5, line["bytes"], 0)
	require.InDelta(t, 200, line["status"], 0)
	var keys []string
	for k := range line {
		keys = append(keys, k)
	}
	require.ElementsMatch(t, []string{"time", "level", "msg", "request_id", "method", "route", "status", "bytes", "ms", "client"}, keys)

	log.Reset()
	request{method: "GET", target: "/nowhere/SECRET?x=SECRET"}.do(h)
	require.NotContains(t, log.String(), "SECRET")
	require.Contains(t, log.String(), `"code":"not_found"`)
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "short", strings.Repeat("x", 65), "has space", "new\nline-xxxx", "<b>bold</b>", "中文中文中文"} {
		require.NotEqual(t, bad, requestID(bad))
		require.Len(t, requestID(bad), 36)
	}
	require.Equal(t, "abc-DEF_1.2", requestID("abc-DEF_1.2"))
}

func TestPanicBecomesA500(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := wrapped(t, DefaultConfig(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oops hunter2") }), &log)
	w := request{method: "GET"}.do(h)
	require.Equal(t, 500, w.Code)
	require.NotContains(t, w.Body.String(), "hunter2")
	p := problemIn(t, w)
	require.Equal(t, "internal", p.Code)
	require.Contains(t, log.String(), "stack_test.go", "the log has the stack")
	require.Contains(t, log.String(), p.Instance)
}

func TestPanicAfterTheAnswerBeganCutsTheConnection(t *testing.T) {
	t.Parallel()
	h := wrapped(t, DefaultConfig(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic("oops")
	}), io.Discard)
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { request{method: "GET"}.do(h) })
}

func TestStatusTable(t *testing.T) {
	t.Parallel()
	for kind, want := range map[errs.Kind]int{
		errs.Internal: 500, errs.Invalid: 422, errs.NotFound: 404, errs.Conflict: 409, errs.Unauthenticated: 401, errs.Forbidden: 403,
		errs.TooMany: 429, errs.TooLarge: 413, errs.Unavailable: 503, errs.Integrity: 500, errs.Malformed: 400, 99: 500,
	} {
		require.Equal(t, want, StatusOf(errs.New(kind, "x", "")), kind)
		require.Equal(t, want, StatusOf(fmt.Errorf("wrapped: %w", errs.New(kind, "x", ""))), kind)
	}
	require.Equal(t, 500, StatusOf(errors.New("plain"))) //nolint:err113 // a stranger's error
}

func TestWriteProblem(t *testing.T) {
	t.Parallel()
	texts, err := i18n.Load()
	require.NoError(t, err)
	answer := func(e error) (*httptest.ResponseRecorder, Problem) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		st := &state{id: "id-12345", lang: i18n.English, texts: texts}
		WriteProblem(w, r.WithContext(context.WithValue(r.Context(), stateKey{}, st)), e)
		return w, problemIn(t, w)
	}
	w, p := answer(RetryAfter(errs.New(errs.TooMany, "rate_limited", ""), 1500*time.Millisecond))
	require.Equal(t, "2", w.Header().Get("Retry-After"))
	require.Equal(t, 429, p.Status)
	w, p = answer(errs.New(errs.Unavailable, "overloaded", ""))
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.Equal(t, "overloaded", p.Code, "a 503 may say why")
	_, p = answer(&http.MaxBytesError{Limit: 7})
	require.Equal(t, "The request body is too large; at most 7 bytes.", p.Detail)
	_, p = answer(fmt.Errorf("query: %w", context.DeadlineExceeded))
	require.Equal(t, "timeout", p.Code)
	_, p = answer(errs.New(errs.Integrity, "ledger_broken", "secret"))
	require.Equal(t, "internal", p.Code)
	_, p = answer(errs.New(errs.Conflict, "no_text_yet", "the message it brought"))
	require.Equal(t, "the message it brought", p.Detail)
	_, p = answer(errors.Join(errs.Field("a", "required", ""), io.ErrUnexpectedEOF))
	require.Equal(t, 500, p.Status, "a fault among the fields is a fault")
	require.Empty(t, p.Errors)
	_, p = answer(nil)
	require.Equal(t, 500, p.Status)

	w = httptest.NewRecorder()
	WriteProblem(w, httptest.NewRequest(http.MethodGet, "/", nil), errs.New(errs.NotFound, "not_found", "bare"))
	require.Equal(t, "bare", problemIn(t, w).Detail, "without the middleware")
}

func TestHSTSOnlyWithTLS(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{false, true} {
		cfg := DefaultConfig()
		cfg.TLS = tls
		w := request{method: "GET", target: "/"}.do(wrapped(t, cfg, newTestMux(t), io.Discard))
		require.Equal(t, tls, w.Header().Get("Strict-Transport-Security") != "")
	}
}

func TestServeStopsInOrder(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		_, _ = w.Write([]byte("done"))
	})
	cfg := DefaultConfig()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, NewServer(cfg, h, slog.New(slog.DiscardHandler)), ln, cfg) }()
	answer := make(chan string, 1)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	go func() {
		res, err := (&http.Client{Transport: transport}).Get("http://" + ln.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		answer <- string(body)
	}()
	<-entered
	stop()
	close(release)
	require.Equal(t, "done", <-answer)
	require.NoError(t, <-ended)
}

func TestServerRefusesLongHeaders(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	handler := wrapped(t, cfg, newTestMux(t), io.Discard)
	go func() { ended <- Serve(ctx, NewServer(cfg, handler, slog.New(slog.DiscardHandler)), ln, cfg) }()
	for raw, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 24<<10) + "\r\n\r\n":                    "431",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": "404", // chunked wins, the connection closes
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde":              "400",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n":                     "501",
		"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n":                                             "400",
		"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":                                     "404",
		"TRACE / HTTP/1.1\r\nHost: a\r\nCookie: secret\r\nConnection: close\r\n\r\n":                     "404",
		"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":                         "404",
	} {
		conn, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
		_, err = conn.Write([]byte(raw))
		require.NoError(t, err)
		answer := make([]byte, 4096)
		n, _ := conn.Read(answer)
		require.Equal(t, want, strings.Fields(string(answer[:n]))[1], raw)
		require.NotContains(t, string(answer[:n]), "secret")
		conn.Close()
	}
	stop()
	require.NoError(t, <-ended)
}

func TestNewStackRefusesBadProxies(t *testing.T) {
	t.Parallel()
	_, err := NewStack(Config{TrustedProxies: []string{"x"}}, nil, slog.New(slog.DiscardHandler), clock.System{})
	require.Error(t, err)
}
