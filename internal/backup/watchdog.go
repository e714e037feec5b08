package backup

import (
	"context"
	"errors"
	"io"
	"time"
)

// watchdog ends a call that is silent for too long.
type watchdog struct {
	timer   *time.Timer
	silence time.Duration
	ctx     context.Context //nolint:containedctx // the call's own, to tell who ended it
	cancel  context.CancelFunc
}

// watch gives a context that ends after a silence.
func watch(ctx context.Context, silence time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancel(ctx)
	return ctx, &watchdog{timer: time.AfterFunc(silence, cancel), silence: silence, ctx: ctx, cancel: cancel}
}

// alive says that something came.
func (w *watchdog) alive() { w.timer.Reset(w.silence) }

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel()
}

// blame turns an error that comes from the watchdog into one of the destination:
// the caller's own context stands.
func (w *watchdog) blame(caller context.Context, err error) error {
	if err != nil && w.ctx.Err() != nil && caller.Err() == nil && !hasCode(err) {
		return Unavailable(err)
	}
	return err
}

// watched is a reader under a watchdog.
type watched struct {
	io.ReadCloser
	w     *watchdog
	blame func(error) error
}

func (r *watched) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.w.alive()
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.blame(err)
	}
	return n, err
}

// Close ends the call first and its context then: a destination may end the
// connection of a call whose context ends before it was closed.
func (r *watched) Close() error {
	defer r.w.stop()
	return r.ReadCloser.Close()
}
