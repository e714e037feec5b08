package dbtest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"panshi/internal/db/sqlite"
)

// template is the database file that every test of the process starts from:
// migrating once is enough.
var template = sync.OnceValues(makeTemplate)

func makeTemplate() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "dbtest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // a temporary directory
	d, err := sqlite.Open(context.Background(), sqlite.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	if err := d.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, sqlite.FileName))
}

// SQLite returns a fresh database with the shop's schema in a directory of the
// test's own; it is closed when the test ends. Each of configure may change
// the configuration, for example the clock. In a synctest bubble call it
// inside.
func SQLite(t testing.TB, configure ...func(*sqlite.Config)) *sqlite.DB {
	t.Helper()
	file, err := template()
	if err != nil {
		t.Fatalf("dbtest: making the template: %v", err)
	}
	cfg := sqlite.Config{Dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(cfg.Dir, sqlite.FileName), file, 0o600); err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	for _, change := range configure {
		change(&cfg)
	}
	d, err := sqlite.Open(context.Background(), cfg)
	if err != nil {
		t.Fatalf("dbtest: opening: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("dbtest: closing: %v", err)
		}
	})
	return d
}
