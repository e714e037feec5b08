//go:build budget

package bench

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/test/kit"
)

// TestInstructionBudget counts what place, settle and a cached read take, and
// fails where that is more than budget.json allows. `make budget` runs it, by
// itself: a machine that is busy with other tests makes valgrind so slow that
// the shop's own time limits strike. BUDGET=write writes what it counted.
func TestInstructionBudget(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the budget is of instructions of amd64")
	}
	require.FileExists(t, "/usr/bin/valgrind", "valgrind is missing: scripts/setup.sh installs it")
	program := build(t)
	b, err := readBudget("budget.json")
	require.NoError(t, err)
	counted := least(t, program, b)
	require.NotEmpty(t, counted)
	if os.Getenv("BUDGET") == "write" {
		b.PerOp = counted
		raw, err := json.MarshalIndent(b, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile("budget.json", append(raw, '\n'), 0o644))
		return
	}
	over, low := b.Judge(counted)
	for _, text := range low {
		t.Log("far below its budget, tighten it (BUDGET=write make budget): " + text)
	}
	require.Empty(t, over, "more work than the budget allows: find out why, or raise it in the same change and say so")
}

// least counts until nothing is over the budget, three times at most, and gives
// the least of each operation. A machine that is too busy may run into the
// shop's time limits, and a page that is made anew in the midst of a phase, as
// one is a second after a sale, is no part of the operation that is counted.
func least(t *testing.T, program string, b Budget) map[string]Cost {
	t.Helper()
	counted := map[string]Cost{}
	for range 3 {
		once, why := count(t, program)
		if why != nil {
			t.Log(why)
			continue
		}
		for name, c := range once {
			t.Logf("%-12s %9d instructions %6d allocations", name, c.Instructions, c.Allocations)
			if known, ok := counted[name]; !ok || c.Instructions < known.Instructions {
				counted[name] = c
			}
		}
		if over, _ := b.Judge(counted); len(over) == 0 {
			break
		}
	}
	return counted
}

func readBudget(path string) (b Budget, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return b, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return b, d.Decode(&b)
}

func build(t *testing.T) string {
	t.Helper()
	root, err := kit.Root()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "instr")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./test/bench/instr")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// count makes a fresh shop and runs the operations under callgrind.
func count(t *testing.T, program string) (map[string]Cost, error) {
	t.Helper()
	dir := t.TempDir()
	prepare := exec.CommandContext(t.Context(), program, "prepare", dir)
	prepare.Env = cleanEnv()
	out, err := prepare.CombinedOutput()
	require.NoError(t, err, "%s", out)
	dumps := filepath.Join(t.TempDir(), "dump")
	// One thread at a time, no collection of garbage and no signals: what is
	// left of chance is the order of maps and what the kernel answers.
	cmd := exec.CommandContext(t.Context(), "valgrind", "--tool=callgrind", "--callgrind-out-file="+dumps,
		"--dump-before=main.mark", program, "run", dir)
	cmd.Env = append(cleanEnv(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	var said, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &errOut
	if err := cmd.Run(); err != nil {
		return nil, &fs.PathError{Op: strings.TrimSpace(errOut.String()), Path: program, Err: err}
	}
	found, err := readDumps(dumps)
	require.NoError(t, err)
	counted := map[string]Cost{}
	lines := json.NewDecoder(&said)
	for i := 0; lines.More(); i++ {
		var phase struct {
			Name   string
			Ops    int64
			Allocs int64
		}
		require.NoError(t, lines.Decode(&phase))
		require.Greater(t, len(found), 2*i+1, "a dump before and one after each operation")
		counted[phase.Name] = Cost{found[2*i+1] / phase.Ops, phase.Allocs / phase.Ops}
	}
	require.NotEmpty(t, counted)
	return counted, nil
}
