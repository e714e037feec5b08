package dbtest_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
)

// childEnv makes a run of this test binary a child that is killed.
const childEnv = "PANSHI_DBTEST_CHILD"

// TestServerEndsWithItsTest kills a test process that has a server; server
// and directory must be gone soon after.
func TestServerEndsWithItsTest(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		_, err := os.Stdout.WriteString("\nurl " + dbtest.EmptyPostgres(t) + "\n")
		require.NoError(t, err)
		select {}
	}
	child := exec.Command(os.Args[0], "-test.run=^TestServerEndsWithItsTest$")
	child.Env = append(os.Environ(), childEnv+"=1")
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	dir := ""
	for lines := bufio.NewScanner(out); dir == "" && lines.Scan(); {
		if _, rest, ok := strings.Cut(lines.Text(), "url host="); ok {
			dir, _, _ = strings.Cut(rest, " ")
		}
	}
	require.NotEmpty(t, dir, "the child has no server")
	require.DirExists(t, dir)
	require.NoError(t, child.Process.Kill())
	_ = child.Wait() // it was killed
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, 30*time.Second, 20*time.Millisecond)
}

// TestEngines gives each engine's test databases that do not see each other.
func TestEngines(t *testing.T) {
	var seen []db.Engine
	dbtest.Engines(t, func(t *testing.T, open func(dbtest.Options) db.DB) {
		first, second := open(dbtest.Options{}), open(dbtest.Options{})
		_, err := db.Acquire(context.Background(), first, "keeper", "me", time.Hour)
		require.NoError(t, err)
		_, err = db.Acquire(context.Background(), second, "keeper", "you", time.Hour)
		require.NoError(t, err)
		require.NoError(t, first.View(context.Background(), func(tx *db.Tx) error {
			seen = append(seen, tx.Engine())
			return nil
		}))
	})
	require.Equal(t, []db.Engine{db.SQLite, db.Postgres}, seen)
}

// TestPostgresInABubble opens inside a synctest bubble, perhaps as the first
// of the process.
func TestPostgresInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := dbtest.Postgres(t)
		lease, err := db.Acquire(t.Context(), d, "keeper", "me", time.Hour)
		require.NoError(t, err)
		require.NoError(t, d.Update(t.Context(), lease.HeldTx))
		time.Sleep(time.Hour)
		require.ErrorIs(t, d.Update(t.Context(), lease.HeldTx), db.ErrLeaseTaken)
	})
	require.NotNil(t, dbtest.Postgres(t), "and outside of it")
}
