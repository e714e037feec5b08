package adminsock

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"panshi/internal/backup/ship"
	"panshi/internal/check"
	"panshi/internal/demo"
	"panshi/internal/imports"
	"panshi/internal/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a shop of functions; what a test does not set panics.
type fake struct {
	check      func(context.Context, func(string, int, int)) (check.Report, error)
	importFile func(context.Context, ImportRequest, io.Reader, func(imports.Progress)) (imports.Report, error)
	demo       func(context.Context, func(string)) (demo.Summary, error)
	setupLink  func(context.Context, string) (string, error)
	status     func(context.Context) (Status, error)
	backup     func(context.Context) (ship.Status, error)
	reconcile  func(context.Context, ReconcileRequest, func(ReconcileProgress)) (reconcile.Report, error)
}

func (f *fake) Check(ctx context.Context, p func(string, int, int)) (check.Report, error) {
	return f.check(ctx, p)
}

func (f *fake) Import(ctx context.Context, r ImportRequest, file io.Reader, p func(imports.Progress)) (imports.Report, error) {
	return f.importFile(ctx, r, file, p)
}

func (f *fake) Demo(ctx context.Context, p func(string)) (demo.Summary, error) { return f.demo(ctx, p) }

func (f *fake) SetupLink(ctx context.Context, slug string) (string, error) {
	return f.setupLink(ctx, slug)
}

func (f *fake) Status(ctx context.Context) (Status, error) { return f.status(ctx) }

func (f *fake) BackupStatus(ctx context.Context) (ship.Status, error) { return f.backup(ctx) }

func (f *fake) Reconcile(ctx context.Context, r ReconcileRequest, p func(ReconcileProgress)) (reconcile.Report, error) {
	return f.reconcile(ctx, r, p)
}

// logBook is a log that tests read.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBook) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// running is a shop that serves its socket.
type running struct {
	dir  string
	log  *logBook
	stop func() error // ends it and gives what Serve gave
}

// serve starts a shop in dir and waits until it answers.
func serve(t *testing.T, dir string, ops Operations) *running {
	t.Helper()
	book := &logBook{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, dir, Shop{Operations: ops}, slog.New(slog.NewJSONHandler(book, nil))) }()
	var once sync.Once
	var result error
	r := &running{dir: dir, log: book, stop: func() error {
		once.Do(func() { cancel(); result = <-ended })
		return result
	}}
	t.Cleanup(func() { _ = r.stop() })
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, socketName))
		return err == nil
	}, 30*time.Second, time.Millisecond)
	return r
}

// dial connects to a shop for the length of a test.
func (r *running) dial(t *testing.T) *Client {
	t.Helper()
	c, err := Dial(t.Context(), r.dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func quiet(string, int, int) {}

func silent(imports.Progress) {}
