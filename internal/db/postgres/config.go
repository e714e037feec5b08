package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"panshi/internal/clock"
)

// MinVersion is the oldest server that may be used, as server_version_num.
const MinVersion = 150000

// DefaultMaxConns is how many connections for online work there are if nothing
// is said.
const DefaultMaxConns = 16

// grace is how much longer than its limit a statement is waited for before
// its connection is given up: then the server does not answer at all.
const grace = 3 * time.Second

// Config says where the database is and how hard it may be worked. The zero
// value of every field but URL is a good default.
type Config struct {
	URL string // postgres://user:password@host:port/name?sslmode=..., or key=value words

	Application string // by which others see the connections; default what URL says, or "panshi"

	Clock  clock.Clock  // default the system's
	Logger *slog.Logger // default: discard

	MaxConns       int           // connections for online work; default DefaultMaxConns
	LongConns      int           // connections for db.WithLong; default 4
	StatementLimit time.Duration // of one statement; default 2 s
	LongLimit      time.Duration // of one statement under db.WithLong; default 10 min
	LockLimit      time.Duration // of one wait for another's lock; default three quarters of the statement's limit
	Retries        int           // how often a closure runs again after a deadlock or a lost connection; default 8

	Migrations fs.FS // NNNN_name.sql at its root; default the embedded ones
}

// Validate reports all that is wrong at once.
func (c Config) Validate() error {
	var all []error
	if c.URL == "" {
		all = append(all, errors.New("db: the database's URL must be set"))
	} else if _, err := pgxpool.ParseConfig(c.URL); err != nil {
		all = append(all, fmt.Errorf("db: the database's URL: %w", err)) // pgx hides the password
	}
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"connections", int64(c.MaxConns)},
		{"long connections", int64(c.LongConns)},
		{"statement limit", int64(c.StatementLimit)},
		{"long limit", int64(c.LongLimit)},
		{"lock limit", int64(c.LockLimit)},
		{"retries", int64(c.Retries)},
	} {
		if n.value < 0 {
			all = append(all, fmt.Errorf("db: %s must not be negative", n.name))
		}
	}
	return errors.Join(all...)
}

// Place names the database for people: server and name, no user and no
// password; "" if URL cannot be read.
func (c Config) Place() string {
	p, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return ""
	}
	host, port := p.ConnConfig.Host, strconv.Itoa(int(p.ConnConfig.Port))
	if strings.HasPrefix(host, "/") {
		return "postgres://" + host + "/" + p.ConnConfig.Database // a socket's directory
	}
	return "postgres://" + net.JoinHostPort(host, port) + "/" + p.ConnConfig.Database
}

// withDefaults fills what the caller left open.
func (c Config) withDefaults() Config {
	orDefault(&c.Clock, clock.Clock(clock.System{}))
	orDefault(&c.Logger, slog.New(slog.DiscardHandler))
	orDefault(&c.MaxConns, DefaultMaxConns)
	orDefault(&c.LongConns, 4)
	orDefault(&c.StatementLimit, 2*time.Second)
	orDefault(&c.LongLimit, 10*time.Minute)
	orDefault(&c.Retries, 8)
	if c.Migrations == nil {
		c.Migrations = Migrations()
	}
	return c
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// lockLimit is how long a statement with that limit waits for a lock: less
// than the whole, so that waiting for others and being slow are told apart,
// and more than the second after which PostgreSQL looks for deadlocks.
func (c *Config) lockLimit(limit time.Duration) time.Duration {
	if c.LockLimit > 0 {
		return min(c.LockLimit, limit)
	}
	return limit * 3 / 4
}

// poolConfig is the pool of n connections whose statements take at most limit.
func (c *Config) poolConfig(n int, limit time.Duration) (*pgxpool.Config, error) {
	p, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("db: the database's URL: %w", err)
	}
	p.MaxConns = int32(n)
	p.MinConns, p.MinIdleConns = 0, 0
	p.ConnConfig.ConnectTimeout = 5 * time.Second
	p.ConnConfig.StatementCacheCapacity, p.ConnConfig.DescriptionCacheCapacity = 0, 0 // link keeps its own
	p.ConnConfig.BuildContextWatcherHandler = cancelling
	p.ConnConfig.OnNotice = noteWarning
	set := p.ConnConfig.RuntimeParams
	if c.Application != "" {
		set["application_name"] = c.Application
	} else if set["application_name"] == "" {
		set["application_name"] = "panshi"
	}
	set["client_encoding"] = "UTF8"
	set["synchronous_commit"] = "on"
	set["default_transaction_isolation"] = "read committed"
	set["timezone"] = "UTC"
	set["jit"] = "off" // compiling costs more than any statement of a shop
	set["statement_timeout"] = millis(limit)
	set["lock_timeout"] = millis(c.lockLimit(limit))
	set["idle_in_transaction_session_timeout"] = millis(max(limit, time.Minute))
	return p, nil
}

func millis(d time.Duration) string {
	return strconv.FormatInt(max(d.Milliseconds(), 1), 10)
}

// cancelling asks the server to cancel what a View runs when its caller
// leaves, so that the connection serves the next.
func cancelling(c *pgconn.PgConn) ctxwatch.Handler {
	return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: grace}
}
