package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	driver "modernc.org/sqlite"
)

// KeepLog opens a connection whose only work is to be the last to close: the
// last one decides whether the log stays, and this one keeps it. Whoever ships
// the log finds it at the next start as it was. It is called while the database
// is open; what it returns is closed after the database and after everybody
// else who has the file open.
func KeepLog(ctx context.Context, path string) (io.Closer, error) {
	pool, err := sql.Open("sqlite", source(path, "rw", common()))
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	if err := keepLog(ctx, pool); err != nil {
		return nil, errors.Join(fmt.Errorf("db: keeping the log: %w", translate(err, "persist_wal")), pool.Close())
	}
	return pool, nil
}

func keepLog(ctx context.Context, pool *sql.DB) error {
	c, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // back into the pool of one, which stays open
	// A connection that has read nothing does not take part in closing the log.
	var pages int64
	if err := c.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&pages); err != nil {
		return err
	}
	return c.Raw(func(dc any) error {
		control, ok := dc.(driver.FileControl)
		if !ok {
			return fmt.Errorf("db: the driver's connection is a %T", dc)
		}
		_, err := control.FileControlPersistWAL("main", 1)
		return err
	})
}
