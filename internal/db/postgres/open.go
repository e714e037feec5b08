package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"panshi/internal/db"
	"panshi/internal/errs"
)

// DB is the database on a server. It implements db.DB.
type DB struct {
	cfg    Config
	online *pool
	long   *pool
	gate   *gate
	wary   *wary
	wire   *wire
	wakes  *waker
	stats  counters
	close  func() error
}

var (
	_ db.DB         = (*DB)(nil)
	_ db.Subscriber = (*DB)(nil)
)

// pool is connections with one time limit.
type pool struct {
	*pgxpool.Pool
	limit time.Duration
}

// Open connects, brings the schema up to date, and checks on every connection
// that the server is new enough and that the settings which durability rests
// on are really in force. ctx bounds opening only.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "db_config", "the database's configuration is wrong")
	}
	cfg = cfg.withDefaults()
	online, err := cfg.openPool(ctx, cfg.MaxConns, cfg.StatementLimit)
	if err != nil {
		return nil, err
	}
	long, err := cfg.openPool(ctx, cfg.LongConns, cfg.LongLimit)
	if err != nil {
		online.Close()
		return nil, err
	}
	if err := prepareServer(ctx, cfg, online); err != nil {
		online.Close()
		long.Close()
		return nil, err
	}
	return newDB(cfg, online, long)
}

// newDB puts a database together; if it cannot, the pools are closed.
func newDB(cfg Config, online, long *pool) (*DB, error) {
	wire, err := newWire(cfg, online)
	if err != nil {
		online.Close()
		long.Close()
		return nil, err
	}
	d := &DB{cfg: cfg, online: online, long: long, gate: newGate(), wary: &wary{}, wire: wire, wakes: newWaker(cfg.Logger, wire.post)}
	d.close = sync.OnceValue(d.shutdown)
	return d, nil
}

func (c *Config) openPool(ctx context.Context, n int, limit time.Duration) (*pool, error) {
	config, err := c.poolConfig(n, limit)
	if err != nil {
		return nil, err
	}
	config.AfterConnect = assertSettings
	p, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("db: %w", err)
	}
	return &pool{p, limit}, nil
}

// prepareServer makes the first connection, whose error is the clearest, and
// migrates.
func prepareServer(ctx context.Context, cfg Config, p *pool) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("db: connecting: %w", err)
	}
	c.Release()
	return migrate(ctx, cfg)
}

// assertSettings reads back what a new connection runs with: a server, a
// database or a role may have been configured otherwise.
func assertSettings(ctx context.Context, c *pgx.Conn) error {
	var version int
	var commit, fsync, pages, encoding string
	err := c.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, current_setting('synchronous_commit'),
		current_setting('fsync'), current_setting('full_page_writes'), current_setting('server_encoding')`,
		pgx.QueryExecModeSimpleProtocol).Scan(&version, &commit, &fsync, &pages, &encoding)
	if err != nil {
		return fmt.Errorf("db: reading the server's settings back: %w", err)
	}
	var all []error
	if version < MinVersion {
		all = append(all, fmt.Errorf("db: PostgreSQL %d is too old, %d is needed", version/10000, MinVersion/10000))
	}
	for _, s := range []struct{ name, got, want string }{
		{"synchronous_commit", commit, "on"},
		{"fsync", fsync, "on"},
		{"full_page_writes", pages, "on"},
		{"server_encoding", encoding, "UTF8"},
	} {
		if s.got != s.want {
			all = append(all, fmt.Errorf("db: the server's %s is %q; it must be %q", s.name, s.got, s.want))
		}
	}
	if err := errors.Join(all...); err != nil {
		return errs.Wrap(err, errs.Invalid, "db_server", "the database server is not fit for a shop")
	}
	return nil
}

// View implements db.DB.
func (d *DB) View(ctx context.Context, fn func(tx *db.Tx) error) error {
	return d.transact(ctx, fn, reading)
}

// Update implements db.DB.
func (d *DB) Update(ctx context.Context, fn func(tx *db.Tx) error) error {
	return d.transact(ctx, fn, writing)
}

// Close lets the Updates that run finish, answers those that wait for a
// connection with db.ErrClosing, interrupts Views and disconnects. Repeats
// return what the first returned.
func (d *DB) Close() error { return d.close() }

func (d *DB) shutdown() error {
	left := d.gate.close()
	d.wakes.close()
	d.wire.close()
	if !left {
		// A pool waits for its connections, and a View's closure does not return.
		d.cfg.Logger.Error("db: a View does not end; closing without it")
		go d.online.Close()
		go d.long.Close()
		return nil
	}
	d.online.Close()
	d.long.Close()
	return nil
}
