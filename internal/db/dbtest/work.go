package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"

	"panshi/internal/db"
	"panshi/internal/db/sqlite"
)

// PagesPostgres tells how many pages a query reads, as the server counts them,
// wherever they come from. Tables are read through indexes, as large ones are.
func PagesPostgres(ctx context.Context, d db.DB, s Statement) (pages int64, err error) {
	err = d.View(ctx, func(tx *db.Tx) error {
		var off string
		if err := tx.Get([]any{&off}, `SELECT set_config('enable_seqscan', 'off', true)`); err != nil {
			return err
		}
		lines, err := db.Collect(tx, func(r db.Rows) (line string, err error) { return line, r.Scan(&line) },
			`EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) `+s.Query, s.Args...)
		if err != nil {
			return err
		}
		pages = 0
		for _, line := range lines {
			line = strings.TrimSpace(line)
			if counts, ok := strings.CutPrefix(line, "Buffers: shared "); ok {
				pages, err = buffers(counts)
				return err // the first is the topmost node's: it counts those below
			}
			if strings.HasPrefix(line, "Planning:") {
				return nil // nothing was read
			}
		}
		return nil
	})
	return pages, err
}

// buffers adds up "hit=5 read=2"; pages made dirty were read before.
func buffers(counts string) (pages int64, err error) {
	for word := range strings.FieldsSeq(counts) {
		kind, number, _ := strings.Cut(word, "=")
		if kind != "hit" && kind != "read" {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(number, ","), 10, 64)
		if err != nil {
			return 0, err
		}
		pages += n
	}
	return pages, nil
}

// PagesSQLite tells how many pages each query reads from the database in a
// directory, as a connection of its own counts them.
func PagesSQLite(ctx context.Context, dir string, all []Statement) (pages []int64, err error) {
	pool, err := sql.Open("sqlite", "file:"+filepath.Join(dir, sqlite.FileName)+"?mode=ro")
	if err != nil {
		return nil, err
	}
	defer func() { err = first(err, pool.Close()) }()
	c, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = first(err, c.Close()) }()
	tls := libc.NewTLS()
	defer tls.Close()
	var handle uintptr
	if err := c.Raw(func(dc any) error {
		handle = uintptr(reflect.ValueOf(dc).Elem().FieldByName("db").Uint())
		return nil
	}); err != nil {
		return nil, err
	}
	for _, s := range all {
		before := pagesRead(tls, handle)
		if err := drain(ctx, c, s); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Query, err)
		}
		pages = append(pages, pagesRead(tls, handle)-before)
	}
	return pages, nil
}

func first(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

func drain(ctx context.Context, c *sql.Conn, s Statement) error {
	rows, err := c.QueryContext(ctx, s.Query, s.Args...)
	if err != nil {
		return err
	}
	defer rows.Close() // Err below tells
	more := true
	for more {
		more = rows.Next()
	}
	return rows.Err()
}

// pagesRead is how many pages a connection read, from its cache or not.
func pagesRead(tls *libc.TLS, handle uintptr) (sum int64) {
	out := tls.Alloc(8)
	defer tls.Free(8)
	for _, counter := range []int32{lib.SQLITE_DBSTATUS_CACHE_HIT, lib.SQLITE_DBSTATUS_CACHE_MISS} {
		lib.Xsqlite3_db_status(tls, handle, counter, out, out+4, 0)
		sum += int64(libc.AtomicLoadPInt32(out))
	}
	return sum
}
