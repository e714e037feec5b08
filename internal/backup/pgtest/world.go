// Package pgtest is what tests of a PostgreSQL shop's backup share: a server of
// its own that is shipped into a spool. Nothing but tests imports it.
package pgtest

import (
	"context"
	"errors"
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
	"panshi/internal/backup/schedule"
	"panshi/internal/backup/ship"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/db/dbtest"
)

// World is a server and the spool that it is shipped to.
type World struct {
	Node   *dbtest.Node
	Config pgship.Config
	Cipher tink.StreamingAEAD
	Clock  clock.Clock
	Ship   *pgship.Shipper // nil while nothing ships

	t *testing.T
}

// New starts a server with a table of what was sold; nothing ships yet.
func New(t *testing.T) *World {
	t.Helper()
	w := &World{t: t, Node: dbtest.NewNode(t), Cipher: backuptest.Cipher(t), Clock: clock.System{}}
	w.Config = pgship.Config{Config: ship.Defaults(), Settings: pgship.Defaults(), URL: w.Node.URL("postgres"), Database: "postgres", Role: "panshi"}
	w.Config.Spool, w.Config.Interval = filepath.Join(t.TempDir(), "spool"), 100*time.Millisecond
	w.Exec("CREATE TABLE sold (n bigint PRIMARY KEY, what text)")
	return w
}

// Daily is the moment of a shop's daily base.
func Daily() schedule.Daily { return schedule.NewDaily("a shop", time.UTC) }

// Start begins to ship; it ends with the test, or with Close.
func (w *World) Start() {
	w.t.Helper()
	to := io.Discard
	if testing.Verbose() {
		to = os.Stderr
	}
	w.Ship = pgship.New(w.Config, func(spool.File) bool { return false }, w.Clock, slog.New(slog.NewTextHandler(to, nil)))
	require.NoError(w.t, w.Ship.Start(context.Background(), w.Cipher, Daily()))
	w.t.Cleanup(w.Close)
}

// Close ends shipping, if it runs.
func (w *World) Close() {
	if w.Ship != nil {
		require.NoError(w.t, w.Ship.Close())
		w.Ship = nil
	}
}

// Exec runs statements.
func (w *World) Exec(statements ...string) {
	w.t.Helper()
	require.NoError(w.t, w.Node.Exec("postgres", statements...))
}

// Sell writes some rows of sold, in one commit.
func (w *World) Sell(from, to int) {
	w.t.Helper()
	w.Exec(fmt.Sprintf("INSERT INTO sold SELECT n, repeat(md5(n::text), 10) FROM generate_series(%d, %d) n", from, to))
}

// Settled waits until the spool has what the server has now, and a base.
func (w *World) Settled() {
	w.t.Helper()
	end := w.Text("SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::text")
	w.Until(func() bool { return w.Ship.Transaction() >= Parse(w.t, end) && len(w.Bases()) > 0 }, "the spool has what the server has")
}

// Until waits until something is so.
func (w *World) Until(done func() bool, what string) {
	w.t.Helper()
	require.Eventually(w.t, done, 30*time.Second, 20*time.Millisecond, what)
}

// Text asks the server for one text.
func (w *World) Text(query string) string {
	w.t.Helper()
	text, err := w.Node.Text("postgres", query)
	require.NoError(w.t, err)
	return text
}

// Bases are the whole files of the generation that is shipped.
func (w *World) Bases() []spool.File {
	return w.Ship.Spool().Level(w.Status().Generation, spool.SnapshotLevel, 0)
}

// Status is that of the shipper.
func (w *World) Status() ship.Status {
	w.t.Helper()
	status, err := w.Ship.Status(context.Background())
	require.NoError(w.t, err)
	return status
}

// Unbroken reads every file of a generation: each is what its name says, and
// the pieces follow each other.
func (w *World) Unbroken(generation string) {
	w.t.Helper()
	for _, level := range []int{pgwal.LevelPiece, pgwal.LevelMerged} {
		var last spool.File
		for _, f := range w.Ship.Spool().Level(generation, level, 0) {
			require.True(w.t, last.Last == 0 || f.First == last.Last+1, "%s after %s", f.Name, last.Name)
			w.fits(f)
			last = f
		}
	}
	for _, f := range w.Ship.Spool().Level(generation, spool.SnapshotLevel, 0) {
		w.fits(f)
	}
}

func (w *World) fits(f spool.File) {
	w.t.Helper()
	content, err := w.Ship.Spool().Read(context.Background(), f.Name)
	require.NoError(w.t, err)
	r, err := pgwal.NewReader(content)
	require.NoError(w.t, err)
	bytes := uint64(0)
	for {
		data, err := r.Next()
		if errors.Is(err, io.EOF) {
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

// Parse reads a number.
func Parse(t *testing.T, number string) uint64 {
	t.Helper()
	var n uint64
	_, err := fmt.Sscan(number, &n)
	require.NoError(t, err)
	return n
}
