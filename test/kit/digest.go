package kit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/sqlite"
)

// Read runs fn on the data directory of a shop that stands still.
func Read(t testing.TB, dir string, fn func(tx *db.Tx) error) {
	t.Helper()
	d, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, errors.Join(d.View(db.WithLong(t.Context()), fn), d.Close()))
}

// Digest is one of every row of every table in a data directory of a shop that
// stands still. Only what the shipper and the engine keep for themselves is not
// in it.
func Digest(t testing.TB, dir string) string {
	t.Helper()
	sum := sha256.New()
	Read(t, dir, func(tx *db.Tx) error {
		tables, err := texts(tx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'
			AND name NOT LIKE '~_litestream~_%' ESCAPE '~' ORDER BY name`)
		for _, table := range tables {
			if err == nil {
				err = digestTable(tx, sum, table)
			}
		}
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))
}

func digestTable(tx *db.Tx, to io.Writer, table string) error {
	columns, err := texts(tx, `SELECT 'quote("' || name || '")' FROM pragma_table_info($1) ORDER BY name`, table)
	if err != nil {
		return err
	}
	rows, err := tx.Query(`SELECT ` + strings.Join(columns, ` || ',' || `) + ` FROM "` + table + `" ORDER BY 1`)
	if err != nil {
		return err
	}
	defer rows.Close() // Err below tells
	fmt.Fprintln(to, "table", table)
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			return err
		}
		fmt.Fprintln(to, row)
	}
	return rows.Err()
}

func texts(tx *db.Tx, query string, args ...any) ([]string, error) {
	return db.Collect(tx, func(rows db.Rows) (text string, err error) {
		return text, rows.Scan(&text)
	}, query, args...)
}

// DigestLive is Digest of a shop that runs, of a copy of its files: nobody writes
// to it until DigestLive returns.
func (s *Shop) DigestLive() string {
	s.t.Helper()
	dir := s.t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(filepath.Join(s.Data, sqlite.FileName+suffix))
		require.NoError(s.t, err)
		require.NoError(s.t, os.WriteFile(filepath.Join(dir, sqlite.FileName+suffix), content, 0o600))
	}
	return Digest(s.t, dir)
}
