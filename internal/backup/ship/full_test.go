package ship_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/restore"
)

// A spool whose disk is full holds up no sale, is seen as that, and has
// everything once there is space again.
func TestAFullSpoolIsSeenAndCaughtUp(t *testing.T) {
	s := newShop(t)
	s.cfg.Spool = t.TempDir()
	require.NoError(t, syscall.Mount("tmpfs", s.cfg.Spool, "tmpfs", 0, "mode=0700,size=2m"), "mounting needs root")
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(s.cfg.Spool, 0)) })
	s.open()
	s.write("before", 5)
	first := s.shipped()
	ballast := filepath.Join(s.cfg.Spool, "ballast")
	file, err := os.Create(ballast)
	require.NoError(t, err)
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, file.Close())

	s.write("during", 20)
	require.Eventually(t, s.ship.Failing, 10*time.Second, 5*time.Millisecond)
	status, err := s.ship.Status(t.Context())
	require.NoError(t, err)
	require.Equal(t, "spool_full", status.Failure)
	s.write("still", 20)

	require.NoError(t, os.Remove(ballast))
	after := s.shipped()
	require.Equal(t, first.Generation, after.Generation)
	s.close()
	_, got := s.restored(restore.Target{})
	require.Len(t, got, 45)
}
