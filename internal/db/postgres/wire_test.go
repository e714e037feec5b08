package postgres_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
)

// wire stands between a client and its server, and cuts the connection when
// the client says a word: before the server hears it, or after the server
// has answered it.
type wire struct {
	server string
	word   []byte
	late   bool
	armed  atomic.Bool
	all    sync.WaitGroup
}

// cut opens the database through a wire.
func cut(t *testing.T, word string, late bool) (*wire, *postgres.DB) {
	url := dbtest.EmptyPostgres(t)
	_, rest, _ := strings.Cut(url, "host=")
	host, rest, _ := strings.Cut(rest, " ")
	dir := t.TempDir()
	w := &wire{server: filepath.Join(host, ".s.PGSQL.5432"), word: []byte(word), late: late}
	l, err := new(net.ListenConfig).Listen(context.Background(), "unix", filepath.Join(dir, ".s.PGSQL.5432"))
	require.NoError(t, err)
	w.all.Go(func() { w.accept(l) })
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		w.all.Wait()
	})
	d, err := postgres.Open(context.Background(), postgres.Config{URL: "host=" + dir + " " + rest, Migrations: schema(tables)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return w, d
}

func (w *wire) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := new(net.Dialer).DialContext(context.Background(), "unix", w.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		var said atomic.Bool
		w.all.Go(func() { w.upstream(client, server, &said) })
		w.all.Go(func() { w.downstream(client, server, &said) })
	}
}

func (w *wire) upstream(client, server net.Conn, said *atomic.Bool) {
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], w.word) && w.armed.CompareAndSwap(true, false) {
			if !w.late {
				_ = client.Close()
				return
			}
			said.Store(true)
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (w *wire) downstream(client, server net.Conn, said *atomic.Bool) {
	defer client.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil || said.Load() {
			return // the server did it, and the client never hears
		}
		if _, err := io.Copy(client, bytes.NewReader(buf[:n])); err != nil {
			return
		}
	}
}

func TestLostDuringCommitIsUnknown(t *testing.T) {
	for name, late := range map[string]bool{"not persisted": false, "persisted": true} {
		t.Run(name, func(t *testing.T) {
			w, d := cut(t, "COMMIT\x00", late) // not READ COMMITTED
			runs := 0
			w.armed.Store(true)
			err := update(d, func(tx *db.Tx) error { runs++; return put(tx, 7) })
			require.ErrorIs(t, err, db.ErrUnknown)
			require.Equal(t, 1, runs, "what may have been kept never runs again by itself")
			want := int64(0)
			if late {
				want = 1
			}
			require.Equal(t, want, number(t, d, `SELECT count(*) FROM item WHERE k = 7`))
			require.EqualValues(t, 1, d.Stats().Unknown)
		})
	}
}

func TestLostBeforeCommitRunsAgain(t *testing.T) {
	for name, late := range map[string]bool{"unheard": false, "unanswered": true} {
		t.Run(name, func(t *testing.T) {
			w, d := cut(t, "BEGIN", late)
			runs := 0
			w.armed.Store(true)
			require.NoError(t, update(d, func(tx *db.Tx) error { runs++; return put(tx, 7) }))
			require.Equal(t, 2, runs)
			require.EqualValues(t, 1, number(t, d, `SELECT count(*) FROM item WHERE k = 7`))
		})
	}
}

// TestKilledBackend has the server end the connection inside the closure, for
// an Update and for a View.
func TestKilledBackend(t *testing.T) {
	d := own(t, tables)
	for name, door := range map[string]func(context.Context, func(*db.Tx) error) error{"update": d.Update, "view": d.View} {
		runs := 0
		require.NoError(t, door(context.Background(), func(tx *db.Tx) error {
			runs++
			if runs == 1 {
				_ = tx.Get([]any{new(int64)}, `SELECT CASE WHEN pg_terminate_backend(pg_backend_pid()) THEN 1 ELSE 0 END`)
			}
			return tx.Get([]any{new(int64)}, `SELECT count(*) FROM item`)
		}), name)
		require.Equal(t, 2, runs, name)
	}
}

// TestWarningAtCommit: a server that stops waiting for its standby commits
// with a warning.
func TestWarningAtCommit(t *testing.T) {
	d := own(t, tables+`
		CREATE FUNCTION warn() RETURNS TRIGGER LANGUAGE plpgsql AS $$
		BEGIN RAISE WARNING 'canceling the wait'; RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER late AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION warn();`)
	require.ErrorIs(t, update(d, func(tx *db.Tx) error { return put(tx, 7) }), db.ErrUnknown)
	require.EqualValues(t, 1, number(t, d, `SELECT count(*) FROM item WHERE k = 7`))
	require.NoError(t, update(d, func(tx *db.Tx) error { return add(tx, 1) }), "it is forgotten by then")
}
