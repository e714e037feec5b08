package bench

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/bench"
)

// rated are the scenarios that have a ratio.
func rated() []string {
	return []string{
		bench.List, bench.Detail, bench.Order, bench.SoldOut, bench.Callback, bench.Reveal, bench.Import, bench.Start,
	}
}

func TestBench(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			o := run(t, "--engine", engine, "--sizes", "1e3", "--seconds", "0.2", "--rounds", "2", "--clients", "16", "--json")
			r := o.report(t)
			requireWhole(t, r.Report)
			requireGone(t, o.dir, time.Minute)
			require.Equal(t, engine == "postgres", strings.HasPrefix(r.Engine, "PostgreSQL"), r.Engine)
			for _, x := range r.Results {
				if x.Scenario != bench.Start {
					require.Equal(t, engine == "postgres" && x.CPU.DB > 0, x.CPU.DB > 0, "%s", x.Scenario)
				}
			}
		})
	}
}

// What keeping everything costs is measured, too, with a shop that comes back.
func TestDurability(t *testing.T) {
	o := run(t, "--scenarios", "ship,copy,restore", "--sizes", "1e3", "--seconds", "0.2", "--rounds", "1", "--clients", "16", "--json")
	r := o.report(t)
	require.True(t, r.Finished)
	require.Empty(t, r.Problems)
	var names []string
	for _, x := range r.Results {
		names = append(names, x.Scenario)
		require.Positive(t, x.Ratio, x.Scenario)
		require.Zero(t, x.Errors, x.Scenario)
	}
	require.Equal(t, []string{bench.Ship, bench.Copy}, names)
	for _, name := range []string{"restore", "restore_made", "restore_sold"} {
		requireFigure(t, r.Report, name)
	}
	requireGone(t, o.dir, time.Minute)
}

// requireWhole checks that everything was measured, and nothing failed.
func requireWhole(t *testing.T, r bench.Report) {
	t.Helper()
	require.True(t, r.Finished)
	require.Empty(t, r.Problems)
	var names []string
	for _, x := range r.Results {
		names = append(names, x.Scenario)
		require.EqualValues(t, 1000, x.Size, x.Scenario)
		require.Zero(t, x.Errors, x.Scenario)
		require.Positive(t, x.Ops, x.Scenario)
		for what, v := range map[string]float64{"rate": x.Rate, "reference": x.RefRate, "ratio": x.Ratio} {
			require.True(t, v > 0 && !math.IsInf(v, 0), "%s: %s is %v", x.Scenario, what, v)
		}
		if x.Scenario != bench.Import { // it has one answer, not many
			require.Positive(t, x.Latency.P50, x.Scenario)
			require.LessOrEqual(t, x.Latency.P50, x.Latency.P99, x.Scenario)
			require.LessOrEqual(t, x.Latency.P99, x.Latency.P999, x.Scenario)
		}
		require.Equal(t, x.Scenario == bench.Order, x.At80 != nil, x.Scenario)
		if x.At80 != nil {
			require.Zero(t, x.At80.Errors)
			require.Positive(t, x.At80.Reached)
		}
	}
	require.ElementsMatch(t, rated(), names)
	for _, name := range []string{"memory_idle", "memory_loaded", "ready", "binary"} {
		requireFigure(t, r, name)
	}
}

func requireFigure(t *testing.T, r bench.Report, name string) {
	t.Helper()
	for _, f := range r.Figures {
		if f.Name == name {
			require.Positive(t, f.Value, name)
			return
		}
	}
	t.Fatalf("no figure %s", name)
}

// A ratio that fell far below the baseline's ends the run with 1, and only if
// that was asked for.
func TestCompare(t *testing.T) {
	short := []string{"--scenarios", "start", "--seconds", "0.1", "--rounds", "1", "--sizes", "100", "--json"}
	old := run(t, short...).report(t).Report
	require.Len(t, old.Results, 1)
	old.Results[0].Ratio *= 1000
	raw, err := json.Marshal(old)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "old.json")
	require.NoError(t, os.WriteFile(file, raw, 0o600))
	o := run(t, append(short, "--compare", file, "--fail-over", "10%")...)
	require.Equal(t, 1, o.code, "%s%s", o.out, o.err)
	var told struct{ Changes []bench.Change }
	require.NoError(t, json.Unmarshal([]byte(o.out), &told))
	require.Len(t, told.Changes, 1)
	require.True(t, told.Changes[0].Beyond && told.Changes[0].Regression, "%+v", told.Changes[0])
}

// Ctrl-C, and even a kill, leave neither process nor file.
func TestInterrupted(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"interrupt": syscall.SIGINT, "kill": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			cmd, dir := command(t, "--engine", "postgres", "--scenarios", "list", "--seconds", "60")
			require.NoError(t, cmd.Start())
			require.Eventually(t, func() bool { return len(childrenOf(cmd.Process.Pid)) > 2 }, time.Minute, 10*time.Millisecond)
			family := childrenOf(cmd.Process.Pid)
			require.NoError(t, cmd.Process.Signal(signal))
			err := cmd.Wait()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			requireGone(t, dir, time.Minute)
			require.Eventually(t, func() bool {
				for _, pid := range family {
					if syscall.Kill(pid, 0) == nil && parentOf(pid) != 0 {
						return false
					}
				}
				return true
			}, time.Minute, 20*time.Millisecond, "a process is left")
		})
	}
}

// childrenOf lists the processes that a process has started.
func childrenOf(pid int) (out []int) {
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		child, err := strconv.Atoi(filepath.Base(name))
		if err == nil && parentOf(child) == pid {
			out = append(out, child)
		}
	}
	return out
}

// parentOf is 0 for a process that is gone or only waits to be buried.
func parentOf(pid int) int {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if f[0] == "Z" {
		return 0
	}
	parent, _ := strconv.Atoi(f[1])
	return parent
}

// Nothing that a bench is told can make it touch a shop.
func TestRefuses(t *testing.T) {
	live := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(live, "panshi.db"), nil, 0o600))
	for args, want := range map[string]string{
		"--data " + live:                      "--data",
		"--config x.yaml":                     "--data",
		"--dir " + live:                       "--dir",
		"--dir /nowhere":                      "--dir",
		"--set data=" + live:                  "--set",
		"--set http=0.0.0.0:80":               "--set",
		"--set db.url=postgres://h/d":         "db.url",
		"--engine oracle":                     "--engine",
		"--scenarios list,nothing":            "nothing",
		"--engine postgres --scenarios copy":  "--scenarios",
		"--sizes many":                        "--sizes",
		"--sizes 1e3.5":                       "--sizes",
		"--sizes 1":                           "--sizes",
		"--seconds 0":                         "--seconds",
		"--seconds 1e9":                       "--seconds",
		"--rounds 0":                          "--rounds",
		"--clients 0":                         "--clients",
		"--clients 100000":                    "--clients",
		"--fail-over 10%":                     "--fail-over",
		"--compare /nowhere.json":             "--compare",
		"--compare /dev/null":                 "--compare",
		"--compare /dev/null --fail-over 2":   "--fail-over",
		"--compare /dev/null --fail-over NaN": "--fail-over",
	} {
		o := run(t, strings.Fields(args)...)
		require.Equal(t, 2, o.code, "%s: %+v", args, o)
		require.Contains(t, o.err, want, args)
		require.Equal(t, 1, strings.Count(o.err, "\n"), o.err)
		requireGone(t, o.dir, time.Second)
	}
	left, err := os.ReadDir(live)
	require.NoError(t, err)
	require.Len(t, left, 1)
}
