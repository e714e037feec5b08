package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"panshi/internal/db/postgres"
)

// keeper starts the server and waits until the test process is gone, however
// it ends: then its end of the pipe closes, and read returns. The directory
// goes with the server.
const keeper = `"$0" -D "$1/data" </dev/null & server=$!
read -r forever
kill -QUIT "$server"; wait "$server"; rm -rf "$1"`

// settings are for many short-lived databases; what durability rests on is as
// in production.
const settings = `
listen_addresses = ''
unix_socket_directories = '%s'
unix_socket_permissions = 0700
max_connections = 300
shared_buffers = 64MB
max_wal_size = 512MB
checkpoint_timeout = 1h
min_wal_size = 16MB
fsync = on
synchronous_commit = on
full_page_writes = on
deadlock_timeout = 200ms
logging_collector = off
log_min_messages = fatal
`

// cluster is a server of the test process's own.
type cluster struct {
	dir   string   // holds data, socket and log
	alive *os.File // the pipe's end whose closing stops the server
	names atomic.Int64

	mu   sync.Mutex
	used []string // guarded by mu; databases that no test uses any more
}

// usedLimit bounds how many of them take up room: dropping one makes the
// server write out all the others, so they are dropped together, or never.
const usedLimit = 24

// migrated is the database that Postgres copies.
const migrated = "panshi_migrated"

// memory is a file system in memory, where Linux has one. A test's server loses
// nothing there that the test could miss: it is the shop that is killed, and
// waiting for a disk is most of what a test of a store would do.
const memory = "/dev/shm"

// roomInMemory is what several servers at once may need, in bytes.
const roomInMemory = 4 << 30

// inMemory is memory, or "" (the temporary directory) where there is too little.
func inMemory() string {
	var fs syscall.Statfs_t
	const tmpfs = 0x01021994
	if err := syscall.Statfs(memory, &fs); err != nil || fs.Type != tmpfs || fs.Bavail*uint64(fs.Bsize) < roomInMemory {
		return ""
	}
	return memory
}

// startCluster makes and starts a server with its data below dir ("" is the
// temporary directory), and in it one database that is migrated.
func startCluster(dir string) (*cluster, error) {
	bin, err := serverBinaries()
	if err != nil {
		return nil, err
	}
	who, err := serverAccount()
	if err != nil {
		return nil, err
	}
	dir, err = os.MkdirTemp(dir, "panshi-pg-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir}
	if err := c.start(bin, who); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, c.fill()
}

func (c *cluster) start(bin string, who *syscall.Credential) error {
	if who != nil {
		if err := os.Chown(c.dir, int(who.Uid), int(who.Gid)); err != nil {
			return err
		}
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(c.dir, "data"), "-U", "panshi",
		"-A", "trust", "-E", "UTF8", "--locale=C", "--wal-segsize=4", "--no-sync", "--no-instructions")
	initdb.Dir = c.dir
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	config, err := os.OpenFile(filepath.Join(c.dir, "data", "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(config, settings, c.dir)
	if err := errors.Join(err, config.Close()); err != nil {
		return err
	}
	return c.run(bin, who)
}

// run starts the keeper in a session of its own, out of reach of signals that
// are meant for the test. It leaves no goroutine behind.
func (c *cluster) run(bin string, who *syscall.Credential) error {
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

// fill waits until the server answers and makes the migrated database.
func (c *cluster) fill() error {
	var err error
	for range 3000 {
		if err = c.admin("SELECT 1"); err == nil {
			break
		}
		pause := syscall.NsecToTimespec(int64(10 * time.Millisecond))
		_ = syscall.Nanosleep(&pause, nil) // real time: in a synctest bubble time.Sleep would not wait
	}
	if err != nil {
		text, _ := os.ReadFile(filepath.Join(c.dir, "log"))
		return fmt.Errorf("the server does not answer: %w\n%s", err, text)
	}
	if err := c.admin("CREATE DATABASE " + migrated + " TEMPLATE template0"); err != nil {
		return err
	}
	d, err := postgres.Open(context.Background(), postgres.Config{URL: c.url(migrated)})
	if err != nil {
		return err
	}
	return d.Close()
}

// create makes a database from a template.
func (c *cluster) create(template string) (name string, err error) {
	name = "test" + strconv.FormatInt(c.names.Add(1), 10)
	return name, c.admin("CREATE DATABASE " + name + " TEMPLATE " + template)
}

// done gives a database up.
func (c *cluster) done(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used = append(c.used, name)
	if len(c.used) < usedLimit {
		return nil
	}
	var drops []string
	for _, name := range c.used {
		drops = append(drops, "DROP DATABASE "+name+" WITH (FORCE)")
	}
	c.used = nil
	return c.admin(drops...)
}

// admin runs statements on a connection of its own: one that was kept would
// belong to the synctest bubble that opened it.
func (c *cluster) admin(statements ...string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, c.url("postgres"))
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

func (c *cluster) url(database string) string {
	return fmt.Sprintf("host=%s user=panshi dbname=%s sslmode=disable", c.dir, database)
}

// serverBinaries finds the folder of the newest server.
func serverBinaries() (string, error) {
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

// serverAccount is who the server runs as; nil is the test's own account. The
// server refuses to run as root.
func serverAccount() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nil is the account that runs the test
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("the server cannot run as root, and there is no other account: %w", err)
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
