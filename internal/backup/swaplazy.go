package backup

import "context"

// LazySwapper is Lazy for a destination that swaps. Code backup_no_swap: the one
// that was opened cannot.
func LazySwapper(open func() (Destination, error)) Swapper {
	return &lazySwapper{&lazy{open: open}}
}

type lazySwapper struct{ *lazy }

func (l *lazySwapper) get() (Swapper, error) {
	d, err := l.lazy.get()
	if err != nil {
		return nil, err
	}
	s, ok := d.(Swapper)
	if !ok {
		return nil, NoSwap()
	}
	return s, nil
}

// Load implements Swapper.
func (l *lazySwapper) Load(ctx context.Context, name string) ([]byte, string, error) {
	s, err := l.get()
	if err != nil {
		return nil, "", err
	}
	return s.Load(ctx, name)
}

// Swap implements Swapper.
func (l *lazySwapper) Swap(ctx context.Context, name, was string, content []byte) (string, error) {
	s, err := l.get()
	if err != nil {
		return "", err
	}
	return s.Swap(ctx, name, was, content)
}
