package app

import (
	"bytes"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// What proves runs behind everything else, and the shop itself as before.
func TestAProofHasTheLowestPriority(t *testing.T) {
	t.Parallel()
	before, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Getpid())
	require.NoError(t, err)
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "cat /proc/$$/stat; ionice -p $$ || true; cat /proc/$$/oom_score_adj")
	cmd.Stdout = &out
	require.NoError(t, runLow(cmd))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	fields := strings.Fields(lines[0])
	require.Equal(t, "19", fields[18], "nice: %s", lines[0])
	if len(lines) == 3 {
		require.Equal(t, "idle", lines[1])
	}
	mine, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Getpid())
	require.NoError(t, err)
	require.Equal(t, before, mine)
}
