package sqlite

import (
	"context"
	"database/sql"

	"panshi/internal/db"
)

// Still is a database file that nobody writes to and that has no log: a copy,
// such as a restore makes one. It is read as it stands, whatever schema it has.
type Still struct{ readers *readers }

// OpenStill opens a copy. It writes nothing, beside the file neither.
func OpenStill(path string) (*Still, error) {
	cfg, err := Config{Path: path, ReadConns: 1}.withDefaults()
	if err != nil {
		return nil, err
	}
	cfg.still = true
	pool, err := sql.Open("sqlite", source(cfg.Path, "ro&immutable=1", readerSettings()))
	if err != nil {
		return nil, err
	}
	return &Still{newReaders(cfg, pool, cfg.ReadConns)}, nil
}

// View runs fn on the copy.
func (s *Still) View(ctx context.Context, fn func(tx *db.Tx) error) error {
	return s.readers.view(ctx, fn)
}

// Close lets go of the file.
func (s *Still) Close() error { return s.readers.close() }
