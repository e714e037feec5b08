package bench

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"panshi/internal/db"
	"panshi/internal/db/pgserver"
	"panshi/internal/db/sqlite"
)

// store is where shops of an engine keep their data.
type store interface {
	// settings of a shop with a name.
	settings(name string) []string
	// create makes an empty database for it.
	create(name string) error
	// copy makes another database with the data of a shop that stands still.
	copy(to, from string) error
	// drop removes what create or copy made.
	drop(name string) error
	// place tells a reference how to open it.
	place(name string) place
	// server is the process of the database server; 0 if there is none, or it
	// cannot be seen.
	server() int
	close() error
}

// place is a database as a reference opens it.
type place struct {
	Engine db.Engine `json:"engine"`
	Dir    string    `json:"dir,omitempty"`
	URL    string    `json:"url,omitempty"`
}

func newStore(w *workshop) (store, error) {
	if w.cfg.Engine == db.SQLite {
		return sqliteStore{w.dir}, nil
	}
	tag := "panshi_bench_" + strings.ToLower(rand.Text()[:8]) + "_"
	if w.cfg.URL != "" {
		return &postgresStore{Server: pgserver.At(w.cfg.URL), tag: tag}, nil
	}
	s, err := pgserver.Start("", serverSettings)
	if err != nil {
		return nil, err
	}
	pid, err := s.PID()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &postgresStore{Server: s, tag: tag, pid: pid}, nil
}

// serverSettings are those of a small machine that does little else; what
// durability rests on stays as it is.
const serverSettings = `
shared_buffers = 512MB
max_wal_size = 4GB
`

type sqliteStore struct{ dir string }

func (sqliteStore) settings(string) []string   { return nil }
func (s sqliteStore) create(name string) error { return os.MkdirAll(s.path(name), 0o700) }
func (sqliteStore) server() int                { return 0 }
func (sqliteStore) close() error               { return nil }
func (s sqliteStore) path(name string) string  { return filepath.Join(s.dir, name) }
func (s sqliteStore) drop(name string) error   { return os.RemoveAll(s.path(name)) }

func (s sqliteStore) place(name string) place { return place{Engine: db.SQLite, Dir: s.path(name)} }

func (s sqliteStore) copy(to, from string) error {
	if err := s.create(to); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal"} {
		err := copyFile(filepath.Join(s.path(to), sqlite.FileName+suffix), filepath.Join(s.path(from), sqlite.FileName+suffix))
		if err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

type postgresStore struct {
	*pgserver.Server
	tag  string // begins the name of every database of this run
	pid  int
	made []string
}

func (s *postgresStore) settings(name string) []string {
	return []string{"db.url=" + s.URL(s.tag+name)}
}
func (s *postgresStore) server() int { return s.pid }
func (s *postgresStore) place(name string) place {
	return place{Engine: db.Postgres, URL: s.URL(s.tag + name)}
}

func (s *postgresStore) create(name string) error { return s.from("template0", name) }
func (s *postgresStore) copy(to, from string) error {
	return s.from(strconv.Quote(s.tag+from), to)
}

func (s *postgresStore) from(template, name string) error {
	if err := s.Admin("CREATE DATABASE " + strconv.Quote(s.tag+name) + " TEMPLATE " + template); err != nil {
		return err
	}
	s.made = append(s.made, name)
	return nil
}

func (s *postgresStore) drop(name string) error {
	return s.Admin("DROP DATABASE IF EXISTS " + strconv.Quote(s.tag+name) + " WITH (FORCE)")
}

func (s *postgresStore) close() error {
	var faults []error
	for _, name := range s.made {
		faults = append(faults, s.drop(name))
	}
	return errors.Join(append(faults, s.Close())...)
}
