package postgres

import (
	"log/slog"
	"sync"

	"panshi/internal/db"
)

// waker calls the wake-ups of committed transactions and posts their messages
// in a goroutine of its own: they may take locks that the caller of Update holds.
type waker struct {
	logger *slog.Logger
	post   func([]db.Message)
	queue  chan *db.Tx
	done   chan struct{}

	mu     sync.RWMutex // held while sending, so that close finds none
	closed bool         // guarded by mu
}

func newWaker(logger *slog.Logger, post func([]db.Message)) *waker {
	w := &waker{logger: logger, post: post, queue: make(chan *db.Tx, 1024), done: make(chan struct{})}
	go w.loop()
	return w
}

// committed hands a transaction over; it is false if the queue is full and
// its wake-ups are dropped, which a hint may be.
func (w *waker) committed(tx *db.Tx) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return false
	}
	select {
	case w.queue <- tx:
		return true
	default:
		return false
	}
}

func (w *waker) loop() {
	defer close(w.done)
	for tx := range w.queue {
		w.wake(tx)
	}
}

func (w *waker) wake(tx *db.Tx) {
	defer func() {
		if p := recover(); p != nil {
			w.logger.Error("db: a wake-up panicked", slog.Any("panic", p))
		}
	}()
	tx.Committed()
	w.post(tx.Told())
}

// close calls what is queued and ends the goroutine.
func (w *waker) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.done
}
