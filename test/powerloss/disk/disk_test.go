package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if code, done := Isolate(); done {
		os.Exit(code)
	}
	if path := os.Getenv(mapper); path != "" {
		if err := shareMaps(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// TestNoFuseFails: where FUSE is missing, tests that need it fail; they are not
// skipped. This one hides the device from a run of this very program.
func TestNoFuseFails(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `mount -t tmpfs none /dev && exec "$0" -test.run='^$'`, os.Args[0])
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, isolated+"=") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // only there is /dev another
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", out)
	require.Equal(t, 1, exit.ExitCode(), "%s", out)
	require.Contains(t, string(out), "this test needs FUSE and does not pass without")
}

// bench is a mounted disk.
type bench struct {
	*Disk
	t     *testing.T
	dir   string
	mount *Mount
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Disk: New(), t: t, dir: t.TempDir()}
	b.plug()
	t.Cleanup(func() { require.NoError(t, b.mount.Unmount()) })
	return b
}

func (b *bench) plug() {
	b.t.Helper()
	var err error
	b.mount, err = b.Mount(b.dir)
	require.NoError(b.t, err)
}

// cycle is a power loss.
func (b *bench) cycle(dice *rand.Rand) {
	b.t.Helper()
	b.Cut()
	require.NoError(b.t, b.mount.Unmount())
	b.Reboot(dice)
	b.plug()
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) open(name string) *os.File {
	b.t.Helper()
	f, err := os.OpenFile(b.path(name), os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(b.t, err)
	return f
}

// put writes and closes a file.
func (b *bench) put(name, content string, sync bool) {
	b.t.Helper()
	f := b.open(name)
	require.NoError(b.t, f.Truncate(0))
	_, err := f.WriteString(content)
	require.NoError(b.t, err)
	if sync {
		require.NoError(b.t, f.Sync())
	}
	require.NoError(b.t, f.Close())
}

func (b *bench) syncDir(name string) {
	b.t.Helper()
	f, err := os.Open(b.path(name))
	require.NoError(b.t, err)
	require.NoError(b.t, f.Sync())
	require.NoError(b.t, f.Close())
}

func (b *bench) requireFile(name, content string) {
	b.t.Helper()
	got, err := os.ReadFile(b.path(name))
	require.NoError(b.t, err)
	require.Equal(b.t, content, string(got))
}

// TestKeepsOnlyWhatIsSynced: content by the file's fsync, names by the
// directory's.
func TestKeepsOnlyWhatIsSynced(t *testing.T) {
	b := newBench(t)
	b.put("both", "kept", true)
	b.put("name", "lost", false)
	require.NoError(t, os.Mkdir(b.path("dir"), 0o700))
	b.syncDir("")
	b.put("content", "nameless", true)
	b.put("both", "overwritten and longer", false)
	b.put("dir/deep", "kept", true)
	b.syncDir("dir")
	b.requireFile("both", "overwritten and longer")
	b.cycle(nil)
	b.requireFile("both", "kept")
	b.requireFile("name", "")
	b.requireFile("dir/deep", "kept")
	require.NoFileExists(t, b.path("content"))
}

func TestUndoesRenameAndUnlink(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"a", "b", "c", "d"} {
		b.put(name, name, true)
	}
	b.syncDir("")
	require.NoError(t, os.Rename(b.path("a"), b.path("b")))
	require.NoError(t, os.Remove(b.path("c")))
	b.requireFile("b", "a")
	b.cycle(nil)
	b.requireFile("a", "a")
	b.requireFile("b", "b")
	b.requireFile("c", "c")
	require.NoError(t, os.Rename(b.path("a"), b.path("b")))
	require.NoError(t, os.Link(b.path("d"), b.path("e")))
	require.NoError(t, os.Remove(b.path("c")))
	b.syncDir("")
	b.cycle(nil)
	b.requireFile("b", "a")
	b.requireFile("e", "d")
	require.NoFileExists(t, b.path("a"))
	require.NoFileExists(t, b.path("c"))
}

// TestTearsAtSectors: what was not synced survives in any part, but sectors
// stay whole, and what was synced is there.
func TestTearsAtSectors(t *testing.T) {
	b := newBench(t)
	const sectors = 64
	old, young := bytes.Repeat([]byte{'o'}, sectors*sector), bytes.Repeat([]byte{'y'}, sectors*sector)
	outcomes := map[string]int{}
	for seed := range uint64(40) {
		b.put("file", string(old), true)
		b.syncDir("")
		f := b.open("file")
		_, err := f.WriteAt(young, 0)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		b.cycle(rand.New(rand.NewPCG(seed, 0)))
		got, err := os.ReadFile(b.path("file"))
		require.NoError(t, err)
		require.Len(t, got, sectors*sector)
		fresh := 0
		for at := 0; at < len(got); at += sector {
			require.Equal(t, bytes.Repeat(got[at:at+1], sector), got[at:at+sector], "sector %d is torn", at/sector)
			fresh += bytes.Count(got[at:at+1], []byte{'y'})
		}
		switch fresh {
		case 0, sectors:
			outcomes[fmt.Sprint(fresh)]++
		default:
			outcomes["torn"]++
		}
	}
	require.Len(t, outcomes, 3, "%v: none, all and torn each happen", outcomes)
}

// TestFailedSyncLosesPages: as on Linux, the pages of a failed fsync read well
// and are gone, although the next fsync succeeds.
func TestFailedSyncLosesPages(t *testing.T) {
	b := newBench(t)
	b.put("file", "old", true)
	b.syncDir("")
	f := b.open("file")
	b.FailSync(SyncFailsOnce)
	_, err := f.WriteAt([]byte("new"), 0)
	require.NoError(t, err)
	require.ErrorIs(t, f.Sync(), syscall.EIO)
	require.NoError(t, f.Sync())
	b.requireFile("file", "new")
	b.FailSync(SyncFails)
	require.ErrorIs(t, f.Sync(), syscall.EIO)
	require.ErrorIs(t, f.Sync(), syscall.EIO)
	require.NoError(t, f.Close())
	b.cycle(nil)
	b.requireFile("file", "old")
	require.Equal(t, 3, b.Counts().FailedSyncs)
}

func TestFullDisk(t *testing.T) {
	b := newBench(t)
	b.put("file", "12345678", true)
	b.Limit(4)
	f := b.open("file")
	_, err := f.WriteAt([]byte("123456789"), 4)
	require.ErrorIs(t, err, syscall.ENOSPC)
	_, err = f.WriteAt([]byte("12345678"), 4)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("over"), 0) // takes no space, and gives none back
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("1"), 12)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Truncate(0))
	_, err = f.WriteAt([]byte("twelve bytes"), 0)
	require.NoError(t, err)
	require.NoError(t, os.Remove(b.path("file")))
	b.put("other", "twelve bytes", false)
	require.NoError(t, f.Close())
	b.Limit(-1)
	b.put("other", string(make([]byte, 1<<20)), false)
}

// TestCutIn: the power goes with a certain request, and takes everything with
// it.
func TestCutIn(t *testing.T) {
	b := newBench(t)
	f := b.open("file")
	b.syncDir("")
	b.CutIn(3)
	_, err := f.WriteAt([]byte("kept"), 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	down := b.Down()
	_, err = f.WriteAt([]byte("gone"), 0)
	require.ErrorIs(t, err, syscall.EIO)
	<-down
	require.ErrorIs(t, f.Sync(), syscall.EIO)
	_, err = os.Stat(b.path("nothing"))
	require.ErrorIs(t, err, syscall.EIO)
	require.NoError(t, f.Close())
	b.cycle(nil)
	b.requireFile("file", "kept")
}

// TestSharedMapsLocksAndSockets: what SQLite's log index, the shop's lock and
// its socket need.
func TestSharedMapsLocksAndSockets(t *testing.T) {
	b := newBench(t)
	f := b.open("shm")
	defer f.Close()
	other := b.open("shm")
	defer other.Close()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), mapper+"="+f.Name())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	content, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, "seen by both", string(content[4096:4108]))

	require.NoError(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
	require.ErrorIs(t, syscall.Flock(int(other.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
	require.NoError(t, syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK, Len: 1}))

	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "unix", b.path("socket"))
	require.NoError(t, err)
	conn, err := net.Dial("unix", b.path("socket"))
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.NoError(t, ln.Close())
	require.NoFileExists(t, b.path("socket"))
}

// mapper is the environment variable that names the file which a second process
// of this test maps. The one that serves the disk must not: a page fault of its
// own may wait for a goroutine that waits for the end of the fault.
const mapper = "POWERLOSS_MAPPER"

// shareMaps maps a file twice, as two connections do, and writes through one.
func shareMaps(path string) error {
	var maps [2][]byte
	for i := range maps {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := f.Truncate(8192); err != nil {
			return err
		}
		maps[i], err = syscall.Mmap(int(f.Fd()), 0, 8192, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
		if err != nil {
			return err
		}
	}
	copy(maps[0][4096:], "seen by both")
	if got := string(maps[1][4096:4108]); got != "seen by both" {
		return fmt.Errorf("the other map shows %q", got)
	}
	return errors.Join(syscall.Munmap(maps[0]), syscall.Munmap(maps[1]))
}

// TestCloneAndLoad: a prepared directory is the start of many disks, which
// share nothing.
func TestCloneAndLoad(t *testing.T) {
	from := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(from, "dir"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(from, "dir", "file"), []byte("loaded"), 0o600))
	first, err := Load(from)
	require.NoError(t, err)
	b := newBench(t)
	require.NoError(t, b.mount.Unmount())
	b.Disk = first.Clone()
	b.plug()
	b.put("dir/file", "changed", true)
	b.requireFile("dir/file", "changed")
	require.NoError(t, b.mount.Unmount())
	b.Disk = first.Clone()
	b.plug()
	b.requireFile("dir/file", "loaded")
}
