package postgres

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"

	"panshi/internal/errs"
)

// OpenStandby returns the database on a server that follows another one. It
// does not connect yet, so that a standby which is down keeps no shop from
// starting, and it migrates nothing. Updates fail; a View fails fast, because
// whoever reads here can read elsewhere.
func OpenStandby(cfg Config) (*DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "db_config", "the database's configuration is wrong")
	}
	cfg = cfg.withDefaults()
	cfg.Retries = 1
	online, err := cfg.standbyPool(cfg.MaxConns, false)
	if err != nil {
		return nil, err
	}
	long, err := cfg.standbyPool(cfg.LongConns, true)
	if err != nil {
		online.Close()
		return nil, err
	}
	return newDB(cfg, online, long)
}

// standbyPool makes connections without looking at the server's settings:
// those that durability rests on are the primary's.
func (c *Config) standbyPool(n int, forLong bool) (*pool, error) {
	limit := c.StatementLimit
	if forLong {
		limit = c.LongLimit
	}
	config, err := c.poolConfig(n, limit)
	if err != nil {
		return nil, err
	}
	p, err := pgxpool.NewWithConfig(context.Background(), config) // connects when it is used
	if err != nil {
		return nil, fmt.Errorf("db: %w", err)
	}
	return &pool{p, limit}, nil
}

// Address is the host and port in a database's URL, fit to be shown: the URL
// may hold a password.
func Address(url string) string {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return "?"
	}
	return net.JoinHostPort(config.ConnConfig.Host, strconv.Itoa(int(config.ConnConfig.Port)))
}
