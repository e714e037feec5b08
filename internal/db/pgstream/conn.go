package pgstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"panshi/internal/errs"
)

// LSN is a position in the write-ahead log: the number of bytes before it.
type LSN uint64

// String writes it as the server does.
func (l LSN) String() string { return fmt.Sprintf("%X/%X", uint64(l)>>32, uint64(l)&0xffffffff) }

// ParseLSN reads what String wrote; false if it is no position.
func ParseLSN(s string) (LSN, bool) {
	high, low, ok := strings.Cut(s, "/")
	a, err1 := strconv.ParseUint(high, 16, 32)
	b, err2 := strconv.ParseUint(low, 16, 32)
	return LSN(a<<32 | b), ok && err1 == nil && err2 == nil
}

// Conn is a replication connection. It is for one goroutine.
type Conn struct {
	pg *pgconn.PgConn
}

// dialTimeout is how long the server may take to answer at all.
const dialTimeout = 10 * time.Second

// Connect opens a replication connection to the server of url. Codes
// backup_replication_refused (a right or a line of pg_hba.conf is missing) and
// backup_server_unreachable.
func Connect(ctx context.Context, url string) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	config, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil, errs.Field("backup.postgres.replication_url", "invalid_value", "this is not the address of a PostgreSQL server")
	}
	for name := range config.RuntimeParams {
		delete(config.RuntimeParams, name) // settings of a pool, which this is not
	}
	config.RuntimeParams["replication"] = "true"
	config.RuntimeParams["application_name"] = "panshi backup"
	pg, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, refused(config.User, err)
	}
	return &Conn{pg}, nil
}

// Target tells who connects to which database of which server by a url.
func Target(url string) (user, database string, err error) {
	config, err := pgconn.ParseConfig(url)
	if err != nil {
		return "", "", errs.Field("db.url", "invalid_value", "this is not the address of a PostgreSQL server")
	}
	return config.User, config.Database, nil
}

// refused says what an administrator has to do if that is the reason.
func refused(user string, err error) error {
	var e *pgconn.PgError
	if errors.As(err, &e) && (e.Code == "42501" || e.Code == "28000") {
		refusal := errs.Wrap(err, errs.Invalid, "backup_replication_refused",
			"the server refuses replication to "+user+`. As its administrator run: ALTER ROLE "`+user+
				`" REPLICATION; and let pg_hba.conf have a line for it such as: host replication `+user+" samehost scram-sha-256").With("role", user)
		refusal.Field = "backup.postgres.replication_url"
		return refusal
	}
	return errs.Wrap(err, errs.Unavailable, "backup_server_unreachable", "the database server does not answer to the backup")
}

// Close ends the connection. It waits for nobody.
func (c *Conn) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return c.pg.Close(ctx)
}

// Server is what a server says of itself.
type Server struct {
	System   string // its identifier, made by initdb and shared by its copies
	Timeline uint32
	End      LSN    // flushed up to here
	Segment  uint64 // bytes of a file of the log
	Major    int    // version
}

// Identify asks the server who it is.
func (c *Conn) Identify(ctx context.Context) (s Server, err error) {
	row, err := c.one(ctx, "IDENTIFY_SYSTEM", 3)
	if err != nil {
		return s, err
	}
	s.System = row[0]
	timeline, err1 := strconv.ParseUint(row[1], 10, 32)
	end, ok := ParseLSN(row[2])
	segment, err2 := c.show(ctx, "wal_segment_size")
	version, err3 := c.show(ctx, "server_version_num")
	if err := errors.Join(err1, err2, err3); err != nil {
		return s, err
	}
	number, err := strconv.Atoi(version)
	s.Timeline, s.End, s.Major = uint32(timeline), end, number/10000
	s.Segment = bytesOf(segment)
	if err != nil || !ok || s.Segment == 0 {
		return s, fmt.Errorf("pgstream: the server answers %q, segments of %q, version %q", row, segment, version)
	}
	return s, nil
}

func (c *Conn) show(ctx context.Context, name string) (string, error) {
	row, err := c.one(ctx, "SHOW "+name, 1)
	if err != nil {
		return "", err
	}
	return row[0], nil
}

// bytesOf reads sizes such as 16MB; 0 if it is none.
func bytesOf(size string) uint64 {
	digits := strings.TrimRight(size, "kMGB")
	n, err := strconv.ParseUint(digits, 10, 32)
	shift, known := map[string]uint{"B": 0, "kB": 10, "MB": 20, "GB": 30}[size[len(digits):]]
	if err != nil || !known {
		return 0
	}
	return n << shift
}

// Slot is a replication slot.
type Slot struct {
	Exists  bool
	Restart LSN // the log from here on is kept for it; 0: none is kept (any more)
}

// Slot looks at a slot.
func (c *Conn) Slot(ctx context.Context, name string) (Slot, error) {
	row, err := c.one(ctx, "READ_REPLICATION_SLOT "+name, 2)
	if err != nil {
		return Slot{}, err
	}
	restart, _ := ParseLSN(row[1]) // nothing, if nothing is kept
	return Slot{Exists: row[0] != "", Restart: restart}, nil
}

// CreateSlot makes a slot that keeps the log from now on.
func (c *Conn) CreateSlot(ctx context.Context, name string) error {
	_, err := c.one(ctx, "CREATE_REPLICATION_SLOT "+name+" PHYSICAL (RESERVE_WAL)", 0)
	return err
}

// DropSlot lets the server forget a slot; it waits until nobody uses it.
func (c *Conn) DropSlot(ctx context.Context, name string) error {
	return c.pg.Exec(ctx, "DROP_REPLICATION_SLOT "+name+" WAIT").Close()
}

// one runs a command that answers with one row of at least some columns.
func (c *Conn) one(ctx context.Context, command string, columns int) ([]string, error) {
	results, err := c.pg.Exec(ctx, command).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	if len(results) == 0 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) < columns {
		return nil, fmt.Errorf("pgstream: %s has no answer", command)
	}
	var row []string
	for _, value := range results[0].Rows[0] {
		row = append(row, string(value))
	}
	return row, nil
}
