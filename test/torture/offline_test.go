//go:build faultpoints

package torture

import (
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/test/kit"
)

// onceARun tells of points that a run to an offline disk passes once.
func onceARun(point string) bool {
	return slices.Contains([]string{"offline.disk.read-back", "offline.set.declared"}, point)
}

// aWeek later is when a disk is plugged in again.
const aWeek = 7 * 24 * time.Hour

// drawer is a shop and its offline disk.
type drawer struct {
	*kit.Copied
	t    *testing.T
	disk string
	env  []string // moves the clock
	keep string   // weekly sets
}

// set is a set as `panshi backup offline list --json` tells it.
type set struct {
	Time        time.Time
	Transaction uint64
}

func newDrawer(t *testing.T, keep string) *drawer {
	t.Helper()
	if dbtest.Engine() != db.SQLite {
		t.Skip("a server's database is not shipped")
	}
	d := &drawer{Copied: kit.NewCopied(t, kit.NewPlatform(t)), t: t, disk: t.TempDir(), keep: keep}
	d.AwaitCopied()
	require.Zero(t, d.Stop(time.Minute))
	d.good("--init", "blue")
	return d
}

func (d *drawer) args(args ...string) []string {
	args = append([]string{"backup", "offline"}, args...)
	return append(append(args, "--to", d.disk), d.Flags()...)
}

func (d *drawer) run(env []string, args ...string) kit.Result {
	d.t.Helper()
	return d.RunEnv(append(env, d.env...), d.args(args...)...)
}

func (d *drawer) write(env []string, more ...string) kit.Result {
	d.t.Helper()
	return d.run(env, append([]string{"--same-device", "--keep-weekly", d.keep, "--keep-monthly", "0"}, more...)...)
}

func (d *drawer) good(more ...string) {
	d.t.Helper()
	r := d.write(nil, more...)
	require.Zero(d.t, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(d.t, r.Out, "remove me")
}

// week lets a week pass in which the shop makes another whole copy.
func (d *drawer) week() {
	d.t.Helper()
	weeks := len(d.env) + 1
	d.env = []string{clock.AheadEnv + "=" + (time.Duration(weeks) * aWeek).String()}
	fulls := func() int {
		found, err := filepath.Glob(filepath.Join(d.Data+".spool", "*", "9", "*.ltx"))
		require.NoError(d.t, err)
		return len(found)
	}
	before := fulls()
	d.Start(d.env...)
	require.Eventually(d.t, func() bool { return fulls() > before }, time.Minute, 100*time.Millisecond, "a whole copy is due")
	require.Zero(d.t, d.Stop(time.Minute))
}

func (d *drawer) sets() (list struct{ Sets []set }) {
	d.t.Helper()
	r := d.run(nil, "list", "--json")
	require.Zero(d.t, r.Code, "%s%s", r.Out, r.Err)
	require.NoError(d.t, json.Unmarshal([]byte(r.Out), &list))
	return list
}

// requireSound verifies the disk and brings a shop back from it, with nothing but
// the sheet, as it is and as of the end of every set.
func (d *drawer) requireSound() {
	d.t.Helper()
	r := d.run(nil, "verify")
	require.Zero(d.t, r.Code, "%s%s", r.Out, r.Err)
	for _, s := range d.sets().Sets {
		r = d.RunEnv(d.env, "restore", "--json", "--from", d.disk, "--to", filepath.Join(d.t.TempDir(), "to"), "--sheet", d.Sheet,
			"--at", s.Time.Add(time.Second).Format(time.RFC3339))
		require.Zero(d.t, r.Code, "%s%s", r.Out, r.Err)
		var back struct{ Transaction uint64 }
		require.NoError(d.t, json.Unmarshal([]byte(r.Out), &back))
		require.Equal(d.t, s.Transaction, back.Transaction)
	}
	r = d.RunEnv(d.env, "restore", "--from", d.disk, "--to", filepath.Join(d.t.TempDir(), "to"), "--sheet", d.Sheet)
	require.Zero(d.t, r.Code, "%s%s", r.Out, r.Err)
	require.Contains(d.t, r.Out, "0 violations")
}

// crashOffline kills the second run to a disk, which replaces the first set. The
// disk is sound then, and the next run ends what was begun.
func crashOffline(t *testing.T, point string, pass int) {
	d := newDrawer(t, "1")
	d.week()
	r := d.write([]string{"PANSHI_FAULT=" + point + ":" + strconv.Itoa(pass)})
	require.Equal(t, -1, r.Code, "never passed: %s", r.Err)
	require.Contains(t, r.Err, "fault: killed at "+point)
	require.NotContains(t, r.Out, "remove me")
	require.Len(t, d.sets().Sets, 1)
	d.requireSound()
	d.good()
	require.Len(t, d.sets().Sets, 1)
	d.requireSound()
}

// TestEveryWeekOfADiskComesBack: two sets with weeks of no log between them, and a
// run that is killed at random moments again and again on the way to the second.
func TestEveryWeekOfADiskComesBack(t *testing.T) {
	t.Parallel()
	d := newDrawer(t, "4")
	d.week()
	dice := rand.New(rand.NewPCG(seedOf(t), 0))
	killed := 0
	for range 6 {
		if d.RunKilled(time.Duration(10+dice.IntN(400))*time.Millisecond, d.env, d.args("--same-device")...) {
			killed++
		}
		r := d.run(nil, "verify")
		require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	}
	t.Logf("killed %d times", killed)
	d.good()
	require.Len(t, d.sets().Sets, 2)
	d.requireSound()
}
