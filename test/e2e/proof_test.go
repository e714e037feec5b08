package e2e

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// withNas runs a command that knows the destination of nas, as one with the
// shop's configuration file does.
func withNas(shop *kit.Shop, dir string, args ...string) kit.Result {
	return shop.Run(append(args, "--set", kit.Nas(dir))...)
}

// checklist asks the shop for its items, by name.
func checklist(t *testing.T, shop *kit.Shop, dir string) map[string]string {
	t.Helper()
	r := withNas(shop, dir, "backup", "checklist", "--json")
	require.Equal(t, 1, r.Code, "there is no standby: %s%s", r.Out, r.Err)
	var told struct {
		Items []struct{ Name, State, Evidence string }
	}
	require.NoError(t, json.Unmarshal([]byte(r.Out), &told), "%s", r.Out)
	require.Len(t, told.Items, 6)
	items := map[string]string{}
	for _, i := range told.Items {
		t.Logf("%s: %s: %s", i.Name, i.State, i.Evidence)
		items[i.Name] = i.State
	}
	return items
}

// flip changes one bit of a random object below dir and tells its name; heal
// puts it back.
func flip(t *testing.T, dir string) (name string, heal func()) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var objects []string
	for _, part := range []string{"seg", "box"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(dir, part), func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				objects = append(objects, path)
			}
			return err
		}))
	}
	path := objects[random.IntN(len(objects))]
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	write := func(content []byte) {
		require.NoError(t, os.Chmod(path, 0o600))
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
	flipped := append([]byte(nil), content...)
	flipped[random.IntN(len(flipped))] ^= 1 << random.IntN(8)
	write(flipped)
	name, err = filepath.Rel(dir, path)
	require.NoError(t, err)
	return name, func() { write(content) }
}

// A copy is called proved after it was restored and checked, and no longer once
// a bit of it is another one. All of it happens beside the running shop.
func TestACopyIsProved(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	shop, dir, _ := nas(t, kit.NewPlatform(t))
	shop.AwaitCopied()
	run := func(code int, args ...string) string {
		t.Helper()
		r := withNas(shop, dir, append([]string{"backup"}, args...)...)
		require.Equal(t, code, r.Code, "%s%s", r.Out, r.Err)
		return r.Out
	}
	require.Contains(t, run(0, "status"), "not proved")
	items := checklist(t, shop, dir)
	require.Equal(t, map[string]string{
		"replica": "red", "second_disk": "red", "two_regions": "red", "offline": "red", "restored": "red", "card_keys": "red",
	}, items)

	require.Contains(t, run(0, "verify"), "nas is sound")
	require.Contains(t, run(0, "prove"), "nas is proved")
	require.NotContains(t, run(0, "status"), "not proved")
	r := shop.Run("key", "cards", filepath.Join(t.TempDir(), "cards.bundle"))
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	items = checklist(t, shop, dir)
	require.Equal(t, "green", items["restored"])
	require.Equal(t, "green", items["card_keys"])
	require.Contains(t, withNas(shop, dir, "doctor").Out, "2 of 6 items")

	name, heal := flip(t, dir)
	require.Contains(t, run(4, "verify", "nas"), name)
	require.Contains(t, run(4, "prove", "nas"), name)
	require.Contains(t, run(0, "status"), "FAILED")
	require.Equal(t, "red", checklist(t, shop, dir)["restored"])
	heal()
	require.Contains(t, run(0, "verify"), "nas is sound")
	require.Contains(t, run(0, "prove", "--scratch", t.TempDir()), "nas is proved")
	require.Equal(t, "green", checklist(t, shop, dir)["restored"])

	left, err := filepath.Glob(filepath.Join(filepath.Dir(shop.Data), ".proving-*"))
	require.NoError(t, err)
	require.Empty(t, left, "nothing stays of a proof but its record")
	shop.RequireClean()
}
