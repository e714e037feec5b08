package backup

import (
	"context"
	"io"
	"time"

	"panshi/internal/clock"
)

// Call is one finished call to a destination.
type Call struct {
	Op    string // put, get, list, delete
	Bytes int64  // stored or read; 0 for a Put that failed
	Took  time.Duration
	Err   error
}

// Meter tells each call when it has ended; a Get ends when its reader is closed.
// observe may be called by several goroutines at a time.
func Meter(inner Destination, now clock.Clock, observe func(Call)) Destination {
	return &metered{inner: inner, clock: now, observe: observe}
}

type metered struct {
	inner   Destination
	clock   clock.Clock
	observe func(Call)
}

func (m *metered) tell(op string, began time.Time, bytes int64, err error) error {
	m.observe(Call{Op: op, Bytes: bytes, Took: m.clock.Now().Sub(began), Err: err})
	return err
}

func (m *metered) Put(ctx context.Context, name string, body Body) error {
	began := m.clock.Now()
	err := m.inner.Put(ctx, name, body)
	stored := body.Size
	if err != nil {
		stored = 0
	}
	return m.tell("put", began, stored, err)
}

func (m *metered) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	began := m.clock.Now()
	r, err := m.inner.Get(ctx, name, offset, length)
	if err != nil {
		return nil, m.tell("get", began, 0, err)
	}
	return &meteredReader{ReadCloser: r, done: func(n int64, err error) { _ = m.tell("get", began, n, err) }}, nil
}

func (m *metered) List(ctx context.Context, prefix string, each func(Object) error) error {
	began := m.clock.Now()
	return m.tell("list", began, 0, m.inner.List(ctx, prefix, each))
}

func (m *metered) Delete(ctx context.Context, name string) error {
	began := m.clock.Now()
	return m.tell("delete", began, 0, m.inner.Delete(ctx, name))
}

type meteredReader struct {
	io.ReadCloser
	read int64
	done func(int64, error)
}

func (r *meteredReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.read += int64(n)
	return n, err
}

func (r *meteredReader) Close() error {
	err := r.ReadCloser.Close()
	r.done(r.read, err)
	return err
}
