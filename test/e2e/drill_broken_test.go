package e2e

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// away moves the files below dir that match out of it, and gives what brings
// them back.
func away(t *testing.T, dir string, match func(rel string) bool) (back func()) {
	t.Helper()
	aside := t.TempDir()
	var moved []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil && match(filepath.ToSlash(rel)) {
			moved = append(moved, rel)
		}
		return err
	}))
	require.NotEmpty(t, moved, "nothing to break")
	for _, rel := range moved {
		content, err := os.ReadFile(filepath.Join(dir, rel))
		require.NoError(t, err)
		to := filepath.Join(aside, rel)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o700))
		require.NoError(t, os.WriteFile(to, content, 0o600))
		require.NoError(t, os.Remove(filepath.Join(dir, rel)))
	}
	return func() {
		for _, rel := range moved {
			require.NoError(t, os.Rename(filepath.Join(aside, rel), filepath.Join(dir, rel)))
		}
	}
}

// oneSegment matches one piece of the log below dir: the one in the middle.
func oneSegment(t *testing.T, dir string) func(rel string) bool {
	t.Helper()
	var all []string
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "seg"), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	}))
	sort.Strings(all)
	require.Greater(t, len(all), 2)
	victim := all[len(all)/2]
	return func(rel string) bool { return rel == victim }
}

// Each drill passes where its protection stands, and fails where that alone was
// broken on purpose: by what is at the destination, or by which are configured.
func TestADrillFailsWithoutItsProtection(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop, near, _, _ := twoPlaces(t, platform)
	sku := shop.ImportCards("broken", "1.00", kit.Keys("BROKEN", 20))
	for n := range 2 {
		_, err := kit.Buy(t.Context(), shop.Client(), platform, &kit.Book{}, buyer(n), one(sku))
		require.NoError(t, err)
		shop.AwaitCopied() // a segment each, at least
	}
	cards := filepath.Join(t.TempDir(), "cards.bundle")
	require.Zero(t, shop.Run("key", "cards", cards).Code)
	require.Zero(t, shop.Stop(20*time.Second), "so that no mirror mends what is broken")
	foreign := filepath.Join(t.TempDir(), "other.bundle")
	require.NoError(t, os.WriteFile(foreign, []byte(strings.Repeat("no bundle ", 100)), 0o600))
	keys := func(rel string) bool { return strings.HasPrefix(rel, "box/keys") }
	hole := oneSegment(t, near)
	// A file that is younger than the last manifest is not missed by it, but by the chain.
	const gap = "backup_destination_altered restore_gap"
	early := time.Now().Add(-1000 * time.Hour).Format(time.RFC3339)

	for name, c := range map[string]struct {
		args   []string // after the drill's name
		broken []string // in the place of args; nil: the same
		remove func(rel string) bool
		why    string
	}{
		"disk-lost":      {args: []string{"--destination", "far"}, broken: []string{"--destination", "near"}, why: "drill_on_data_disk"},
		"machine-lost":   {args: []string{"--cards", cards}, broken: []string{"--cards", foreign}, why: "backup_object_damaged"},
		"table-dropped":  {args: []string{"--destination", "near"}, remove: hole, why: gap},
		"rows-deleted":   {args: []string{"--destination", "near"}, broken: []string{"--at", early}, why: "restore_nothing"},
		"region-gone":    {broken: []string{"--destination", "far"}, why: "drill_one_region"},
		"corrupt-object": {broken: []string{"--destination", "near"}, why: "drill_one_copy"},
		"key-lost":       {args: []string{"--destination", "near"}, remove: keys, why: "backup_destination_altered"},
		"wrong-clock":    {args: []string{"--destination", "near"}, remove: hole, why: gap},
		"runbook":        {args: []string{"--destination", "near"}, remove: hole, why: gap},
	} {
		t.Run(name, func(t *testing.T) {
			got := drills(t, shop, 0, append([]string{"run", name}, c.args...)...)
			require.Empty(t, got[name].Failure)
			args := c.args
			if c.broken != nil {
				args = c.broken
			}
			if c.remove != nil {
				defer away(t, near, c.remove)()
			}
			got = drills(t, shop, 1, append([]string{"run", name}, args...)...)
			require.NotEmpty(t, got[name].Failure)
			require.Contains(t, c.why, got[name].Failure)
			require.NotContains(t, shop.Run("drill", "show", name).Out, "Passed")
		})
	}
}
