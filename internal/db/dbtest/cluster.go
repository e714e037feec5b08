package dbtest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"

	"panshi/internal/db/pgserver"
	"panshi/internal/db/postgres"
)

// small are settings for many short-lived databases.
const small = `
shared_buffers = 64MB
max_wal_size = 1GB
min_wal_size = 16MB
checkpoint_timeout = 1h
`

// cluster is a server of the test process's own.
type cluster struct {
	*pgserver.Server
	names atomic.Int64

	mu   sync.Mutex
	used []string // guarded by mu; databases that no test uses any more
}

// usedLimit bounds how many of them take up room: dropping one makes the
// server write out all the others, so they are dropped together, or never.
const usedLimit = 24

// migrated is the database that Postgres copies.
const migrated = "panshi_migrated"

// startCluster makes and starts a server, with one database that is migrated.
func startCluster() (*cluster, error) {
	s, err := pgserver.Start("", small)
	if err != nil {
		return nil, err
	}
	c := &cluster{Server: s}
	if err := c.fill(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return c, nil
}

// fill makes the migrated database.
func (c *cluster) fill() error {
	if err := c.Admin("CREATE DATABASE " + migrated + " TEMPLATE template0"); err != nil {
		return err
	}
	d, err := postgres.Open(context.Background(), postgres.Config{URL: c.URL(migrated)})
	if err != nil {
		return err
	}
	return d.Close()
}

// create makes a database from a template.
func (c *cluster) create(template string) (name string, err error) {
	name = "test" + strconv.FormatInt(c.names.Add(1), 10)
	return name, c.Admin("CREATE DATABASE " + name + " TEMPLATE " + template)
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
	return c.Admin(drops...)
}
