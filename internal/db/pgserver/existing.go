package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// guard starts a server that is given as arguments, and stops it when the other
// end of file 3 is closed, by whomever: connections are cut, what was committed
// is written, and the data are left clean.
const guard = `"$@" </dev/null 3<&- & server=$!
{ read -r forever; kill -INT "$server"; } <&3 &
wait "$server"`

// alone are the settings of a server that nobody but its starter reaches, and
// that reaches nothing itself, whatever the files among its data say.
func alone(run string) []string {
	return []string{
		"config_file=" + filepath.Join(run, "postgresql.conf"), "hba_file=" + filepath.Join(run, "pg_hba.conf"), "ident_file=" + filepath.Join(run, "pg_ident.conf"),
		"external_pid_file=", "listen_addresses=", "unix_socket_directories=" + run, "unix_socket_permissions=0700", "port=5432", "ssl=off",
		"archive_mode=off", "primary_conninfo=", "primary_slot_name=", "synchronous_standby_names=", "hot_standby=off",
		"shared_preload_libraries=", "session_preload_libraries=", "local_preload_libraries=",
		"fsync=on", "full_page_writes=on", "synchronous_commit=on", "restart_after_crash=off", "max_connections=60",
		"logging_collector=off", "log_destination=stderr", "log_min_messages=warning", "lc_messages=C",
	}
}

// Existing is a server on data that were there before and that stay.
type Existing struct {
	run   string   // socket, log and settings; goes with it
	alive *os.File // the pipe's end whose closing stops the server
	ended chan struct{}
}

// Of finds the programs of a version.
func Of(major int) (bin string, err error) {
	bin, err = Binaries()
	if err == nil && majorOf(filepath.Join(bin, "postgres")) == major {
		return bin, nil
	}
	bin = fmt.Sprintf("/usr/lib/postgresql/%d/bin", major)
	if _, err := os.Stat(filepath.Join(bin, "postgres")); err != nil {
		return "", fmt.Errorf("no PostgreSQL server of version %d is installed. Run: sudo apt-get install -y postgresql-%d", major, major)
	}
	return bin, nil
}

// Run starts the server of a version on a data directory, which belongs to
// Account, alone with its caller; settings ("name=value") come after those that
// keep it alone. See Await.
func Run(major int, data string, settings ...string) (*Existing, error) {
	bin, err := Of(major)
	if err != nil {
		return nil, err
	}
	who, err := Account()
	if err != nil {
		return nil, err
	}
	run, err := os.MkdirTemp(runParent(who), "panshi-pg-")
	if err != nil {
		return nil, err
	}
	e := &Existing{run: run, ended: make(chan struct{})}
	args := []string{"-c", guard, "sh", filepath.Join(bin, "postgres"), "-D", data}
	for _, s := range append(alone(run), settings...) {
		args = append(args, "-c", s)
	}
	if err := errors.Join(e.prepare(who), e.start(who, args)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(run))
	}
	return e, nil
}

// longest is how long a parent's path may be, so that the path of a socket below
// it stays below the limit of 107 bytes.
const longest = 60

// runParent is where the directory of a server's socket goes: the usual place,
// unless its path is too long or another account could not enter it.
func runParent(who *syscall.Credential) string {
	if who != nil || len(os.TempDir()) > longest {
		return "/tmp"
	}
	return ""
}

func (e *Existing) prepare(who *syscall.Credential) error {
	err := errors.Join(
		os.WriteFile(filepath.Join(e.run, "postgresql.conf"), nil, 0o600),
		os.WriteFile(filepath.Join(e.run, "pg_ident.conf"), nil, 0o600),
		os.WriteFile(filepath.Join(e.run, "pg_hba.conf"), []byte("local all,replication all trust\n"), 0o600),
	)
	if err != nil {
		return err
	}
	return Give(e.run, who)
}

// Give makes an account the owner of a directory and of all in it; nil leaves
// everything as it is.
func Give(dir string, who *syscall.Credential) error {
	if who == nil {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(who.Uid), int(who.Gid))
	})
}

func (e *Existing) start(who *syscall.Credential, args []string) error {
	log, err := os.Create(filepath.Join(e.run, "log"))
	if err != nil {
		return err
	}
	defer log.Close() // the server has it
	waits, alive, err := os.Pipe()
	if err != nil {
		return err
	}
	defer waits.Close() // the guard has it
	cmd := exec.Command("/bin/sh", args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = e.run, log, log, []*os.File{waits}
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setsid: true}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, alive.Close())
	}
	e.alive = alive
	go func() {
		defer close(e.ended)
		_ = cmd.Wait() // the log says why
	}()
	return nil
}

// Await waits until the server answers; its end before that is an error with the
// last lines of its log.
func (e *Existing) Await(ctx context.Context, role, database string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := e.Text(ctx, role, database, "SELECT 'up'"); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-e.ended:
			return errors.New("the server ended: " + lastLines(e.Log(), 5))
		case <-tick.C:
		}
	}
}

// Log is what the server has said.
func (e *Existing) Log() string {
	text, _ := os.ReadFile(filepath.Join(e.run, "log")) // it is there, or there is nothing to say
	return string(text)
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}

// Text reads one text by a query.
func (e *Existing) Text(ctx context.Context, role, database, query string) (text string, err error) {
	conn, err := pgx.Connect(ctx, e.URL(role, database))
	if err != nil {
		return "", err
	}
	err = conn.QueryRow(ctx, query).Scan(&text)
	return text, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
}

// URL is how to reach a database of the server.
func (e *Existing) URL(role, database string) string {
	return fmt.Sprintf("host=%s port=5432 user=%s dbname=%s sslmode=disable", e.run, quoted(role), quoted(database))
}

// quoted writes a value of a connection string.
func quoted(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// Close stops the server cleanly and waits for its end.
func (e *Existing) Close() error {
	err := e.alive.Close()
	<-e.ended
	return errors.Join(err, os.RemoveAll(e.run))
}

// MajorOf reads which version some data belong to.
func MajorOf(data string) (int, error) {
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
