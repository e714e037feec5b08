package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// kept says how each file in and beside a data directory survives the machine,
// by its path from the directory above.
func kept() map[string]string {
	return map[string]string{
		`^shop/panshi\.db(-wal|-shm)?$`:             "shipped",
		`^shop\.key$`:                               "bundled",
		`^shop/keys/[a-z0-9-]+(\.[a-z]+)?\.keyset$`: "bundled",
		`^shop/keys/[a-z0-9-]+\.secret$`:            "bundled",
		`^shop/lease\.json$`:                        "derived", // a restored shop is another machine
		`^shop/(lock|admin\.sock|keys/\.lock)$`:     "derived",
		`^shop/ship/`:                               "derived", // what is staged is in the spool, too
		`^shop\.spool/`:                             "derived", // it is the copy
		`^shop\.(sandbox|sandbox\.lock|log)$`:       "not the shop's",
	}
}

// Every file of a shop that was used is shipped, in a bundle, or made anew:
// whoever adds another one says here how it survives.
func TestEveryFileSurvivesTheMachine(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop, dir, sheet := nas(t, platform)
	sku := shop.ImportCards("used", "1.00", kit.Keys("USED", 5))
	_, err := kit.Buy(t.Context(), shop.Client(), platform, &kit.Book{}, buyer(1), one(sku))
	require.NoError(t, err)
	shop.AwaitCopied()
	for _, when := range []string{"while it runs", "when it stands still"} {
		for path, how := range files(t, shop.Data) {
			require.NotEmpty(t, how, "%s: nobody says how %s survives", when, path)
		}
		if when == "while it runs" {
			require.Zero(t, shop.Stop(20*time.Second))
		}
	}
	to := filepath.Join(t.TempDir(), "shop")
	r := shop.RunEnv(nil, "restore", "--from", dir, "--to", to, "--sheet", sheet)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	bundled := 0
	for path, how := range files(t, shop.Data) {
		if how != "bundled" || strings.HasPrefix(filepath.Base(path), "card.") {
			continue // card keys travel apart
		}
		was, err := os.ReadFile(filepath.Join(filepath.Dir(shop.Data), path))
		require.NoError(t, err)
		is, err := os.ReadFile(filepath.Join(filepath.Dir(to), path))
		require.NoError(t, err, "it is said to be in a bundle")
		require.Equal(t, was, is, path)
		bundled++
	}
	require.Greater(t, bundled, 8)
}

// files lists what is in and beside a data directory, with how it survives; "" if
// nobody says.
func files(t *testing.T, data string) map[string]string {
	t.Helper()
	all := map[string]string{}
	root := filepath.Dir(data)
	require.NoError(t, filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		all[rel] = ""
		for pattern, how := range kept() {
			if regexp.MustCompile(pattern).MatchString(rel) {
				all[rel] = how
			}
		}
		return err
	}))
	return all
}
