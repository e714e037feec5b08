package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/bench"
	"panshi/test/kit"
)

func TestMain(m *testing.M) { os.Exit(kit.Main(m)) }

// outcome is how a run of the program ended.
type outcome struct {
	code     int
	out, err string
	dir      string // its place for temporary files, empty again if all is well
}

// command prepares `panshi bench` with scratch space of the test's own.
func command(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "bench") //nolint:usetesting // PostgreSQL runs as another account, which may not enter t.TempDir()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o777|os.ModeSticky)) // as /tmp is
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, kit.Binary(t), append([]string{"bench"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	// The settings name a shop that a bench must not heed.
	cmd.Env = append(cleanEnv(), "TMPDIR="+dir, "PANSHI_DATA=/nowhere", "PANSHI_DB__URL=postgres://nobody@127.0.0.1:1/real")
	return cmd, dir
}

// cleanEnv is the environment without settings of a shop.
func cleanEnv() (out []string) {
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PANSHI_") && !strings.HasPrefix(kv, "TMPDIR=") {
			out = append(out, kv)
		}
	}
	return out
}

func run(t *testing.T, args ...string) outcome {
	t.Helper()
	cmd, dir := command(t, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	_ = cmd.Run() // its code tells
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errOut.String(), dir}
}

// report reads what --json printed.
func (o outcome) report(t *testing.T) (r struct {
	bench.Report
	Changes []bench.Change `json:"changes"`
},
) {
	t.Helper()
	require.Zero(t, o.code, "%s\n%s", o.out, o.err)
	require.NoError(t, json.Unmarshal([]byte(o.out), &r), "%s", o.out)
	return r
}

// requireGone waits until nothing is left in the scratch place: a killed run's
// keepers clean up after it.
func requireGone(t *testing.T, dir string, within time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool {
		left, err := os.ReadDir(dir)
		return err == nil && len(left) == 0
	}, within, 20*time.Millisecond, "something is left in the scratch place")
}
