//go:build faultpoints

package vault

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/fault"
)

const crashDir = "PANSHI_VAULT_CRASH_DIR"

// TestKilledAtEveryStep kills a real process at each passing of each fault
// point of this package, then starts again.
func TestKilledAtEveryStep(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		_, err := OpenOrCreate(DefaultConfig(dir), true)
		require.NoError(t, err)
		return
	}
	all := 1 + len(slots())
	for _, point := range []string{"vault.file.synced", "vault.file.linked"} {
		for passing := 1; passing <= all+1; passing++ {
			dir := t.TempDir() + "/data"
			child := exec.Command(os.Args[0], "-test.run=^TestKilledAtEveryStep$")
			child.Env = append(os.Environ(), crashDir+"="+dir, fmt.Sprintf("%s=%s:%d", fault.Env, point, passing))
			out, err := child.CombinedOutput()
			if passing > all {
				require.NoError(t, err, "no step is left to die at: %s", out)
				continue
			}
			require.ErrorContains(t, err, "killed", "%s:%d %s", point, passing, out)
			done := passing - 1
			if point == "vault.file.linked" {
				done = passing
			}
			resumes(t, DefaultConfig(dir), done, all, point)
		}
	}
}
