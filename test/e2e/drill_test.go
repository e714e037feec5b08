package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// drilled is a report as `panshi drill` tells it.
type drilled struct {
	ID, Page, Drill, Failure string
	LossKnown                bool  `json:"loss_known"`
	Loss                     int64 `json:"loss_ns"`
	Recovery                 int64 `json:"recovery_ns"`
	Invariants, Violations   int
	From                     []string
	Orders                   []struct {
		No string `json:"order_no"`
	}
	Tables []struct {
		Name string
		Lost int64
	}
	Steps []struct {
		Name, Failure string
		Args          map[string]string
	}
}

// otherDisk is a directory on another device than the tests' own.
func otherDisk(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "panshi-drill-") //nolint:usetesting // it must be on another device
	if err != nil {
		t.Skipf("there is no second device here: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	var here, there syscall.Stat_t
	require.NoError(t, syscall.Stat(t.TempDir(), &here))
	require.NoError(t, syscall.Stat(dir, &there))
	if here.Dev == there.Dev {
		t.Skip("/dev/shm is on the device of the tests")
	}
	return filepath.Join(dir, "copy")
}

// twoPlaces has a shop copy itself to two directories in two regions, one of them
// on another device. The settings are in a file, which all commands read.
func twoPlaces(t *testing.T, platform *kit.Platform) (shop *kit.Shop, near, far, sheet string) {
	t.Helper()
	far = otherDisk(t)
	near = filepath.Join(t.TempDir(), "near")
	shop = kit.Stopped(t, platform)
	shop.Config = filepath.Join(t.TempDir(), "panshi.yaml")
	require.NoError(t, os.WriteFile(shop.Config, nearAndFar(near, far), 0o600))
	sheet = shop.NewSheet()
	shop.Start()
	return shop, near, far, sheet
}

// nearAndFar are the settings of two directories, of which far is on another
// device.
func nearAndFar(near, far string) []byte {
	return []byte("backup:\n  destinations:\n" +
		"    - {label: near, kind: directory, region: basement, same_device: true, dir: " + near + "}\n" +
		"    - {label: far, kind: directory, region: attic, dir: " + far + "}\n")
}

// drills runs a drill command and gives its reports by drill.
func drills(t *testing.T, shop *kit.Shop, code int, args ...string) map[string]drilled {
	t.Helper()
	r := shop.Run(append([]string{"drill", "--json"}, args...)...)
	require.Equal(t, code, r.Code, "%s%s", r.Out, r.Err)
	var told struct{ Drills []drilled }
	require.NoError(t, json.Unmarshal([]byte(r.Out), &told), "%s", r.Out)
	out := map[string]drilled{}
	for _, d := range told.Drills {
		t.Logf("%s: %q, loss %v, recovery %v, from %v", d.Drill, d.Failure, time.Duration(d.Loss), time.Duration(d.Recovery).Round(time.Millisecond), d.From)
		for _, s := range d.Steps {
			t.Logf("    %s %v %s", s.Name, s.Args, s.Failure)
		}
		out[d.Drill] = d
	}
	return out
}

// Every disaster is rehearsed beside a shop that sells. What the shop is
// protected against passes, what it is not fails and says so, and nothing of the
// scratch shops stays. Reports are signed.
func TestDisastersAreRehearsed(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	platform := kit.NewPlatform(t)
	shop, _, far, _ := twoPlaces(t, platform)
	sku := shop.ImportCards("drilled", "1.00", kit.Keys("DRILL", 50))
	book := &kit.Book{}
	for n := range 3 {
		_, err := kit.Buy(t.Context(), shop.Client(), platform, book, buyer(n), one(sku))
		require.NoError(t, err)
	}
	cards := filepath.Join(t.TempDir(), "cards.bundle")
	r := shop.Run("key", "cards", cards)
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	shop.AwaitCopied()
	before := objectsIn(t, far)

	all := drills(t, shop, 1, "all", "--cards", cards)
	failures := map[string]string{}
	for name, d := range all {
		failures[name] = d.Failure
		require.FileExists(t, d.Page)
	}
	require.Equal(t, map[string]string{
		"disk-lost": "", "machine-lost": "", "table-dropped": "", "rows-deleted": "", "region-gone": "", "corrupt-object": "", "key-lost": "",
		"wrong-clock": "", "runbook": "",
		"ransomware": "drill_unprotected", "standby-failover": "drill_no_standby",
	}, failures)
	require.Equal(t, []string{"far"}, all["disk-lost"].From, "the other one was on the disk")
	require.Positive(t, all["disk-lost"].Invariants)
	require.True(t, all["disk-lost"].LossKnown)
	require.Len(t, all["region-gone"].From, 2)
	require.Positive(t, all["rows-deleted"].Tables[0].Lost)

	require.Equal(t, before, objectsIn(t, far), "destinations are only read")
	left, err := filepath.Glob(filepath.Join(filepath.Dir(shop.Data), ".drilling-*"))
	require.NoError(t, err)
	require.Empty(t, left)
	book.RequireKept(t, shop.Client(), 0)

	require.Contains(t, shop.Run("doctor").Out, "9 of 11 disasters", "what passed, and what did not")
	disk := otherDisk(t)
	require.NoError(t, os.Mkdir(disk, 0o700))
	for _, args := range [][]string{{"--init", "drawer"}, nil} {
		r := shop.Run(append([]string{"backup", "offline", "--to", disk}, args...)...)
		require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	}
	require.Equal(t, "drill_offline_untried", drills(t, shop, 1, "run", "ransomware")["ransomware"].Failure)
	require.Equal(t, []string{"offline"}, drills(t, shop, 0, "run", "ransomware", "--offline", disk)["ransomware"].From)

	reportsAreSigned(t, shop, all["runbook"])
	shop.RequireClean()
}

// objectsIn lists what a destination has of the log and the keys, and how long
// it is; the shop goes on, so that what comes later is left out by who compares
// twice a moment later.
func objectsIn(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil && strings.HasPrefix(rel, "box") {
			info, err := e.Info()
			out[rel] = info.Size()
			return err
		}
		return err
	}))
	return out
}

// A shop that has rehearsed nothing for weeks does so by itself while it sells, one
// drill at a time, without anybody asking.
func TestAServingShopRehearses(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	shop, _, _, _ := twoPlaces(t, kit.NewPlatform(t))
	shop.AwaitCopied()
	require.Zero(t, shop.Stop(20*time.Second))
	since := filepath.Join(shop.Data+".spool", "mirror", "drills", "since")
	require.NoError(t, os.MkdirAll(filepath.Dir(since), 0o700))
	require.NoError(t, os.WriteFile(since, []byte(time.Now().AddDate(0, 0, -40).UTC().Format(time.RFC3339)), 0o600))
	shop.Start()
	var told struct{ Reports []drilled }
	require.Eventually(t, func() bool {
		r := shop.Run("drill", "reports", "--json")
		require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
		require.NoError(t, json.Unmarshal([]byte(r.Out), &told))
		return len(told.Reports) > 0
	}, time.Minute, time.Second)
	t.Logf("%s: %q", told.Reports[0].ID, told.Reports[0].Failure)
	require.Eventually(t, func() bool { return strings.Contains(shop.Run("notify", "list").Out, "恢复演练逾期") }, 20*time.Second, time.Second,
		"those that wait for their turn are overdue")
	shop.RequireClean()
}

// reportsAreSigned: one that was changed is named, and no longer counts.
func reportsAreSigned(t *testing.T, shop *kit.Shop, d drilled) {
	t.Helper()
	r := shop.Run("drill", "show", "runbook")
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Out, "Passed")
	require.Zero(t, shop.Run("drill", "reports").Code)
	page, err := os.ReadFile(d.Page)
	require.NoError(t, err)
	require.Contains(t, string(page), "完整应急流程")
	require.Contains(t, string(page), "the whole runbook")

	file := strings.TrimSuffix(d.Page, ".html") + ".json"
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	altered := strings.Replace(string(content), `"violations":0`, `"violations":1`, 1)
	require.NotEqual(t, string(content), altered)
	require.NoError(t, os.WriteFile(file, []byte(altered), 0o600))
	r = shop.Run("drill", "reports")
	require.Equal(t, 4, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(t, r.Out, "FORGED OR CHANGED")
	require.Equal(t, 4, shop.Run("drill", "show", d.ID).Code)
	r = shop.Run("drill", "list")
	require.Zero(t, r.Code)
	require.Regexp(t, `runbook .* never`, r.Out)
	require.NoError(t, os.WriteFile(file, content, 0o600))
	require.Zero(t, shop.Run("drill", "reports").Code)
}
