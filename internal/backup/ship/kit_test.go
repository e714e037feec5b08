package ship_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/schedule"
	"panshi/internal/backup/ship"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
)

// shop is a data directory with a spool beside it.
type shop struct {
	t      testing.TB
	data   string
	cipher tink.StreamingAEAD
	cfg    ship.Config
	hasty  bool // the log starts over often
	clock  clock.Clock

	needed func(spool.File) bool
	passed func(path string) // looks at a restore that passes restore.Target.Via

	ship *ship.Shipper
	db   *sqlite.DB
}

func newShop(t testing.TB) *shop {
	t.Helper()
	cfg := ship.Defaults()
	cfg.Interval = 100 * time.Millisecond
	dir := t.TempDir()
	cfg.Spool = filepath.Join(dir, "spool")
	return &shop{t: t, data: filepath.Join(dir, "data"), cipher: backuptest.Cipher(t), cfg: cfg, clock: clock.System{}, needed: func(spool.File) bool { return false }}
}

// at is the same spool and keys with another data directory.
func (s *shop) at(data string) *shop {
	return &shop{t: s.t, data: data, cipher: s.cipher, cfg: s.cfg, clock: s.clock, needed: s.needed}
}

func (s *shop) path() string { return filepath.Join(s.data, sqlite.FileName) }

// open starts shipping as the program does.
func (s *shop) open() {
	s.t.Helper()
	s.ship = ship.New(s.cfg, s.data, s.path(), s.needed, s.clock, slog.New(slog.DiscardHandler))
	if s.hasty {
		s.ship.Hasten()
	}
	var err error
	s.db, err = sqlite.Open(s.t.Context(), sqlite.Config{Dir: s.data, Checkpointer: s.ship})
	require.NoError(s.t, err)
	require.NoError(s.t, s.ship.Start(s.t.Context(), s.cipher, schedule.NewDaily("a shop", time.UTC)))
}

func (s *shop) close() {
	s.t.Helper()
	require.NoError(s.t, s.db.Close())
	require.NoError(s.t, s.ship.Close())
}

// write commits n leases, whose names begin with prefix.
func (s *shop) write(prefix string, n int) {
	s.t.Helper()
	for i := range n {
		require.NoError(s.t, s.db.Update(s.t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO leases (name, holder, fence, until_ms) VALUES ($1, $2, 1, 1)`, fmt.Sprintf("%s %d", prefix, i), prefix)
			return err
		}))
	}
}

// shipped waits until everything is in the spool.
func (s *shop) shipped() ship.Status {
	s.t.Helper()
	var status ship.Status
	require.Eventually(s.t, func() bool {
		var err error
		status, err = s.ship.Status(s.t.Context())
		require.NoError(s.t, err)
		return status.Lag == 0 && !status.ShippedAt.IsZero()
	}, 10*time.Second, 5*time.Millisecond)
	require.Empty(s.t, status.Failure)
	return status
}

// names reads what write wrote.
func names(t testing.TB, d db.DB) (all []string) {
	t.Helper()
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) (err error) {
		all, err = db.Collect(tx, func(rows db.Rows) (name string, err error) {
			return name, rows.Scan(&name)
		}, `SELECT name FROM leases ORDER BY name`)
		return err
	}))
	return all
}

// restored restores from the spool into a new directory and reads it.
func (s *shop) restored(want restore.Target) (string, []string) {
	s.t.Helper()
	dir := s.t.TempDir()
	_, err := s.tryRestore(want, filepath.Join(dir, sqlite.FileName))
	require.NoError(s.t, err)
	d, err := sqlite.Open(s.t.Context(), sqlite.Config{Dir: dir})
	require.NoError(s.t, err)
	defer func() { require.NoError(s.t, d.Close()) }()
	return dir, names(s.t, d)
}

func (s *shop) tryRestore(want restore.Target, path string) (restore.Plan, error) {
	s.t.Helper()
	ctx := context.WithoutCancel(s.t.Context())
	source, err := spool.Open(s.cfg.Spool, s.cipher)
	require.NoError(s.t, err)
	r := restore.New(source, s.cipher, func(string, int64, int64) {})
	plan, err := r.Plan(ctx, want)
	if err != nil {
		return plan, err
	}
	if err := r.Prove(ctx, plan); err != nil {
		return plan, err
	}
	return plan, r.ApplyVia(ctx, plan, path, func() error {
		s.passed(path)
		return nil
	})
}
