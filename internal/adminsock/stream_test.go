package adminsock

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/check"
	"panshi/internal/errs"
	"panshi/internal/imports"
)

// cardFile is a file of n lines that is never whole in memory.
type cardFile struct {
	next, n int
	rest    []byte
	read    atomic.Int64
}

func (f *cardFile) Read(p []byte) (int, error) {
	if len(f.rest) == 0 {
		if f.next == f.n {
			return 0, io.EOF
		}
		f.rest = fmt.Appendf(nil, "CARD-%020d-%s\n", f.next, strings.Repeat("x", 230))
		f.next++
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	f.read.Add(int64(n))
	return n, nil
}

// heapPeak samples the heap until stop is called.
func heapPeak() (stop func() uint64) {
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-done:
				peak <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(done); return <-peak }
}

// 100,000 lines (26 MB) go through in bounded memory, progress comes while the
// file is still on its way, and nothing lies on the disk meanwhile.
func TestBigUpload(t *testing.T) {
	dir := t.TempDir()
	file := &cardFile{n: 100_000}
	shop := serve(t, dir, &fake{importFile: func(_ context.Context, _ ImportRequest, f io.Reader, tell func(imports.Progress)) (imports.Report, error) {
		var p imports.Progress
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if p.Lines++; p.Lines%400 == 0 {
				tell(p)
			}
		}
		return imports.Report{Lines: p.Lines}, lines.Err()
	}})
	c := shop.dial(t)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	stop := heapPeak()
	firstAt, last, events := int64(0), int64(0), 0
	var lying []string
	report, err := c.Import(t.Context(), ImportRequest{}, file, func(p imports.Progress) {
		if events++; events == 1 {
			firstAt = file.read.Load()
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				lying = append(lying, e.Name())
			}
		}
		if p.Lines <= last {
			t.Errorf("progress went from %d to %d", last, p.Lines)
		}
		last = p.Lines
	})
	peak := stop()
	require.NoError(t, err)
	require.EqualValues(t, 100_000, report.Lines)
	require.Equal(t, 250, events)
	require.Less(t, firstAt, int64(8<<20), "the first progress comes while the file travels")
	require.Equal(t, []string{socketName}, lying, "nothing is spooled")
	if grown := int64(peak) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("the heap grew by %d MiB for a file of 26 MB", grown>>20)
	}
}

// A refusal is heard although the client has most of the file still in hand.
func TestEarlyRefusal(t *testing.T) {
	refusal := errs.Field("sku", "sku_not_found", "none")
	c := serve(t, t.TempDir(), &fake{importFile: func(context.Context, ImportRequest, io.Reader, func(imports.Progress)) (imports.Report, error) {
		return imports.Report{}, refusal
	}}).dial(t)
	for range 30 {
		_, err := c.Import(t.Context(), ImportRequest{}, &cardFile{n: 20_000}, silent)
		require.ErrorIs(t, err, refusal)
	}
}

func TestUnreadableFileIsTheClientsFault(t *testing.T) {
	c := serve(t, t.TempDir(), &fake{importFile: func(_ context.Context, _ ImportRequest, f io.Reader, _ func(imports.Progress)) (imports.Report, error) {
		_, err := io.Copy(io.Discard, f)
		return imports.Report{}, err
	}}).dial(t)
	broken := io.MultiReader(strings.NewReader("CARD\n"), readerFunc(func([]byte) (int, error) { return 0, errors.New("bad sector") }))
	_, err := c.Import(t.Context(), ImportRequest{}, broken, silent)
	require.Equal(t, "file_unreadable", errs.CodeOf(err))
	require.ErrorContains(t, err, "bad sector")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestCancelledClientCancelsTheWork(t *testing.T) {
	ended := make(chan error, 1)
	shop := serve(t, t.TempDir(), &fake{
		check: func(ctx context.Context, tell func(string, int, int)) (check.Report, error) {
			tell("long", 0, 1)
			<-ctx.Done()
			ended <- ctx.Err()
			return check.Report{}, ctx.Err()
		},
		importFile: func(_ context.Context, _ ImportRequest, f io.Reader, tell func(imports.Progress)) (imports.Report, error) {
			tell(imports.Progress{Lines: 1})
			_, err := io.Copy(io.Discard, f)
			ended <- err
			return imports.Report{}, err
		},
	})
	c := shop.dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := c.Check(ctx, func(string, int, int) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, <-ended, context.Canceled)

	ctx, cancel = context.WithCancel(t.Context())
	stuck, feed := io.Pipe() // a file that never ends
	defer feed.Close()
	go func() { _, _ = feed.Write([]byte("CARD\n")) }()
	_, err = c.Import(ctx, ImportRequest{}, stuck, func(imports.Progress) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.Error(t, <-ended, "half a file is not a file")
}

func TestStoppingShopEndsItsOperations(t *testing.T) {
	shop := serve(t, t.TempDir(), &fake{check: func(ctx context.Context, tell func(string, int, int)) (check.Report, error) {
		tell("long", 0, 1)
		<-ctx.Done()
		return check.Report{Violations: 3}, ctx.Err()
	}})
	c := shop.dial(t)
	stopped := make(chan error, 1)
	report, err := c.Check(t.Context(), func(string, int, int) { go func() { stopped <- shop.stop() }() })
	require.ErrorIs(t, err, errStopping)
	require.Equal(t, 3, report.Violations)
	require.NoError(t, <-stopped)
	require.NoFileExists(t, filepath.Join(shop.dir, socketName))
	_, err = c.Status(t.Context())
	require.ErrorIs(t, err, ErrNotRunning, "a client that stayed is told too")
}

// A shop that is killed in the middle of an answer is an error, not an empty
// report.
func TestKilledShopIsAnError(t *testing.T) {
	for name, answer := range map[string]string{
		"at once":         "",
		"after progress":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n24\r\n{\"progress\":{\"name\":\"a\",\"total\":1}}\n\r\n",
		"end of progress": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n24\r\n{\"progress\":{\"name\":\"a\",\"total\":1}}\n\r\n0\r\n\r\n",
		"not JSON":        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ln, err := net.Listen("unix", filepath.Join(dir, socketName))
			require.NoError(t, err)
			defer ln.Close()
			go func() {
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					_, _ = conn.Read(make([]byte, 4096))
					_, _ = conn.Write([]byte(answer))
					_ = conn.Close()
				}
			}()
			c, err := Dial(t.Context(), dir)
			require.NoError(t, err)
			defer c.Close()
			_, err = c.Check(t.Context(), quiet)
			require.ErrorIs(t, err, errGone)
		})
	}
}

func FuzzFollow(f *testing.F) {
	f.Add("{\"progress\":{\"name\":\"a\"}}\n{\"result\":{\"violations\":1}}\n")
	f.Add(`{"result":null,"errors":[{"kind":1,"code":"a","msg":"b","field":"c","params":{"d":"e"},"cause":"f"}]}`)
	f.Add(`{"errors":[{},{}]}`)
	f.Fuzz(func(_ *testing.T, body string) {
		var report check.Report
		if err := follow(strings.NewReader(body), nil, &report); err != nil {
			_ = err.Error()
			_ = problemsOf(err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add(`{"kind":"cards","merchant":"","sku":"a","file_name":"b","size":1,"digest":"AA==","dry_run":true}`)
	f.Add(`{} {}`)
	f.Fuzz(func(t *testing.T, text string) {
		var r ImportRequest
		if decodeStrict(text, &r) == nil && !strings.Contains(text, "{") && strings.TrimSpace(text) != "null" {
			t.Errorf("%q is no request", text)
		}
	})
}
