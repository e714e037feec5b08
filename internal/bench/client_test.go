package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The client understands every framing that net/http uses, on one connection.
func TestFraming(t *testing.T) {
	long := strings.Repeat("磐石", 10_000)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/length":
			_, _ = io.WriteString(w, "short")
		case "/chunked":
			_, _ = io.WriteString(w, long)
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		case "/unchanged":
			w.WriteHeader(http.StatusNotModified)
		default:
			http.Error(w, "no", http.StatusTeapot)
		}
	}))
	defer srv.Close()
	c, err := dial(t.Context(), srv.Listener.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	for _, want := range []struct {
		path   string
		status int
		body   string
	}{
		{"/length", 200, "short"},
		{"/chunked", 200, long},
		{"/empty", 204, ""},
		{"/unchanged", 304, ""},
		{"/other", 418, "no\n"},
		{"/length", 200, "short"},
	} {
		status, err := c.do([]byte("GET " + want.path + " HTTP/1.1\r\nHost: x\r\n\r\n"))
		require.NoError(t, err, want.path)
		require.Equal(t, want.status, status, want.path)
		require.Equal(t, want.body, string(c.body), want.path)
	}
}

// loadOf opens a load on a handler.
func loadOf(t *testing.T, h http.HandlerFunc, want int) *load {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	l, err := open(t.Context(), 4, target{addr: srv.Listener.Addr().String(), want: want, limit: 100, form: func(seq int64, buf []byte) []byte {
		return fmt.Appendf(buf, "GET /%d HTTP/1.1\r\nHost: x\r\n\r\n", seq)
	}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.close() })
	return l
}

// Each operation is sent once; what is not the wanted answer is an error and
// no operation.
func TestClosedLoad(t *testing.T) {
	var seen [100]atomic.Int64
	l := loadOf(t, func(w http.ResponseWriter, r *http.Request) {
		var seq int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &seq)
		seen[seq].Add(1)
		if seq%10 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}, 200)
	s := l.closed(t.Context(), time.Minute)
	require.EqualValues(t, 90, s.ops)
	require.EqualValues(t, 10, s.errors)
	require.Len(t, s.latencies, 90)
	require.ErrorContains(t, s.fault, "503")
	for i := range seen {
		require.EqualValues(t, 1, seen[i].Load(), i)
	}
}

// A stall is felt by all that were due meanwhile, not only by those that were
// under way: with a closed load one client in four would have waited.
func TestPacedLoadCountsFromWhenDue(t *testing.T) {
	var n atomic.Int64
	l := loadOf(t, func(http.ResponseWriter, *http.Request) {
		if n.Add(1) <= 4 { // every connection is stuck for a while
			time.Sleep(200 * time.Millisecond)
		}
	}, 200)
	s := l.paced(t.Context(), 100*time.Millisecond, 500)
	require.Zero(t, s.errors)
	require.GreaterOrEqual(t, s.ops, int64(40))
	slow := 0
	for _, d := range s.latencies {
		if d > 90*time.Millisecond {
			slow++
		}
	}
	require.Greater(t, slow, 35, "operations that were due during the stall waited too")
}

// A server that goes away is an error, not an endless loop.
func TestBrokenConnection(t *testing.T) {
	var listen net.ListenConfig
	ln, err := listen.Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	l, err := open(t.Context(), 2, target{addr: ln.Addr().String(), want: 200, form: func(_ int64, buf []byte) []byte {
		return append(buf, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"...)
	}})
	require.NoError(t, err)
	s := l.closed(t.Context(), time.Minute)
	require.Zero(t, s.ops)
	require.EqualValues(t, 2, s.errors)
	require.Error(t, s.fault)
	require.NoError(t, l.close())
	require.NoError(t, ln.Close())
}
