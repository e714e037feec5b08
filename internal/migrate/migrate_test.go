package migrate_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
	"panshi/internal/bulk"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
	"panshi/internal/db/sqlite"
	"panshi/internal/db/transfer"
	"panshi/internal/errs"
	"panshi/internal/migrate"
	"panshi/internal/vault"
)

// small is a shop with something of everything.
func small(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "shop")
	fill(t, dir, bulk.Size{Orders: 150, SKUs: 2, CardsPerSKU: 2})
	return dir
}

// refused runs a move that must not be made, and tells why it was not.
func refused(t *testing.T, r migrate.Request, code string) (msg string) {
	t.Helper()
	report, err := migrate.Run(t.Context(), r)
	require.Equal(t, code, errs.CodeOf(err), "%v", err)
	require.False(t, report.Moved)
	return err.Error()
}

func exec(t *testing.T, d db.DB, query string) {
	t.Helper()
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(query)
		return err
	}))
}

func TestRunningShopIsNotMoved(t *testing.T) {
	home, url := small(t), dbtest.EmptyPostgres(t)
	lock, err := db.LockDir(home)
	require.NoError(t, err)
	require.Contains(t, refused(t, request(t, home, url, home), "data_dir_locked"), "stop it, move, start it")
	require.NoError(t, lock.Close())

	// A shop elsewhere that serves the same database.
	other, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	require.NoError(t, err)
	require.Contains(t, refused(t, request(t, home, url, home), "database_in_use"), "panshi at this machine")
	exec(t, other, `INSERT INTO merchants (id, slug, name, currency, status, created_at, updated_at)
		VALUES ('\x01', 'theirs', 'Theirs', 'CNY', 'open', 1, 1)`)
	require.NoError(t, other.Close())
	refused(t, request(t, home, url, home), "destination_not_empty")
	requireSoundDir(t, home)
}

func requireSoundDir(t *testing.T, dir string) {
	t.Helper()
	d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	require.NoError(t, err)
	requireSound(t, d)
	require.NoError(t, d.Close())
}

// TestNoShopWithoutItsKeys: a shop never comes to a place that could not open
// its cards.
func TestNoShopWithoutItsKeys(t *testing.T) {
	home, next := small(t), filepath.Join(t.TempDir(), "next")
	r := request(t, home, next, home)
	require.Contains(t, refused(t, r, "keys_needed"), "--copy-keys")
	require.NoFileExists(t, filepath.Join(next, sqlite.FileName), "nothing was made")

	_, err := vault.Create(vault.DefaultConfig(next))
	require.NoError(t, err)
	refused(t, r, "keys_of_another_shop")
	r.CopyKeys = true
	refused(t, r, "keys_of_another_shop")
	require.NoError(t, os.RemoveAll(next))
	require.NoError(t, os.Remove(next+".key"))

	hidden := home + ".hidden"
	require.NoError(t, os.Rename(home+".key", hidden))
	require.Contains(t, refused(t, r, "vault_key_missing"), "--data")
	require.NoError(t, os.Rename(hidden, home+".key"))
	require.NoError(t, os.RemoveAll(next))

	r.DryRun = true
	plan, err := migrate.Run(t.Context(), r)
	require.NoError(t, err)
	require.NoDirExists(t, next)
	require.Contains(t, plan.Keys, "would be copied")
	require.Greater(t, plan.Rows, int64(150*11))

	r.DryRun = false
	report, err := migrate.Run(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, plan.Rows, report.Rows)
	require.Contains(t, report.Keys, "copied to "+next)
	_, err = vault.Open(vault.DefaultConfig(next))
	require.NoError(t, err)
	requireSoundDir(t, next)
}

// TestDamagedCopyIsNotServed changes one amount on the server when the last
// row has come and nothing is verified yet.
func TestDamagedCopyIsNotServed(t *testing.T) {
	home, url := small(t), dbtest.EmptyPostgres(t)
	r, damaged := request(t, home, url, home), false
	r.Progress = func(p transfer.Progress) {
		if damaged || p.Verifying || p.Done < p.Total {
			return
		}
		damaged = true
		server, err := postgres.Open(t.Context(), postgres.Config{URL: url})
		require.NoError(t, err)
		exec(t, server, `UPDATE payments SET amount = amount + 1 WHERE id = (SELECT MAX(id::text)::bytea FROM payments)`)
		require.NoError(t, server.Close())
	}
	report, err := migrate.Run(t.Context(), r)
	require.ErrorIs(t, err, transfer.ErrDiffers)
	require.Equal(t, errs.Integrity, errs.KindOf(err))
	require.False(t, report.Moved)
	for _, table := range report.Tables {
		require.Equal(t, table.Table != "payments", table.Same, table.Table)
		if !table.Same {
			require.Regexp(t, `^row [0-9a-f]{32} differs in amount$`, table.Difference)
			require.NotEqual(t, table.Source.Sums["amount"], table.Destination.Sums["amount"])
			require.Equal(t, table.Source.Sums["received"], table.Destination.Sums["received"])
		}
	}
	_, err = app.OpenLocal(t.Context(), config(t, home), slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "a move of this shop to postgres://")
	server, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	require.NoError(t, err)
	require.Equal(t, "move_unfinished", errs.CodeOf(transfer.Servable(t.Context(), server)))
	require.NoError(t, server.Close())
}

// TestOldPlaceOpensAgain gives a move up after it was made, and makes it anew.
func TestOldPlaceOpensAgain(t *testing.T) {
	home := small(t)
	for range 2 {
		r := request(t, home, dbtest.EmptyPostgres(t), home)
		report, err := migrate.Run(t.Context(), r)
		require.NoError(t, err)
		require.Contains(t, report.Keys, "stay in "+home)
		refused(t, r, "shop_moved")
		where, err := migrate.Reopen(t.Context(), r)
		require.NoError(t, err)
		require.Equal(t, r.To.String(), where)
	}
	where, err := migrate.Reopen(t.Context(), request(t, home, home, home))
	require.NoError(t, err)
	require.Empty(t, where)
}

func TestNewerShopIsNotMoved(t *testing.T) {
	home := small(t)
	d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: home})
	require.NoError(t, err)
	exec(t, d, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
	require.NoError(t, d.Close())
	refused(t, request(t, home, dbtest.EmptyPostgres(t), home), "database_newer")
}

func TestPlaces(t *testing.T) {
	home := small(t)
	refused(t, request(t, home, home+"/.", home), "invalid_value")
	refused(t, request(t, filepath.Join(home, "none"), home, home), "no_shop")
	require.NoDirExists(t, filepath.Join(home, "none"))
	for text, shown := range map[string]string{
		"postgres://me:secret@db.example:5433/shop?sslmode=disable": "postgres://db.example:5433/shop",
		"postgresql:///shop?host=/run/postgresql&password=secret":   "postgres:///run/postgresql/shop",
		"host=db.example dbname=shop user=me password=secret":       "postgres://db.example:5432/shop",
		"./shop/": "shop",
	} {
		p := place(t, text)
		require.Equal(t, shown, p.String())
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", p, p, p), "secret")
	}
	for _, text := range []string{"", "mysql://me:secret@db/shop", "postgres://me:secret@db:port/shop", "http://secret"} {
		_, err := migrate.ParsePlace("to", text)
		require.Equal(t, errs.Invalid, errs.KindOf(err), text)
		require.NotContains(t, err.Error(), "secret")
	}
}
