package sqlite_test

import (
	"testing/fstest"

	"panshi/internal/db/sqlite"
)

// schema is a migration folder with one file.
func schema(up string) fstest.MapFS {
	text := "-- +goose Up\n" + up + "\n"
	return fstest.MapFS{"0001_test.sql": &fstest.MapFile{Data: []byte(text)}}
}

// withTables gives the test a database of its own schema.
func withTables(up string) func(*sqlite.Config) {
	return func(c *sqlite.Config) {
		c.Path = c.Dir + "/own.db"
		c.Dir = ""
		c.Migrations = schema(up)
	}
}
