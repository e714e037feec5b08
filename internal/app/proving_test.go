package app

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
)

// What killed proofs left goes, the directory of one that runs stays.
func TestOnlyLeftProofsAreSwept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left, runs, other := filepath.Join(dir, ".proving-1"), filepath.Join(dir, ".proving-2"), filepath.Join(dir, "shop")
	for _, d := range []string{left, runs, other} {
		require.NoError(t, os.MkdirAll(filepath.Join(d, "keys"), 0o700))
	}
	lock, err := db.LockDir(runs)
	require.NoError(t, err)
	require.NoError(t, sweepProofs(dir))
	require.NoDirExists(t, left)
	require.DirExists(t, filepath.Join(runs, "keys"))
	require.DirExists(t, other)
	require.NoError(t, lock.Close())
	require.Eventually(t, func() bool {
		require.NoError(t, sweepProofs(dir))
		_, err := os.Stat(runs)
		return errors.Is(err, fs.ErrNotExist)
	}, 10*time.Second, 10*time.Millisecond, "a process that another test just starts may have the lock for a moment")
}

// A proof that dies is told as that, and is tried again later.
func TestAProofThatDiesIsTold(t *testing.T) {
	t.Parallel()
	cfg := Defaults()
	cfg.Data = filepath.Join(t.TempDir(), "shop")
	cfg.ProveCommand = []string{"/bin/sh", "-c", "echo out of luck >&2; kill -9 $$"}
	p := newProving(cfg, func() []backup.Copy { return nil }, slog.New(slog.DiscardHandler))
	p.prove(t.Context(), "nas")
	known := p.known([]backup.Copy{{Label: "nas", Full: p.began}})
	require.True(t, known[0].Bad)
	require.False(t, known[0].Tried.IsZero())
	require.Equal(t, "backup_proof_died", p.note(known[0], backup.Copy{}, p.began))
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	said := &tail{most: 5}
	for _, word := range []string{"a long ", "story"} {
		_, err := said.Write([]byte(word))
		require.NoError(t, err)
	}
	require.Equal(t, "story", said.String())
}

// A proof that would fill the disk is not begun.
func TestAProofNeedsRoom(t *testing.T) {
	t.Parallel()
	cfg := Defaults()
	cfg.Data = t.TempDir()
	file, err := os.Create(filepath.Join(cfg.Data, sqlite.FileName))
	require.NoError(t, err)
	require.NoError(t, errors.Join(file.Truncate(1<<20), file.Close()))
	require.NoError(t, cfg.roomToProve(t.TempDir()))
	free, err := freeBytes(cfg.Data)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(file.Name(), free/2), "a file with a hole takes no room")
	require.Equal(t, "backup_proof_room", errs.CodeOf(cfg.roomToProve(t.TempDir())))
}
