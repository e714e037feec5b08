package migrate_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
	"panshi/internal/bulk"
	"panshi/internal/check"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
	"panshi/internal/db/sqlite"
	"panshi/internal/db/transfer"
	"panshi/internal/migrate"
	"panshi/internal/vault"
)

// orders is the size of the shop that goes there and back.
const orders = 100_000

// TestMoveThereAndBack moves a shop of 100,000 orders to PostgreSQL and on to
// a new data directory. It is sound at each place, and at the end it is, row by
// row, the one that left.
func TestMoveThereAndBack(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm") // what a disk loses is not asked here
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // millions of rows pass by: an eighth of the time
	home, next, url := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), "next"), dbtest.EmptyPostgres(t)
	lap := laps(t)
	fill(t, home, bulk.Size{Orders: orders, CardsPerSKU: 500})
	lap("filled")

	there, err := migrate.Run(t.Context(), request(t, home, url, home))
	require.NoError(t, err)
	require.True(t, there.Moved)
	require.Greater(t, there.Rows, int64(11*orders))
	lap("moved there")
	server, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	require.NoError(t, err)
	requireSound(t, server)
	require.NoError(t, server.Close())
	lap("checked there")

	r := request(t, url, next, home)
	r.CopyKeys = true
	back, err := migrate.Run(t.Context(), r)
	require.NoError(t, err)
	require.True(t, back.Moved)
	lap("moved back")
	d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: next})
	require.NoError(t, err)
	requireSound(t, d)
	require.NoError(t, d.Close())
	lap("checked back")

	require.Len(t, back.Tables, len(there.Tables))
	for i, first := range there.Tables {
		require.Equal(t, first.Table, back.Tables[i].Table)
		require.Equal(t, first.Source, back.Tables[i].Destination, first.Table)
	}
	s, err := app.OpenLocal(t.Context(), config(t, next), slog.New(slog.DiscardHandler))
	require.NoError(t, err, "the new place is served")
	require.NoError(t, s.Close())
	_, err = app.OpenLocal(t.Context(), config(t, home), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "this shop moved to postgres://")
}

func laps(t *testing.T) func(string) {
	t.Helper()
	last := time.Now()
	return func(what string) {
		now := time.Now()
		t.Logf("%s in %s", what, now.Sub(last).Round(time.Millisecond))
		last = now
	}
}

func config(t *testing.T, dir string) app.Config {
	t.Helper()
	cfg, err := app.Load(app.Flags{Data: dir})
	require.NoError(t, err)
	return cfg
}

// fill makes a shop with keys in a data directory.
func fill(t *testing.T, dir string, size bulk.Size) bulk.Shop {
	t.Helper()
	v, err := vault.Create(vault.DefaultConfig(dir))
	require.NoError(t, err)
	d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	require.NoError(t, err)
	shop, err := bulk.Fill(t.Context(), d, v, size)
	require.NoError(t, err)
	require.NoError(t, d.Close())
	return shop
}

func place(t *testing.T, text string) migrate.Place {
	t.Helper()
	p, err := migrate.ParsePlace("place", text)
	require.NoError(t, err)
	return p
}

func request(t *testing.T, from, to, data string) migrate.Request {
	t.Helper()
	return migrate.Request{
		From: place(t, from), To: place(t, to), Data: data, Keys: vault.DefaultConfig(data),
		Log: slog.New(slog.DiscardHandler), Progress: func(transfer.Progress) {},
	}
}

func requireSound(t *testing.T, d db.DB) {
	t.Helper()
	report, err := check.Run(context.WithoutCancel(t.Context()), d, app.Invariants(), func(string, int, int) {})
	require.NoError(t, err)
	for _, r := range report.Results {
		require.Empty(t, r.Violations, r.Name)
	}
	require.Greater(t, len(report.Results), 30)
}
