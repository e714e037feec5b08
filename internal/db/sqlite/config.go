package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"panshi/internal/clock"
	"panshi/internal/db"
)

// FileName is the database's name inside Config.Dir.
const FileName = "panshi.db"

// MinVersion is the oldest SQLite that may be used: before it, a second
// process that checkpoints can lose commits.
const MinVersion = "3.51.3"

// DefaultReadConns is how many readers for online work there are if nothing is
// said.
const DefaultReadConns = 8

// Config says where the database is and how hard it may work. The zero value
// of every field but the place is a good default.
type Config struct {
	Dir  string // the data directory; the file is FileName in it
	Path string // the file itself, instead of Dir

	Clock  clock.Clock  // default the system's
	Logger *slog.Logger // default: discard

	ReadConns      int           // readers for online work; default DefaultReadConns
	LongReadConns  int           // readers for db.WithLong; default 2
	StatementLimit time.Duration // of one statement; default 2 s
	LongLimit      time.Duration // of one statement under db.WithLong; default 10 min

	MaxBatch  int           // closures in one commit; default 256
	BatchTime time.Duration // how long one batch takes in newcomers; default 20 ms
	QueueLen  int           // closures that may wait before Update itself waits; default 1024

	Synchronous string // "FULL" (default) or "EXTRA"; nothing less is durable

	Checkpointer db.Checkpointer // default NewCheckpointer(4000, 16000)
	Migrations   fs.FS           // NNNN_name.sql at its root; default the embedded ones

	MinVersion string // default MinVersion

	still bool // nobody writes to the file, and it has no log
}

// Validate reports all that is wrong at once.
func (c Config) Validate() error {
	var all []error
	if (c.Dir == "") == (c.Path == "") {
		all = append(all, errors.New("db: exactly one of directory and path must be set"))
	}
	if !slices.Contains([]string{"", "FULL", "EXTRA"}, c.Synchronous) {
		all = append(all, fmt.Errorf("db: synchronous %q is not durable; use FULL or EXTRA", c.Synchronous))
	}
	for name, n := range map[string]int64{
		"read connections": int64(c.ReadConns), "long read connections": int64(c.LongReadConns),
		"statement limit": int64(c.StatementLimit), "long limit": int64(c.LongLimit),
		"batch": int64(c.MaxBatch), "batch time": int64(c.BatchTime), "queue": int64(c.QueueLen),
	} {
		if n < 0 {
			all = append(all, fmt.Errorf("db: %s must not be negative", name))
		}
	}
	return errors.Join(all...)
}

// withDefaults fills what the caller left open.
func (c Config) withDefaults() (Config, error) {
	if c.Path == "" {
		c.Path = filepath.Join(c.Dir, FileName)
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return c, fmt.Errorf("db: the database's path: %w", err)
	}
	c.Path = path
	orDefault(&c.Clock, clock.Clock(clock.System{}))
	orDefault(&c.Logger, slog.New(slog.DiscardHandler))
	orDefault(&c.ReadConns, DefaultReadConns)
	orDefault(&c.LongReadConns, 2)
	orDefault(&c.StatementLimit, 2*time.Second)
	orDefault(&c.LongLimit, 10*time.Minute)
	orDefault(&c.MaxBatch, 256)
	orDefault(&c.BatchTime, 20*time.Millisecond)
	orDefault(&c.QueueLen, 1024)
	orDefault(&c.Synchronous, "FULL")
	orDefault(&c.MinVersion, MinVersion)
	if c.Checkpointer == nil {
		c.Checkpointer = NewCheckpointer(4000, 16000)
	}
	if c.Migrations == nil {
		c.Migrations = Migrations()
	}
	return c, nil
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// limit is the time one statement may take.
func (c *Config) limit(long bool) time.Duration {
	if long {
		return c.LongLimit
	}
	return c.StatementLimit
}

// checkVersion compares dotted numbers.
func checkVersion(have, least string) error {
	h, l := strings.Split(have, "."), strings.Split(least, ".")
	for i := range min(len(h), len(l)) {
		var x, y int
		if _, err := fmt.Sscan(h[i]+" "+l[i], &x, &y); err != nil {
			return fmt.Errorf("db: SQLite's version %q is not readable: %w", have, err)
		}
		if x != y {
			if x < y {
				return fmt.Errorf("db: SQLite %s is too old, %s is needed: older ones can lose commits", have, least)
			}
			return nil
		}
	}
	return nil
}
