package backup

import (
	"context"
	"io"

	"golang.org/x/time/rate"
)

// burst is how many bytes pass at once.
const burst = 64 << 10

// Limit holds what goes to and comes from a destination to bytesPerSecond in
// all, so that a full does not take the line from the buyers.
func Limit(inner Destination, bytesPerSecond int64) Destination {
	return &limited{Destination: inner, rate: rate.NewLimiter(rate.Limit(bytesPerSecond), burst)}
}

type limited struct {
	Destination
	rate *rate.Limiter
}

func (l *limited) Put(ctx context.Context, name string, body Body) error {
	open := body.Open
	body.Open = func() (io.ReadCloser, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		return l.slow(ctx, r), nil
	}
	return l.Destination.Put(ctx, name, body)
}

func (l *limited) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	r, err := l.Destination.Get(ctx, name, offset, length)
	if err != nil {
		return nil, err
	}
	return l.slow(ctx, r), nil
}

func (l *limited) slow(ctx context.Context, r io.ReadCloser) io.ReadCloser {
	return reader{ReadCloser: r, read: func(p []byte) (int, error) {
		n, err := r.Read(p[:min(len(p), burst)])
		if waitErr := l.rate.WaitN(ctx, n); waitErr != nil {
			return n, waitErr
		}
		return n, err
	}}
}

// reader is a ReadCloser with another Read.
type reader struct {
	io.ReadCloser
	read func([]byte) (int, error)
}

func (r reader) Read(p []byte) (int, error) { return r.read(p) }
