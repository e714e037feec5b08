package replica

import (
	"context"
	"sync"
	"time"

	"panshi/internal/db"
)

// lookTime bounds one look at one server: one that hangs must not keep the
// others unwatched.
const lookTime = time.Second

// note says where the primary's log stood after a moment: whoever has replayed
// up to there shows all that was committed before it.
type note struct {
	at       time.Time
	position int64
}

// notesKept bounds the notes: with one every 200 ms about an hour, so that the
// lag of a replica that is far behind is still known.
const notesKept = 18_000

// watcher measures how far the replicas are behind. It belongs to one
// goroutine.
type watcher struct {
	db       *DB
	identity string // of the primary's data: a replica of another shop is none
	notes    []note // oldest first; the positions do not fall
}

// loop looks until ctx ends.
func (w *watcher) loop(ctx context.Context) {
	tick := time.NewTicker(w.db.cfg.Every)
	defer tick.Stop()
	for {
		w.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look takes one note of the primary and compares every replica with all notes.
func (w *watcher) look(ctx context.Context) {
	at := w.db.cfg.Clock.Now()
	if identity, position, err := where(ctx, w.db.Primary, `pg_current_wal_flush_lsn()`); err == nil {
		w.add(identity, note{at, position})
	}
	var all sync.WaitGroup
	for _, f := range w.db.replicas {
		all.Go(func() { w.compare(ctx, f) })
	}
	all.Wait()
}

func (w *watcher) add(identity string, n note) {
	if len(w.notes) > 0 && n.position < w.notes[len(w.notes)-1].position || identity != w.identity {
		w.notes = nil // another server has taken the primary's place
	}
	w.identity = identity
	w.notes = append(w.notes, n)
	if len(w.notes) > notesKept {
		w.notes = append([]note(nil), w.notes[notesKept/2:]...)
	}
}

// compare finds the newest note that a replica has reached.
func (w *watcher) compare(ctx context.Context, f *follower) {
	identity, position, err := where(ctx, f.DB, `pg_last_wal_replay_lsn()`)
	if err != nil || identity != w.identity {
		f.usable.Store(false)
		return
	}
	for i := len(w.notes) - 1; i >= 0; i-- {
		if n := w.notes[i]; n.position <= position {
			f.asOf.Store(max(f.asOf.Load(), n.at.UnixNano()))
			f.usable.Store(true)
			return
		}
	}
	f.usable.Store(false)
}

// where reads whose data a server has and where its log stands, in bytes; -1 on
// a server that follows nobody.
func where(ctx context.Context, d db.DB, function string) (identity string, position int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	err = d.View(ctx, func(tx *db.Tx) error {
		return tx.Get([]any{&identity, &position}, `SELECT system_identifier::text, COALESCE((`+function+` - '0/0'::pg_lsn)::bigint, -1)
			FROM pg_control_system()`)
	})
	return identity, position, err
}
