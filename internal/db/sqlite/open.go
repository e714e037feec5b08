package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"panshi/internal/db"
	"panshi/internal/errs"
)

// DB is the embedded database. It implements db.DB.
type DB struct {
	writer *writer
	online *readers
	long   *readers
	pool   *sql.DB // the writer's, of one connection
	close  func() error
}

var (
	_ db.DB         = (*DB)(nil)
	_ db.Subscriber = (*DB)(nil)
)

// Open opens the database, creating it and its directory if there is none,
// brings its schema up to date, and checks on every connection that the
// settings which durability rests on are really in force. ctx bounds opening
// only. It does not lock the directory; db.LockDir does.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "db_config", "the database's configuration is wrong")
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o700); err != nil {
		return nil, fmt.Errorf("db: creating the data directory: %w", err)
	}
	if err := rewriteLog(cfg.Path); err != nil {
		return nil, err
	}
	pool, err := sql.Open("sqlite", writerSource(cfg))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	c, err := openWriter(ctx, cfg, pool)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return start(cfg, pool, c)
}

// openWriter migrates and returns the checked writing connection.
func openWriter(ctx context.Context, cfg Config, pool *sql.DB) (*conn, error) {
	if err := createPrivate(cfg.Path); err != nil {
		return nil, err
	}
	var version string
	if err := pool.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return nil, fmt.Errorf("db: opening %s: %w", filepath.Base(cfg.Path), translate(err, "open"))
	}
	if err := checkVersion(version, cfg.MinVersion); err != nil {
		return nil, err
	}
	if err := migrate(ctx, cfg, pool); err != nil {
		return nil, err
	}
	c, err := newConn(ctx, pool, cfg.limit)
	if err != nil {
		return nil, err
	}
	if err := c.assert(ctx, writerSettings(cfg)); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// createPrivate makes the file readable by its owner only; SQLite gives the
// log the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("db: creating the database: %w", err)
	}
	return f.Close()
}

func start(cfg Config, pool *sql.DB, c *conn) (*DB, error) {
	readPool, err := sql.Open("sqlite", readerSource(cfg))
	if err != nil {
		return nil, errors.Join(err, c.close(), pool.Close())
	}
	longPool, err := sql.Open("sqlite", readerSource(cfg))
	if err != nil {
		return nil, errors.Join(err, c.close(), pool.Close(), readPool.Close())
	}
	d := &DB{
		pool:   pool,
		writer: newWriter(cfg, c),
		online: newReaders(cfg, readPool, cfg.ReadConns),
		long:   newReaders(cfg, longPool, cfg.LongReadConns),
	}
	d.close = sync.OnceValue(d.shutdown)
	go d.writer.loop()
	go d.writer.notify()
	return d, nil
}

// setting is a PRAGMA and what it must read back as.
type setting struct{ name, value, reads string }

func common() []setting {
	return []setting{
		{"busy_timeout", fmt.Sprint(busyTimeout.Milliseconds()), fmt.Sprint(busyTimeout.Milliseconds())},
		{"foreign_keys", "1", "1"},
		{"temp_store", "MEMORY", "2"},
		{"mmap_size", "0", "0"},
	}
}

func writerSettings(cfg Config) []setting {
	return append(common(),
		setting{"journal_mode", "WAL", "wal"},
		synchronous(cfg),
		setting{"secure_delete", "FAST", "2"},
		setting{"wal_autocheckpoint", "0", "0"},
		setting{"journal_size_limit", "67108864", "67108864"},
		setting{"cache_size", "-32768", "-32768"},
	)
}

func readerSettings() []setting {
	return append(common(),
		setting{"query_only", "1", "1"},
		setting{"cache_size", "-8192", "-8192"},
	)
}

func writerSource(cfg Config) string { return source(cfg.Path, "rwc", writerSettings(cfg)) }
func readerSource(cfg Config) string { return source(cfg.Path, "ro", readerSettings()) }

func source(path, mode string, settings []setting) string {
	query := []string{"mode=" + mode}
	for _, s := range settings {
		query = append(query, "_pragma="+url.QueryEscape(s.name+"("+s.value+")"))
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: strings.Join(query, "&")}
	return u.String()
}

// openReader returns a checked read-only connection.
func openReader(ctx context.Context, cfg Config, pool *sql.DB) (*conn, error) {
	c, err := newConn(ctx, pool, cfg.limit)
	if err != nil {
		return nil, err
	}
	settings := readerSettings()
	if !cfg.still {
		settings = append(settings, setting{name: "journal_mode", reads: "wal"})
	}
	if err := c.assert(ctx, settings); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// assert reads every setting back: SQLite ignores what it does not like.
func (c *conn) assert(ctx context.Context, settings []setting) error {
	var all []error
	for _, s := range settings {
		got, err := c.pragma(ctx, s.name)
		if err == nil && got != s.reads {
			err = fmt.Errorf("db: %s is %q although %q was asked for", s.name, got, s.reads)
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

// View implements db.DB.
func (d *DB) View(ctx context.Context, fn func(tx *db.Tx) error) error {
	if db.IsLong(ctx) {
		return d.long.view(ctx, fn)
	}
	return d.online.view(ctx, fn)
}

// Update implements db.DB.
func (d *DB) Update(ctx context.Context, fn func(tx *db.Tx) error) error {
	return d.writer.update(ctx, fn)
}

// Subscribe implements db.Subscriber.
func (d *DB) Subscribe(topic string, hear func(text string)) (stop func()) {
	return d.writer.board.Subscribe(topic, hear)
}

// Close finishes the batch that runs, answers those that wait with
// db.ErrClosing, interrupts readers, empties the log into the database file
// and closes it. Repeats return what the first returned.
func (d *DB) Close() error { return d.close() }

func (d *DB) shutdown() error {
	close(d.writer.closing)
	<-d.writer.stopped
	close(d.writer.wakes)
	<-d.writer.woken
	all := []error{d.online.close(), d.long.close()}
	d.writer.lastCheckpoint()
	return errors.Join(append(all, d.writer.conn.close(), d.pool.Close())...)
}
