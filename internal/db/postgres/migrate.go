package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"panshi/internal/errs"
)

//go:embed migrations
var embedded embed.FS

// Migrations are the shop's, NNNN_name.sql at the root, with the numbers, the
// tables and the columns that the other engine's have.
func Migrations() fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic("postgres: " + err.Error()) // the name is a constant
	}
	return sub
}

// migrate brings the schema up to date, one transaction a file. Of several
// processes that start together one migrates, and the others wait for it. A
// schema that is up to date is only looked at.
func migrate(ctx context.Context, cfg Config) (err error) {
	pool, err := migrationPool(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600)) // seconds between tries, tries
	if err != nil {
		return fmt.Errorf("db: the migrations' lock: %w", err)
	}
	p, err := goose.NewProvider(goose.DialectPostgres, pool, cfg.Migrations,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()), goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("db: reading the migrations: %w", err)
	}
	return apply(ctx, cfg, p, pool)
}

func apply(ctx context.Context, cfg Config, p *goose.Provider, pool *sql.DB) error {
	sources := p.ListSources()
	target := sources[len(sources)-1].Version // NewProvider refuses none at all
	current, err := schemaVersion(ctx, pool)
	if err != nil {
		return err
	}
	if current > target {
		return errs.New(errs.Conflict, "database_newer",
			fmt.Sprintf("the database has schema %d, this program knows %d only; run the newer program", current, target))
	}
	if current == target {
		return nil
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("db: migrating: %w", translate(err, "migration"))
	}
	cfg.Logger.Info("db: schema brought up to date", slog.Int64("from", current), slog.Int64("to", target))
	return nil
}

// schemaVersion is the last migration that was applied, 0 if none was. It
// writes nothing, so that many processes may look at once.
func schemaVersion(ctx context.Context, pool *sql.DB) (version int64, err error) {
	var there bool
	err = pool.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, goose.DefaultTablename).Scan(&there)
	if err == nil && there {
		err = pool.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM `+goose.DefaultTablename+
			` WHERE is_applied`).Scan(&version)
	}
	if err != nil {
		return 0, fmt.Errorf("db: the schema's version: %w", translate(err, "version"))
	}
	return version, nil
}

// migrationPool is connections for goose, without a limit on statements: the
// largest tables take their time, once.
func migrationPool(cfg Config) (*sql.DB, error) {
	config, err := cfg.poolConfig(1, time.Hour)
	if err != nil {
		return nil, err
	}
	c := config.ConnConfig
	c.DefaultQueryExecMode = pgx.QueryExecModeExec // a migration is seen once
	c.RuntimeParams["statement_timeout"] = "0"
	c.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	c.RuntimeParams["lock_timeout"] = millis(30 * time.Second)
	pool := stdlib.OpenDB(*c, stdlib.OptionAfterConnect(assertSettings))
	pool.SetMaxOpenConns(2) // one holds the lock
	return pool, nil
}
