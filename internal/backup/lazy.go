package backup

import (
	"context"
	"io"
	"sync"
)

// Lazy is a destination that is opened by its first call, and again by the next
// one after that failed: a disk that is not plugged in yet, or a mount that
// comes later, must not keep a shop from starting. An error of open is the
// call's.
func Lazy(open func() (Destination, error)) Destination { return &lazy{open: open} }

type lazy struct {
	open func() (Destination, error)

	mu     sync.Mutex
	opened Destination // guarded by mu; nil until open succeeded
}

func (l *lazy) get() (Destination, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.opened != nil {
		return l.opened, nil
	}
	d, err := l.open()
	if err != nil {
		return nil, err
	}
	l.opened = d
	return d, nil
}

func (l *lazy) Put(ctx context.Context, name string, body Body) error {
	d, err := l.get()
	if err != nil {
		return err
	}
	return d.Put(ctx, name, body)
}

func (l *lazy) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	d, err := l.get()
	if err != nil {
		return nil, err
	}
	return d.Get(ctx, name, offset, length)
}

func (l *lazy) List(ctx context.Context, prefix string, each func(Object) error) error {
	d, err := l.get()
	if err != nil {
		return err
	}
	return d.List(ctx, prefix, each)
}

func (l *lazy) Delete(ctx context.Context, name string) error {
	d, err := l.get()
	if err != nil {
		return err
	}
	return d.Delete(ctx, name)
}
