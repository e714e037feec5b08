package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
)

// The test binary starts itself again to have a process that may die.
const (
	roleEnv = "PANSHI_TEST_CHILD"
	dirEnv  = "PANSHI_TEST_DIR"
)

const ackTable = `CREATE TABLE ack (k INTEGER PRIMARY KEY, pad BLOB NOT NULL) STRICT;`

func ackConfig(dir string) sqlite.Config {
	return sqlite.Config{Dir: dir, Migrations: schema(ackTable)}
}

// child is the second process's main; it does not return there.
func child() {
	roles := map[string]func(dir string) error{"load": loadChild, "limit": limitChild, "lock": lockChild}
	role := roles[os.Getenv(roleEnv)]
	if role == nil {
		return
	}
	if err := role(os.Getenv(dirEnv)); err != nil {
		fmt.Println("child:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func spawn(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), roleEnv+"="+role, dirEnv+"="+dir)
	return cmd
}

// loadChild writes from 32 goroutines and prints each key once acknowledged.
func loadChild(dir string) error {
	ctx := context.Background()
	d, err := sqlite.Open(ctx, ackConfig(dir))
	if err != nil {
		return err
	}
	var next atomic.Int64
	if err := d.View(ctx, func(tx *db.Tx) error {
		var n int64
		err := tx.Get([]any{&n}, `SELECT coalesce(max(k), 0) FROM ack`)
		next.Store(n)
		return err
	}); err != nil {
		return err
	}
	failed := make(chan error)
	for range 32 {
		go func() {
			for {
				k := next.Add(1)
				if err := insertAck(d, k, 100); err != nil {
					failed <- err
					return
				}
				fmt.Println(k)
			}
		}()
	}
	return <-failed
}

func insertAck(d db.DB, k int64, size int) error {
	return d.Update(context.Background(), func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO ack (k, pad) VALUES ($1, zeroblob($2))`, k, size)
		return err
	})
}

func ackKeys(t *testing.T, d db.DB) map[int64]bool {
	t.Helper()
	keys := make(map[int64]bool)
	require.NoError(t, d.View(context.Background(), func(tx *db.Tx) error {
		_, err := db.Collect(tx, func(r db.Rows) (k int64, err error) {
			err = r.Scan(&k)
			keys[k] = true
			return k, err
		}, `SELECT k FROM ack`)
		return err
	}))
	return keys
}

// TestKilledLosesNothingAcknowledged kills a process under load again and
// again. It shows acknowledgements that came before the commit; a missing
// fsync only a failing machine shows.
func TestKilledLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	acknowledged := make(map[int64]bool)
	for round := range 6 {
		killUnderLoad(t, dir, 200+150*round, acknowledged)
		d, err := sqlite.Open(context.Background(), ackConfig(dir))
		require.NoError(t, err)
		kept := ackKeys(t, d)
		for k := range acknowledged {
			require.True(t, kept[k], "key %d was acknowledged and is lost", k)
		}
		var verdict string
		require.NoError(t, d.View(context.Background(), func(tx *db.Tx) error {
			return tx.Get([]any{&verdict}, `SELECT integrity_check FROM pragma_integrity_check`)
		}))
		require.Equal(t, "ok", verdict)
		require.NoError(t, d.Close())
	}
	require.Greater(t, len(acknowledged), 1000)
}

// killUnderLoad collects a child's acknowledgements and kills it after some.
func killUnderLoad(t *testing.T, dir string, after int, acknowledged map[int64]bool) {
	t.Helper()
	cmd := spawn(t, "load", dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		k, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			continue // cut off by the kill, or the child's complaint: too few keys tell
		}
		acknowledged[k] = true
		if n == after {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait() // "signal: killed"
}

// limitChild makes the disk fail in mid-commit: beyond the file size limit,
// write returns EFBIG, which is no lack of space to SQLite but an I/O error.
func limitChild(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	d, err := sqlite.Open(context.Background(), ackConfig(dir))
	if err != nil {
		return err
	}
	if err := insertAck(d, 1, 100); err != nil {
		return err
	}
	limit := syscall.Rlimit{Cur: 300_000, Max: 300_000}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if err := insertAck(d, 2, 1_000_000); !errors.Is(err, db.ErrUnknown) {
		return fmt.Errorf("an I/O error in COMMIT was answered %w", err)
	}
	if err := insertAck(d, 3, 1); !errors.Is(err, db.ErrBroken) {
		return fmt.Errorf("after an I/O error a write was answered %w", err)
	}
	if !d.Stats().Broken {
		return errors.New("the statistics do not tell")
	}
	return d.Close()
}

func TestFailedDiskEndsWriting(t *testing.T) {
	dir := t.TempDir()
	out, err := spawn(t, "limit", dir).CombinedOutput()
	require.NoError(t, err, string(out))
	d, err := sqlite.Open(context.Background(), ackConfig(dir))
	require.NoError(t, err)
	kept := ackKeys(t, d)
	require.True(t, kept[1], "acknowledged")
	require.False(t, kept[3], "refused")
	require.NoError(t, insertAck(d, 4, 1), "opened anew it works")
	require.NoError(t, d.Close())
}

func lockChild(dir string) error {
	lock, err := db.LockDir(dir)
	if err != nil {
		fmt.Println(errs.CodeOf(err), errs.KindOf(err) == errs.Unavailable, err)
		return nil
	}
	fmt.Println("locked")
	return lock.Close()
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir() + "/new"
	lock, err := db.LockDir(dir)
	require.NoError(t, err)
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	_, err = db.LockDir(dir)
	require.Equal(t, "data_dir_locked", errs.CodeOf(err))

	ask := func() string {
		out, err := spawn(t, "lock", dir).CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	refusal := ask()
	require.True(t, strings.HasPrefix(refusal, "data_dir_locked true"), refusal)
	require.Contains(t, refusal, strconv.Itoa(os.Getpid()))
	require.NoError(t, lock.Close())
	require.NoError(t, lock.Close())
	require.Equal(t, "locked\n", ask())
}
