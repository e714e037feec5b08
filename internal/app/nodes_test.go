package app_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/app"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/pgserver"
	"panshi/internal/errs"
)

// node opens the shop in the database at url from a machine of its own, with
// keys from elsewhere if keys is set.
func node(t *testing.T, url, keys string) (*app.Shop, error) {
	t.Helper()
	set := []string{"db.url=" + url, "db.max_conns=4"}
	if keys != "" {
		set = append(set, "vault.dir="+filepath.Join(keys, "keys"), "vault.key_file="+keys+".key")
	}
	cfg, err := app.Load(app.Flags{Data: filepath.Join(t.TempDir(), "shop"), Set: set})
	require.NoError(t, err)
	return app.OpenLocal(t.Context(), cfg, slog.New(slog.DiscardHandler))
}

// both runs something on two nodes at once.
func both(do func(i int)) {
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

// TestNodesMakeKeysOnce: two machines start at once on an empty database; each
// could make keys of its own, and then neither could open what the other
// sealed. One of them has the shop, and the other is told what to copy.
func TestNodesMakeKeysOnce(t *testing.T) {
	url := dbtest.EmptyPostgres(t)
	shops, failures := make([]*app.Shop, 2), make([]error, 2)
	both(func(i int) { shops[i], failures[i] = node(t, url, "") })
	won := 0
	for i, shop := range shops {
		if failures[i] == nil {
			won++
			require.NoError(t, shop.Close())
			continue
		}
		require.Contains(t, []string{"vault_of_another_shop", "vault_key_missing"}, errs.CodeOf(failures[i]), failures[i])
		requireRemedy(t, failures[i])
	}
	require.Equal(t, 1, won)

	_, err := node(t, url, "")
	require.Equal(t, "vault_key_missing", errs.CodeOf(err), "no later start makes keys, although there is no merchant yet")
	requireRemedy(t, err)
}

func requireRemedy(t *testing.T, err error) {
	t.Helper()
	for _, named := range []string{"copy", "vault.key_file", "vault.dir"} {
		require.ErrorContains(t, err, named)
	}
}

// TestKeysOfAnotherShopAreRefused: they open, but not what is in this database.
func TestKeysOfAnotherShopAreRefused(t *testing.T) {
	mine, theirs := filepath.Join(t.TempDir(), "mine"), filepath.Join(t.TempDir(), "theirs")
	url := dbtest.EmptyPostgres(t)
	for _, open := range []struct{ url, keys string }{{url, mine}, {dbtest.EmptyPostgres(t), theirs}, {url, mine}} {
		shop, err := node(t, open.url, open.keys)
		require.NoError(t, err)
		require.NoError(t, shop.Close())
	}
	_, err := node(t, url, theirs)
	require.Equal(t, "vault_of_another_shop", errs.CodeOf(err))
	requireRemedy(t, err)
}

// TestDemoOnTwoNodesAtOnce: whoever comes second goes on or is told that the
// first is at it; the demo shop is there once, and whole.
func TestDemoOnTwoNodesAtOnce(t *testing.T) {
	url, keys := dbtest.EmptyPostgres(t), filepath.Join(t.TempDir(), "shared")
	shops := make([]*app.Shop, 2)
	for i := range shops {
		shop, err := node(t, url, keys)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, shop.Close()) })
		shops[i] = shop
	}
	quiet := func(string) {}
	failures := make([]error, 2)
	both(func(i int) { _, failures[i] = shops[i].Demo(t.Context(), quiet) })
	for _, err := range failures {
		if err != nil {
			require.Equal(t, "import_busy", errs.CodeOf(err), err)
		}
	}
	_, err := shops[0].Demo(t.Context(), quiet)
	require.NoError(t, err)
	again, err := shops[1].Demo(t.Context(), quiet)
	require.NoError(t, err)
	require.True(t, again.Unchanged)
	merchants, err := shops[1].Merchants(t.Context())
	require.NoError(t, err)
	require.Len(t, merchants, 2)
	report, err := shops[0].Check(context.Background(), func(string, int, int) {})
	require.NoError(t, err)
	require.Zero(t, report.Violations)
}

// TestDocumentedDatabase makes user and database as docs/operations/postgresql.md
// says, and opens a shop there: the user needs no other right.
func TestDocumentedDatabase(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations", "postgresql.md"))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), "```sql\n")
	require.True(t, found)
	sql, _, _ := strings.Cut(rest, "```")
	server, err := pgserver.Start(pgserver.Memory(), "")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	require.NoError(t, server.Admin(strings.SplitAfter(strings.TrimSpace(sql), "\n")...))
	shop, err := node(t, strings.Replace(server.URL("shop"), "user=panshi", "user=shop", 1), "")
	require.NoError(t, err)
	_, err = shop.Demo(t.Context(), func(string) {})
	require.NoError(t, err)
	require.NoError(t, shop.Close())
}
