package app

import (
	"context"
	"errors"
	"log/slog"

	"panshi/internal/cache"
	"panshi/internal/db"
	"panshi/internal/db/postgres"
	"panshi/internal/db/replica"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// database is the engine that a shop was opened with, and what only the
// engine itself can tell.
type database struct {
	cache.Database
	close  func() error
	name   string  // "SQLite", "PostgreSQL"
	gauges []gauge // for metrics
	backup shipping
	lost   func() <-chan struct{} // closed when another machine writes; nil without a lease

	replicas func() []replica.State // nil without read replicas
}

// gauge is a number that monitoring may read at any time.
type gauge struct {
	name, help string
	read       func() float64
	labels     map[string]string
}

// openDatabase opens the engine that cfg names: PostgreSQL if db.url is set,
// else the file in the data directory.
func openDatabase(ctx context.Context, cfg Config, log *slog.Logger) (*database, error) {
	if cfg.DB.URL != "" {
		return openPostgres(ctx, cfg, log)
	}
	return openSQLite(ctx, cfg, log, nil)
}

// openSQLite opens the file in the data directory; nil is the engine's own
// Checkpointer.
func openSQLite(ctx context.Context, cfg Config, log *slog.Logger, checkpointer db.Checkpointer) (*database, error) {
	d, err := sqlite.Open(ctx, sqlite.Config{Dir: cfg.Data, Logger: log, ReadConns: cfg.DB.ReadConns, Checkpointer: checkpointer})
	if err != nil {
		return nil, err
	}
	return &database{Database: d, close: d.Close, name: "SQLite", backup: atRest(cfg), gauges: []gauge{
		{name: "panshi_db_queue", help: "Transactions that wait for the writer.", read: func() float64 { return float64(d.Stats().Queue) }},
		{name: "panshi_db_batches_total", help: "Commits since the start.", read: func() float64 { return float64(d.Stats().Batches) }},
		{name: "panshi_db_closures_total", help: "Transactions run since the start.", read: func() float64 { return float64(d.Stats().Closures) }},
	}}, nil
}

func openPostgres(ctx context.Context, cfg Config, log *slog.Logger) (*database, error) {
	d, err := postgres.Open(ctx, postgres.Config{URL: string(cfg.DB.URL), Logger: log, MaxConns: cfg.DB.MaxConns})
	if err != nil {
		return nil, unreachable(err)
	}
	opened := &database{Database: d, close: d.Close, name: "PostgreSQL", backup: atRest(cfg), gauges: []gauge{
		{name: "panshi_db_connections", help: "Connections to the database server.", read: func() float64 { return float64(d.Stats().Conns) }},
		{name: "panshi_db_connections_busy", help: "Connections at work.", read: func() float64 { return float64(d.Stats().Busy) }},
		{name: "panshi_db_commits_total", help: "Transactions committed since the start.", read: func() float64 { return float64(d.Stats().Commits) }},
		{name: "panshi_db_retries_total", help: "Transactions run again since the start.", read: func() float64 { return float64(d.Stats().Retries) }},
	}}
	if len(cfg.DB.ReplicaURLs) > 0 {
		if err := opened.follow(cfg, log); err != nil { //nolint:contextcheck // it connects when it is used
			return nil, errors.Join(unreachable(err), opened.close())
		}
	}
	return opened, nil
}

// unreachable gives an error of the server a code, if the engine gave none.
func unreachable(err error) error {
	var e *errs.Error
	if errors.As(err, &e) || errors.Is(err, context.Canceled) {
		return err
	}
	wrapped := errs.Wrap(err, errs.Unavailable, "database_unreachable", "the database server of db.url cannot be used")
	wrapped.Field = "db.url"
	return wrapped
}

// Close ends the engine.
func (d *database) Close() error { return d.close() }

// version reads the engine's name and version.
func (d *database) version(tx *db.Tx) (string, error) {
	query := `SELECT sqlite_version()`
	if tx.Engine() == db.Postgres {
		query = `SELECT current_setting('server_version')`
	}
	var version string
	err := tx.Get([]any{&version}, query)
	return d.name + " " + version, err
}

// holder names this process among those that share a database. On SQLite the
// lock on the data directory leaves only one, so the name is always the same: a
// shop that was killed takes its leases back at once, where another name would
// keep every sweep waiting until they run out. On a server each start has a
// name of its own, because the process before may still be at work.
func (c Config) holder() string {
	if c.DB.URL == "" {
		return "all"
	}
	return id.New().String()
}
