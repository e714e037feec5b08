package mirror_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
)

// locking notes until when each object is to be locked.
type locking struct {
	backup.Destination

	mu    sync.Mutex
	until map[string]time.Time // guarded by mu
}

func (l *locking) Put(ctx context.Context, name string, body backup.Body) error {
	l.mu.Lock()
	l.until[name] = body.LockedUntil
	l.mu.Unlock()
	return l.Destination.Put(ctx, name, body)
}

// What is left when everything without a lock is gone must be enough for a
// restore: a whole copy, what follows in compacted form, and the keys.
func TestWhatARestoreNeedsIsLocked(t *testing.T) {
	inBubble(t, []string{"a"}, func(t *testing.T, w *world) {
		seen := &locking{Destination: w.cfg.Targets[0].Dest, until: map[string]time.Time{}}
		w.cfg.Targets[0].Dest, w.cfg.Targets[0].LockFor = seen, 30*24*time.Hour
		const box = "box/keys/0000000000000001-0000000000001"
		w.write(box, []byte("keys"))
		first := w.segment()
		full := w.full()
		second := w.segment()
		w.start()
		w.pass(time.Minute)
		seen.mu.Lock()
		defer seen.mu.Unlock()
		for _, name := range []string{box, first, full} {
			require.False(t, seen.until[name].IsZero(), name)
		}
		require.Contains(t, seen.until, second)
		require.Zero(t, seen.until[second], "too many, and short-lived")
	})
}
