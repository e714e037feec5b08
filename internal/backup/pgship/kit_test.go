package pgship_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/pgship"
	"panshi/internal/backup/pgwal"
	"panshi/internal/backup/ship"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/db/dbtest"
)

// world is a server and the spool that it is shipped to.
type world struct {
	t      *testing.T
	node   *dbtest.Node
	cfg    pgship.Config
	cipher tink.StreamingAEAD
	ship   *pgship.Shipper
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, node: dbtest.NewNode(t), cipher: backuptest.Cipher(t)}
	settings := pgship.DefaultSettings()
	w.cfg = pgship.Config{Config: ship.Defaults(), URL: w.node.URL("postgres"), Slot: settings.Slot, SlotMax: settings.SlotMax, Database: "postgres", Role: "panshi"}
	w.cfg.Spool, w.cfg.Interval = filepath.Join(t.TempDir(), "spool"), 100*time.Millisecond
	w.exec("CREATE TABLE sold (n bigint PRIMARY KEY, what text)")
	return w
}

func (w *world) start() {
	w.t.Helper()
	var to io.Writer = io.Discard
	if testing.Verbose() {
		to = os.Stderr
	}
	w.ship = pgship.New(w.cfg, func(spool.File) bool { return false }, clock.System{}, slog.New(slog.NewTextHandler(to, nil)))
	require.NoError(w.t, w.ship.Start(context.Background(), w.cipher))
	w.t.Cleanup(w.close)
}

func (w *world) close() {
	if w.ship != nil {
		require.NoError(w.t, w.ship.Close())
		w.ship = nil
	}
}

func (w *world) exec(statements ...string) {
	w.t.Helper()
	require.NoError(w.t, w.node.Exec("postgres", statements...))
}

func (w *world) sell(from, to int) {
	w.t.Helper()
	w.exec(fmt.Sprintf("INSERT INTO sold SELECT n, repeat(md5(n::text), 10) FROM generate_series(%d, %d) n", from, to))
}

// settled waits until the spool has what the server has now, and a base.
func (w *world) settled() {
	w.t.Helper()
	end := w.text("SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text")
	w.until(func() bool { return w.ship.Transaction() >= parse(w.t, end) && len(w.bases()) > 0 }, "the spool has what the server has")
}

func (w *world) until(done func() bool, what string) {
	w.t.Helper()
	require.Eventually(w.t, done, 30*time.Second, 20*time.Millisecond, what)
}

func (w *world) text(query string) string {
	w.t.Helper()
	text, err := w.node.Text("postgres", query)
	require.NoError(w.t, err)
	return text
}

// bases are the whole files of the generation that is shipped.
func (w *world) bases() []spool.File {
	return w.ship.Spool().Level(w.status().Generation, spool.SnapshotLevel, 0)
}

func (w *world) status() ship.Status {
	w.t.Helper()
	status, err := w.ship.Status(context.Background())
	require.NoError(w.t, err)
	return status
}

// unbroken reads every file of a generation: each is what its name says, and
// the pieces follow each other.
func (w *world) unbroken(generation string) {
	w.t.Helper()
	for _, level := range []int{pgwal.LevelPiece, pgwal.LevelMerged} {
		var last spool.File
		for _, f := range w.ship.Spool().Level(generation, level, 0) {
			require.True(w.t, last.Last == 0 || f.First == last.Last+1, "%s after %s", f.Name, last.Name)
			w.fits(f)
			last = f
		}
	}
	for _, f := range w.ship.Spool().Level(generation, spool.SnapshotLevel, 0) {
		w.fits(f)
	}
}

func (w *world) fits(f spool.File) {
	w.t.Helper()
	content, err := w.ship.Spool().Read(context.Background(), f.Name)
	require.NoError(w.t, err)
	r, err := pgwal.NewReader(content)
	require.NoError(w.t, err)
	bytes := uint64(0)
	for {
		data, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(w.t, err)
		bytes += uint64(len(data))
	}
	end, err := r.End()
	require.NoError(w.t, err)
	require.NoError(w.t, pgwal.Fits(f, r.Head, end, bytes), f.Name)
	require.NoError(w.t, content.Close())
}

func parse(t *testing.T, number string) uint64 {
	t.Helper()
	var n uint64
	_, err := fmt.Sscan(number, &n)
	require.NoError(t, err)
	return n
}
