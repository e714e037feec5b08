package migrate

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"panshi/internal/db"
	"panshi/internal/db/postgres"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
)

// Place is one side of a move: a data directory, or a database on a server.
type Place struct {
	dir    string
	server string // how to connect: a URL, or key=value words; "" for a directory
	name   string // of the server's database, for people
}

// ParsePlace reads a directory's path or what db.url may be. Errors name the
// field and never quote a password.
func ParsePlace(field, text string) (Place, error) {
	if text == "" {
		return Place{}, errs.Field(field, "required", "a data directory or a PostgreSQL URL is needed")
	}
	if !strings.Contains(text, "://") && !strings.Contains(text, "dbname=") {
		return Place{dir: filepath.Clean(text)}, nil
	}
	c := postgres.Config{URL: text}
	if c.Validate() != nil {
		return Place{}, errs.Field(field, "invalid_value",
			"is not the address of a PostgreSQL database such as postgres://user:password@host:5432/name")
	}
	return Place{server: text, name: c.Place()}, nil
}

// String names a place for people and logs, without user and password.
func (p Place) String() string {
	if p.server == "" {
		return p.dir
	}
	return p.name
}

// LogValue keeps the password out of logs.
func (p Place) LogValue() slog.Value { return slog.StringValue(p.String()) }

// GoString keeps the password out of %#v.
func (p Place) GoString() string { return p.String() }

// same tells whether two names are of one directory.
func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	if errX == nil && errY == nil {
		return os.SameFile(x, y)
	}
	p, errP := filepath.Abs(a)
	q, errQ := filepath.Abs(b)
	return errP == nil && errQ == nil && p == q
}

// hasShop tells whether there is a database in a directory.
func hasShop(dir string) (bool, error) {
	_, err := os.Stat(filepath.Join(dir, sqlite.FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, errs.Wrap(err, errs.Invalid, "data_dir_unusable", "the directory "+dir+" cannot be used")
	}
	return true, nil
}

// side is an open place.
type side struct {
	place Place
	db    db.DB
	close func() error
	app   string // the name of this move's connections; "" in a directory
}

// open connects to a place, and brings its schema up to date as a shop that
// starts would.
func (p Place) open(ctx context.Context, log *slog.Logger) (*side, error) {
	if p.server == "" {
		d, err := sqlite.Open(ctx, sqlite.Config{
			Dir: p.dir, Logger: log, LongReadConns: conns, Checkpointer: sqlite.NewCheckpointer(16_000, 64_000),
		})
		if err != nil {
			return nil, err
		}
		return &side{place: p, db: d, close: d.Close}, nil
	}
	var mine [4]byte
	_, _ = rand.Read(mine[:]) // never fails (crypto/rand)
	app := "panshi-migrate-" + hex.EncodeToString(mine[:])
	d, err := postgres.Open(ctx, postgres.Config{URL: p.server, Application: app, Logger: log, LongConns: 2 * conns})
	if err != nil {
		return nil, err
	}
	return &side{place: p, db: d, close: d.Close, app: app}, nil
}

// conns is how many statements the copier runs at once on one side.
const conns = 6

// How long connections of a process that has just ended may take to go.
const (
	patience = 5 * time.Second
	pause    = 100 * time.Millisecond
)

// alone refuses a database on a server in which others work. Tools that only
// look are let be.
func (s *side) alone(ctx context.Context) error {
	if s.app == "" {
		return nil // the directory is locked
	}
	tries := int(patience / pause)
	for {
		others, err := s.others(ctx)
		if err != nil || len(others) == 0 {
			return err
		}
		if tries--; tries < 0 {
			return errs.New(errs.Conflict, "database_in_use", "others are connected to "+s.place.String()+" ("+
				strings.Join(others, ", ")+"): stop the shop on all machines, then run this again")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (s *side) others(ctx context.Context) (names []string, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		names, err = db.Collect(tx, func(r db.Rows) (name string, err error) { return name, r.Scan(&name) },
			`SELECT DISTINCT application_name || ' at ' || COALESCE(host(client_addr), 'this machine') FROM pg_stat_activity
			WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> $1
			AND application_name !~ '^(psql|pg_|pgAdmin|DBeaver)' ORDER BY 1`, s.app)
		return err
	})
	return names, err
}
