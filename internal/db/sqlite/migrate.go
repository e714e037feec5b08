package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"

	"panshi/internal/errs"
)

//go:embed migrations
var embedded embed.FS

// Migrations are the shop's, NNNN_name.sql at the root.
func Migrations() fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic("sqlite: " + err.Error()) // the name is a constant
	}
	return sub
}

// migrate brings the schema up to date, one transaction a file. Foreign keys
// are not enforced while a file rebuilds tables (dropping the old one would
// cascade), but all of them must hold afterwards.
func migrate(ctx context.Context, cfg Config, pool *sql.DB) error {
	p, err := goose.NewProvider(goose.DialectSQLite3, pool, cfg.Migrations,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("db: reading the migrations: %w", err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("db: the schema's version: %w", translate(err, "version"))
	}
	if current > target {
		return errs.New(errs.Conflict, "database_newer",
			fmt.Sprintf("the database has schema %d, this program knows %d only; run the newer program", current, target))
	}
	if current == target {
		return nil
	}
	if err := apply(ctx, p, pool); err != nil {
		return err
	}
	cfg.Logger.Info("db: schema brought up to date", slog.Int64("from", current), slog.Int64("to", target))
	return nil
}

func apply(ctx context.Context, p *goose.Provider, pool *sql.DB) error {
	if _, err := pool.ExecContext(ctx, "PRAGMA foreign_keys=0"); err != nil {
		return translate(err, "foreign_keys")
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("db: migrating: %w", translate(err, "migration"))
	}
	var table string
	switch err := pool.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table); err {
	case sql.ErrNoRows:
	case nil:
		return errs.New(errs.Integrity, "migration_broke_keys", "after migrating, rows of "+table+" refer to rows that are missing")
	default:
		return translate(err, "foreign_key_check")
	}
	_, err := pool.ExecContext(ctx, "PRAGMA foreign_keys=1")
	return translate(err, "foreign_keys")
}
