package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// handle reaches the two calls of SQLite's C interface that the driver does
// not offer: interrupt, because the driver watches a context only during a
// query's first row, and get_autocommit, the one exact answer to "does my
// transaction still stand".
type handle struct {
	tls *libc.TLS // owned by the goroutine that owns the connection
	db  uintptr   // sqlite3*
}

// newHandle reads (never writes) the driver's pointer to its connection. If a
// release of the driver keeps it elsewhere, opening fails and says so.
func newHandle(c *sql.Conn) (*handle, error) {
	h := &handle{}
	err := c.Raw(func(dc any) error {
		v := reflect.ValueOf(dc)
		if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
			return fmt.Errorf("db: the driver's connection is a %T", dc)
		}
		field := v.Elem().FieldByName("db")
		if !field.IsValid() || field.Kind() != reflect.Uintptr || field.Uint() == 0 {
			return errors.New("db: this release of the SQLite driver hides its connection; pin the one before")
		}
		h.db = uintptr(field.Uint())
		return nil
	})
	if err != nil {
		return nil, err
	}
	h.tls = libc.NewTLS()
	return h, nil
}

// inTransaction tells whether SQLite has an open transaction.
func (h *handle) inTransaction() bool {
	return lib.Xsqlite3_get_autocommit(h.tls, h.db) == 0
}

// interrupt stops the running statements. Any goroutine may call it, but not
// after close.
func (h *handle) interrupt() {
	tls := libc.NewTLS()
	defer tls.Close()
	lib.Xsqlite3_interrupt(tls, h.db)
}

func (h *handle) close() { h.tls.Close() }
