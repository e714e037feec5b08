package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// TestCommandsOnAnotherMachine: while the shop sells on one machine, commands
// run on another one, with a data directory of its own and the same keys, and
// what they do shows in the shop. Without the keys they say what to do.
func TestCommandsOnAnotherMachine(t *testing.T) {
	t.Parallel()
	kit.OnlyOn(t, db.Postgres, "a database file has one process, and commands reach it through the socket")
	shop := kit.NewShop(t, kit.NewPlatform(t))
	dir := t.TempDir()
	elsewhere := func(keys bool, args ...string) kit.Result {
		args = append(args, "--data", filepath.Join(dir, "data"))
		for _, flag := range shop.Flags() {
			if strings.HasPrefix(flag, "db.url=") {
				args = append(args, "--set", flag)
			}
		}
		if keys {
			args = append(args, "--set", "vault.dir="+filepath.Join(shop.Data, "keys"), "--set", "vault.key_file="+shop.Data+".key")
		}
		return shop.RunEnv(nil, args...)
	}
	sheet := kit.CatalogFile(t, dir, "remote,card,Remote,remote,1.00,")
	cards := kit.CardsFile(t, dir, kit.Keys("REMOTE", 7))
	commands := map[string][]string{
		"check":      {"check"},
		"doctor":     {"doctor"},
		"setup-link": {"setup-link"},
		"merchants":  {"merchant", "list"},
		"merchant":   {"merchant", "put", "--slug", "panshi", "--tagline", "from afar"},
		"accounts":   {"account", "list"},
		"catalog":    {"import", "catalog", sheet},
	}
	for name, args := range commands {
		r := elsewhere(false, args...)
		if name == "doctor" {
			require.Contains(t, r.Out, "vault.key_file", name)
			continue
		}
		require.NotZero(t, r.Code, name)
		require.Contains(t, r.Err, "vault.key_file", name)
	}
	for name, args := range commands {
		r := elsewhere(true, args...)
		require.Zero(t, r.Code, "%s: %s%s", name, r.Out, r.Err)
	}
	r := elsewhere(true, "import", "cards", "--sku", "remote", cards)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	client := shop.Client()
	placed, err := client.Place(t.Context(), buyer(1), one(client.SKU(t, "remote")))
	require.NoError(t, err, fmt.Sprint(placed))
	r = shop.Run("merchant", "list")
	require.Contains(t, r.Out+r.Err, "panshi")
	shop.RequireClean()
}
