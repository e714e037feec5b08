// Package dbtest holds every engine of package db to one contract (Run). It
// also gives the tests of the stores a fresh migrated database (SQLite).
package dbtest
