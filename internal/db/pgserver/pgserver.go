package pgserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"panshi/internal/db/postgres"
)

// keeper starts the server and waits until the process that asked is gone, however
// it ends: then its end of the pipe closes, and read returns. The directory
// goes with the server.
const keeper = `"$0" -D "$1/data" </dev/null & server=$!
read -r forever
kill -QUIT "$server"; wait "$server"; rm -rf "$1"`

// settings keep the server to itself; what durability rests on is as in
// production.
const settings = `
listen_addresses = ''
unix_socket_directories = '%s'
unix_socket_permissions = 0700
max_connections = 300
fsync = on
synchronous_commit = on
full_page_writes = on
deadlock_timeout = 200ms
logging_collector = off
log_min_messages = fatal
`

// Server is a running PostgreSQL server of this process's own.
type Server struct {
	dir   string   // holds data, socket and log
	alive *os.File // the pipe's end whose closing stops the server; nil: it runs elsewhere
	at    string   // the address of one that runs elsewhere
}

// At is a server that runs already, by the address of one of its databases. Close leaves it running.
func At(address string) *Server { return &Server{at: address} }

// Start makes and starts a server in a new directory below parent ("" is the
// system's for temporary files). settings are lines of postgresql.conf, which
// come last. The server and its directory end with Close or with the process,
// however that ends. Without installed binaries it fails and says what to
// install.
func Start(parent, settings string) (*Server, error) {
	bin, err := Binaries()
	if err != nil {
		return nil, err
	}
	who, err := Account()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "panshi-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	if err := s.start(bin, who, settings); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.await(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close stops the server, at once and without a checkpoint, and waits until its
// directory is gone.
func (c *Server) Close() error {
	if c.alive == nil {
		return nil
	}
	if err := c.alive.Close(); err != nil {
		return err
	}
	for range 3000 {
		if _, err := os.Stat(filepath.Join(c.dir, "data")); os.IsNotExist(err) {
			// The keeper's account may not be allowed to remove the directory itself.
			return os.RemoveAll(c.dir)
		}
		pause()
	}
	return errors.New("the PostgreSQL server does not stop: " + c.dir)
}

// PID is the process that started all other processes of the server.
func (c *Server) PID() (int, error) {
	text, err := os.ReadFile(filepath.Join(c.dir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(strings.TrimSpace(line))
}

// InitArgs are what initdb is told to make a server's data in a folder.
func InitArgs(data string) []string {
	return []string{
		"-D", data, "-U", "panshi", "-A", "trust", "-E", "UTF8", "--locale=C", "--wal-segsize=4", "--no-sync", "--no-instructions",
	}
}

// Settings are the lines of postgresql.conf of a server whose socket lies in a
// folder, more lines after them.
func Settings(socket, more string) string { return fmt.Sprintf(settings, socket) + more + "\n" }

func (c *Server) start(bin string, who *syscall.Credential, more string) error {
	if who != nil {
		if err := os.Chown(c.dir, int(who.Uid), int(who.Gid)); err != nil {
			return err
		}
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), InitArgs(filepath.Join(c.dir, "data"))...)
	initdb.Dir = c.dir
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	config, err := os.OpenFile(filepath.Join(c.dir, "data", "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = config.WriteString(Settings(c.dir, more))
	if err := errors.Join(err, config.Close()); err != nil {
		return err
	}
	return c.run(bin, who)
}

// run starts the keeper in a session of its own, out of reach of signals that
// are meant for this one. It leaves no goroutine behind.
func (c *Server) run(bin string, who *syscall.Credential) error {
	log, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close() // the server has it
	waits, alive, err := os.Pipe()
	if err != nil {
		return err
	}
	defer waits.Close() // the keeper has it
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", keeper, filepath.Join(bin, "postgres"), c.dir},
		&os.ProcAttr{
			Dir: c.dir, Env: os.Environ(), Files: []*os.File{waits, log, log},
			Sys: &syscall.SysProcAttr{Setsid: true, Credential: who},
		})
	if err != nil {
		return errors.Join(err, alive.Close())
	}
	c.alive = alive
	return p.Release()
}

// await waits until the server answers.
func (c *Server) await() error {
	var err error
	for range 3000 {
		if err = c.Admin("SELECT 1"); err == nil {
			return nil
		}
		pause()
	}
	text, _ := os.ReadFile(filepath.Join(c.dir, "log"))
	return fmt.Errorf("the server does not answer: %w\n%s", err, text)
}

// pause waits in real time: in a synctest bubble time.Sleep would not.
func pause() {
	wait := syscall.NsecToTimespec(int64(10 * time.Millisecond))
	_ = syscall.Nanosleep(&wait, nil) // woken early it waits again
}

// Admin runs statements on a connection of its own: one that was kept would
// belong to the synctest bubble that opened it.
func (c *Server) Admin(statements ...string) error {
	ctx := context.Background()
	address := c.at
	if address == "" {
		address = c.URL("postgres")
	}
	conn, err := pgx.Connect(ctx, address)
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

// URL is how to reach a database of the server.
func (c *Server) URL(database string) string {
	if u, err := url.Parse(c.at); err == nil && u.Scheme != "" {
		u.Path = "/" + database
		return u.String()
	}
	if c.at != "" { // the last word counts
		return c.at + " dbname=" + database
	}
	return fmt.Sprintf("host=%s user=panshi dbname=%s sslmode=disable", c.dir, database)
}

// Binaries finds the folder of the newest server.
func Binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is right
	slices.SortFunc(found, func(a, b string) int { return majorOf(b) - majorOf(a) })
	for _, name := range found {
		if majorOf(name) >= postgres.MinVersion/10000 {
			return filepath.Dir(name), nil
		}
	}
	if name, err := exec.LookPath("initdb"); err == nil {
		if name, err = filepath.EvalSymlinks(name); err == nil {
			return filepath.Dir(name), nil
		}
	}
	return "", errors.New("no PostgreSQL server (15 or newer) is installed. Run: sudo apt-get install -y postgresql-15")
}

func majorOf(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path)))) // 0 is old enough to be passed over
	return n
}

// Account is who the server runs as; nil is this process's own. The
// server refuses to run as root.
func Account() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nil is the account that runs this process
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("PostgreSQL cannot run as root, and there is no other account: %w", err)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
