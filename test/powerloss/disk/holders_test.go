package disk

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestUnmountWaitsForWhoLetsGo: the kernel closes the files of a killed program
// when it comes to it, and the disk can be taken out only then.
func TestUnmountWaitsForWhoLetsGo(t *testing.T) {
	b := newBench(t)
	held, err := os.Create(filepath.Join(b.dir, "held"))
	require.NoError(t, err)
	require.Len(t, holders(b.dir), 1, "who holds the disk is named")
	time.AfterFunc(patience/20, func() { _ = held.Close() }) // longer than go-fuse tries by itself
	require.NoError(t, b.mount.Unmount())
	require.Empty(t, holders(b.dir))
}
