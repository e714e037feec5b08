package backup

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"time"
)

// RetryConfig bounds the tries of one call.
type RetryConfig struct {
	Attempts int           // tries in all, at least 1
	First    time.Duration // wait after the first failure; doubles
	Most     time.Duration // longest wait
	Timeout  time.Duration // of one try; of a Get and a List, the longest silence
	// Slowest is the rate in bytes a second that gives a Put more time for what it
	// carries. With Limit set it inside the wrapper's rate.
	Slowest int64
}

// DefaultRetry suits a cloud over the internet.
func DefaultRetry() RetryConfig {
	return RetryConfig{Attempts: 4, First: 500 * time.Millisecond, Most: 20 * time.Second, Timeout: time.Minute, Slowest: 64 << 10}
}

// Retry repeats what may pass by itself (Passing), with growing pauses, and
// bounds each try in time, so that a destination that hangs is one that fails.
// A Put that is repeated may meet its own first try: then the answer is
// backup_object_exists, as for any other Put.
func Retry(inner Destination, cfg RetryConfig) Destination {
	return &retrying{inner: inner, cfg: cfg}
}

type retrying struct {
	inner Destination
	cfg   RetryConfig
}

func (r *retrying) Put(ctx context.Context, name string, body Body) error {
	return r.again(ctx, body.Size, func(ctx context.Context) error { return r.inner.Put(ctx, name, body) })
}

// Get repeats until there is a reader. Reading it fails after a silence of
// Timeout.
func (r *retrying) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	var out io.ReadCloser
	err := r.attempts(ctx, func() error {
		one, w := watch(ctx, r.cfg.Timeout)
		in, err := r.inner.Get(one, name, offset, length)
		if err != nil {
			w.stop()
			return w.blame(ctx, err)
		}
		out = &watched{ReadCloser: in, w: w, blame: func(err error) error { return w.blame(ctx, err) }}
		return nil
	})
	return out, err
}

// List repeats only while each has not been called, so that nothing is told
// twice.
func (r *retrying) List(ctx context.Context, prefix string, each func(Object) error) error {
	told := false
	var result error
	err := r.attempts(ctx, func() error {
		one, w := watch(ctx, r.cfg.Timeout)
		defer w.stop()
		result = w.blame(ctx, r.inner.List(one, prefix, func(o Object) error {
			told = true
			w.alive()
			return each(o)
		}))
		if told {
			return nil
		}
		return result
	})
	if told {
		return result
	}
	return err
}

func (r *retrying) Delete(ctx context.Context, name string) error {
	return r.again(ctx, 0, func(ctx context.Context) error { return r.inner.Delete(ctx, name) })
}

// again gives each try a time of its own, by what it has to carry.
func (r *retrying) again(ctx context.Context, size int64, try func(context.Context) error) error {
	limit := r.cfg.Timeout + time.Duration(size/max(r.cfg.Slowest, 1))*time.Second
	return r.attempts(ctx, func() error {
		one, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		err := try(one)
		if ended(one, err) && ctx.Err() == nil {
			return Unavailable(err)
		}
		return err
	})
}

func (r *retrying) attempts(ctx context.Context, try func() error) error {
	wait := r.cfg.First
	for n := 1; ; n++ {
		err := try()
		if err == nil || !Passing(err) || n >= r.cfg.Attempts {
			return err
		}
		if Pause(ctx, jitter(wait)) != nil {
			return err
		}
		wait = min(2*wait, r.cfg.Most)
	}
}

// Pause waits for d, or until the context ends, and then gives its error.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// jitter gives a random time between half of d and d, so that many shops that
// lost the same cloud do not come back to it as one.
func jitter(d time.Duration) time.Duration {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails (crypto/rand)
	half := uint64(max(d/2, 1))
	return d/2 + time.Duration(binary.LittleEndian.Uint64(raw[:])%half)
}
