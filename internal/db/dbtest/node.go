package dbtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"panshi/internal/db/pgserver"
)

// Node is a PostgreSQL server of one test's own, which may be killed, started
// again, and followed by a standby. Tests that need a database only use
// Postgres: it is faster.
type Node struct {
	t       testing.TB
	bin     string // the folder of the server's programs
	dir     string // holds data, socket and log
	who     *syscall.Credential
	cmd     *exec.Cmd
	stopped chan struct{} // closed when cmd has ended
}

// NewNode makes and starts a server. It ends with the test, or with the
// process.
func NewNode(t testing.TB) *Node {
	t.Helper()
	n := newNode(t)
	n.run("initdb", pgserver.InitArgs(n.data())...)
	n.configure(pgserver.Settings(n.dir, small))
	n.Start()
	return n
}

// Standby copies the running server and starts the copy as one that follows it.
func (n *Node) Standby(t testing.TB) *Node {
	t.Helper()
	s := newNode(t)
	s.run("pg_basebackup", "-D", s.data(), "-h", n.dir, "-U", "panshi", "--write-recovery-conf", "--checkpoint=fast", "--no-sync")
	s.configure(fmt.Sprintf("unix_socket_directories = '%s'\n", s.dir)) // the last line of a name counts
	s.Start()
	return s
}

func newNode(t testing.TB) *Node {
	t.Helper()
	bin, err := pgserver.Binaries()
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	who, err := pgserver.Account()
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	dir, err := os.MkdirTemp(pgserver.Memory(), "panshi-pg-") //nolint:usetesting // its path is too long for a socket
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	n := &Node{t: t, bin: bin, dir: dir, who: who}
	if who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			t.Fatalf("dbtest: %v", err)
		}
	}
	t.Cleanup(func() {
		n.Stop()
		_ = os.RemoveAll(dir)
	})
	return n
}

func (n *Node) data() string { return filepath.Join(n.dir, "data") }

// run runs one of the server's programs to its end.
func (n *Node) run(program string, args ...string) {
	n.t.Helper()
	cmd := exec.Command(filepath.Join(n.bin, program), args...)
	cmd.Dir, cmd.SysProcAttr = n.dir, &syscall.SysProcAttr{Credential: n.who}
	if out, err := cmd.CombinedOutput(); err != nil {
		n.t.Fatalf("dbtest: %s: %v\n%s", program, err, out)
	}
}

func (n *Node) configure(lines string) {
	n.t.Helper()
	file, err := os.OpenFile(filepath.Join(n.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = file.WriteString(lines)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		n.t.Fatalf("dbtest: %v", err)
	}
}

// Start starts the server and waits until it answers.
func (n *Node) Start() {
	n.t.Helper()
	log, err := os.OpenFile(filepath.Join(n.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatalf("dbtest: %v", err)
	}
	defer log.Close() // the server has it
	cmd := exec.Command(filepath.Join(n.bin, "postgres"), "-D", n.data())
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.dir, log, log
	// The kernel ends it with us, and no signal that is meant for us reaches it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: n.who, Setsid: true, Pdeathsig: syscall.SIGQUIT}
	if err := cmd.Start(); err != nil {
		n.t.Fatalf("dbtest: %v", err)
	}
	n.cmd, n.stopped = cmd, make(chan struct{})
	go func(stopped chan struct{}) {
		_ = cmd.Wait()
		close(stopped)
	}(n.stopped)
	for range 3000 {
		if err = n.Exec("postgres", "SELECT 1"); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	text, _ := os.ReadFile(filepath.Join(n.dir, "log"))
	n.t.Fatalf("dbtest: the server does not answer: %v\n%s", err, text)
}

// Stop ends the server as `pg_ctl stop -m immediate` does: without a
// checkpoint, all connections cut.
func (n *Node) Stop() {
	if n.cmd == nil {
		return
	}
	n.Wake() // one that hangs would not hear of its end
	_ = n.cmd.Process.Signal(syscall.SIGQUIT)
	<-n.stopped
	n.cmd = nil
}

// Hang makes the server process deaf: connections are neither answered nor
// refused. Wake ends that.
func (n *Node) Hang() { n.signalAll(syscall.SIGSTOP) }

// Wake lets a hung server go on.
func (n *Node) Wake() { n.signalAll(syscall.SIGCONT) }

// signalAll reaches the server's processes: each of them leads a session of its
// own, so that only their parent tells that they belong together.
func (n *Node) signalAll(sig syscall.Signal) {
	server := strconv.Itoa(n.cmd.Process.Pid)
	out, err := exec.Command("ps", "-o", "pid=", "--pid", server, "--ppid", server).Output()
	if err != nil {
		n.t.Fatalf("dbtest: the server's processes: %v", err)
	}
	for _, field := range bytes.Fields(out) {
		if pid, err := strconv.Atoi(string(field)); err == nil {
			_ = syscall.Kill(pid, sig) // it may just have ended
		}
	}
}

// Exec runs statements in a database.
func (n *Node) Exec(database string, statements ...string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, n.URL(database))
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err = conn.Exec(ctx, statement); err != nil {
			break
		}
	}
	return errors.Join(err, conn.Close(ctx))
}

// Text reads one text of a database, "" if the query finds none.
func (n *Node) Text(database, query string, args ...any) (text string, err error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, n.URL(database))
	if err != nil {
		return "", err
	}
	err = conn.QueryRow(ctx, query, args...).Scan(&text)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return text, errors.Join(err, conn.Close(ctx))
}

// URL is how to reach a database of the server.
func (n *Node) URL(database string) string {
	return fmt.Sprintf("host=%s user=panshi dbname=%s sslmode=disable", n.dir, database)
}
