package web

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	logBuffer = 64 << 10
	logDelay  = 100 * time.Millisecond // a line's longest wait in the buffer
)

// LogWriter gathers log lines and writes many by one call: a write for each
// request would cost as much as a request. Lines wait at most 100 ms, and not
// at all from a level of warning on. A process that is killed loses what waits;
// one that returns from main calls Close first.
type LogWriter struct {
	mu     sync.Mutex
	buf    *bufio.Writer // guarded by mu
	due    bool          // a flush is under way; guarded by mu
	closed bool          // lines go out at once; guarded by mu
}

// NewLogWriter returns a LogWriter on out.
func NewLogWriter(out io.Writer) *LogWriter {
	return &LogWriter{buf: bufio.NewWriterSize(out, logBuffer)}
}

// Write takes one line or more.
func (l *LogWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, err := l.buf.Write(p)
	switch {
	case l.closed && err == nil:
		err = l.buf.Flush()
	case !l.due:
		l.due = true
		time.AfterFunc(logDelay, func() { _ = l.Flush() }) // the next Write tells of the same fault
	}
	return n, err
}

// Flush writes out what waits.
func (l *LogWriter) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due = false
	return l.buf.Flush()
}

// Close flushes; lines that still come are written at once.
func (l *LogWriter) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	return l.Flush()
}

// Logger returns a logger of JSON lines through l, from level on.
func (l *LogWriter) Logger(level slog.Level) *slog.Logger {
	return slog.New(&urgent{slog.NewJSONHandler(l, &slog.HandlerOptions{Level: level}), l})
}

// urgent flushes behind every warning and error.
type urgent struct {
	slog.Handler
	writer *LogWriter
}

// Handle implements slog.Handler.
func (u *urgent) Handle(ctx context.Context, r slog.Record) error {
	err := u.Handler.Handle(ctx, r)
	if err == nil && r.Level >= slog.LevelWarn {
		err = u.writer.Flush()
	}
	return err
}

// WithAttrs implements slog.Handler.
func (u *urgent) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &urgent{u.Handler.WithAttrs(attrs), u.writer}
}

// WithGroup implements slog.Handler.
func (u *urgent) WithGroup(name string) slog.Handler {
	return &urgent{u.Handler.WithGroup(name), u.writer}
}
