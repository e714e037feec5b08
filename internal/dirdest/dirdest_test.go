package dirdest_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup"
	"panshi/internal/backup/desttest"
	"panshi/internal/clock"
	"panshi/internal/dirdest"
)

func open(t *testing.T) backup.Destination {
	t.Helper()
	d, err := dirdest.New(dirdest.Config{Dir: filepath.Join(t.TempDir(), "dest"), SameDevice: true})
	require.NoError(t, err)
	return d
}

func TestDirectoryKeepsThePromises(t *testing.T) {
	desttest.Run(t, open, desttest.Options{Big: 6 << 20, Many: 300})
}

// TestWrappersKeepThePromises runs the same suite through every wrapper.
func TestWrappersKeepThePromises(t *testing.T) {
	o := desttest.Options{Big: 300_000, Many: 20}
	wrappers := map[string]func(backup.Destination) backup.Destination{
		"retry": func(d backup.Destination) backup.Destination { return backup.Retry(d, backup.DefaultRetry()) },
		"lazy": func(d backup.Destination) backup.Destination {
			return backup.Lazy(func() (backup.Destination, error) { return d, nil })
		},
		"limit": func(d backup.Destination) backup.Destination { return backup.Limit(d, 64<<20) },
		"meter": func(d backup.Destination) backup.Destination {
			return backup.Meter(d, clock.System{}, func(backup.Call) {})
		},
	}
	for name, wrap := range wrappers {
		t.Run(name, func(t *testing.T) {
			desttest.Run(t, func(t *testing.T) backup.Destination { return wrap(open(t)) }, o)
		})
	}
}

func TestTheDiskOfTheDataIsRefused(t *testing.T) {
	data := t.TempDir()
	_, err := dirdest.New(dirdest.Config{Dir: filepath.Join(t.TempDir(), "d"), DataDir: data})
	require.True(t, backup.Is(err, "backup_same_device"), "%v", err)
	memory := "/dev/shm"
	if device(t, memory) == device(t, data) {
		t.Skip("no second device here")
	}
	other, err := os.MkdirTemp(memory, "panshi-dest-") //nolint:usetesting // a directory on another device
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(other) })
	_, err = dirdest.New(dirdest.Config{Dir: other, DataDir: data})
	require.NoError(t, err)
}

func device(t *testing.T, path string) uint64 {
	t.Helper()
	var stat syscall.Stat_t
	require.NoError(t, syscall.Stat(path, &stat))
	return uint64(stat.Dev) //nolint:unconvert // the width differs between systems
}

// TestADiskThatIsGoneIsNotWrittenBeside: with the disk unmounted the directory
// is another one, on another device, or none.
func TestADiskThatIsGoneIsNotWrittenBeside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mnt")
	d, err := dirdest.New(dirdest.Config{Dir: dir, SameDevice: true})
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir))
	require.True(t, backup.Is(d.Put(t.Context(), "a", backup.Bytes(nil)), "backup_unavailable"))
	require.NoError(t, os.Symlink("/dev/shm", dir))
	if device(t, "/dev/shm") != device(t, t.TempDir()) {
		require.True(t, backup.Is(d.Put(t.Context(), "a", backup.Bytes(nil)), "backup_unavailable"))
	}
}

func TestAbandonedWritesAreCleared(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dest")
	_, err := dirdest.New(dirdest.Config{Dir: dir, SameDevice: true})
	require.NoError(t, err)
	dead, alive := filepath.Join(dir, ".tmp", "put-1"), filepath.Join(dir, ".tmp", "put-2")
	require.NoError(t, os.WriteFile(dead, []byte("half"), 0o600))
	f, err := os.Create(alive)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	require.NoError(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	_, err = dirdest.New(dirdest.Config{Dir: dir, SameDevice: true})
	require.NoError(t, err)
	require.NoFileExists(t, dead)
	require.FileExists(t, alive)
}

// TestClocksOfFilesDoNotMatter: nothing of the interface shows them, and a
// listing is the same whatever they say.
func TestClocksOfFilesDoNotMatter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dest")
	d, err := dirdest.New(dirdest.Config{Dir: dir, SameDevice: true})
	require.NoError(t, err)
	require.NoError(t, d.Put(t.Context(), "seg/a", backup.Bytes([]byte("x"))))
	old := time.Unix(0, 0)
	require.NoError(t, os.Chtimes(filepath.Join(dir, "seg", "a"), old, old))
	require.Equal(t, []string{"seg/a"}, desttest.Names(t, d, ""))
}

// TestADiskThatComesLater: the first calls fail, and nothing has to be restarted.
func TestADiskThatComesLater(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mnt", "dest")
	d := backup.Lazy(func() (backup.Destination, error) {
		return dirdest.New(dirdest.Config{Dir: dir, SameDevice: true})
	})
	require.Error(t, d.Put(t.Context(), "a", backup.Bytes(nil)))
	require.NoError(t, os.Mkdir(filepath.Dir(dir), 0o700))
	require.NoError(t, d.Put(t.Context(), "a", backup.Bytes(nil)))
	require.Equal(t, []string{"a"}, desttest.Names(t, d, ""))
}
