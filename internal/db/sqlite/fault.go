package sqlite

import (
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"panshi/internal/db"
	"panshi/internal/errs"
)

// code gives SQLite's extended result code of err, 0 if it has none.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// isFull tells a lack of room from a broken disk: growing the shared index of
// the log fails with an error of its own when the disk is full.
func isFull(code int) bool {
	return code&0xff == lib.SQLITE_FULL || code == lib.SQLITE_IOERR_SHMSIZE
}

// isBroken tells that the disk failed, so that nothing it says later counts.
func isBroken(code int) bool {
	if code&0xff != lib.SQLITE_IOERR || isFull(code) {
		return false
	}
	switch code {
	case lib.SQLITE_IOERR_NOMEM, lib.SQLITE_IOERR_READ, lib.SQLITE_IOERR_SHORT_READ:
		return false
	}
	return true
}

// translate turns the driver's error into the contract's, with the driver's as
// the cause and the head of the statement to find it by (statements hold no
// values). An interrupt is left to the caller, who knows why.
func translate(err error, query string) error {
	if err == nil {
		return nil
	}
	c := code(err)
	switch {
	case c == lib.SQLITE_CONSTRAINT_UNIQUE, c == lib.SQLITE_CONSTRAINT_PRIMARYKEY, c == lib.SQLITE_CONSTRAINT_ROWID:
		return fmt.Errorf("%w: %w", db.ErrUnique, err)
	case isFull(c):
		return because(db.ErrFull, err)
	case c&0xff == lib.SQLITE_BUSY, c&0xff == lib.SQLITE_LOCKED:
		return because(db.ErrBusy, err)
	case c&0xff == lib.SQLITE_CORRUPT, c&0xff == lib.SQLITE_NOTADB:
		return errs.Wrap(err, errs.Integrity, "database_corrupt", "the database is damaged")
	case c&0xff == lib.SQLITE_IOERR:
		return because(db.ErrBroken, err)
	case c&0xff == lib.SQLITE_READONLY:
		return fmt.Errorf("%w: %w", db.ErrReadOnly, err)
	}
	return fmt.Errorf("db: %w (in %s)", err, head(query))
}

// because is a copy of known with its cause.
func because(known *errs.Error, cause error) error {
	return errs.Wrap(cause, known.Kind, known.Code, known.Msg)
}

func head(query string) string {
	words := strings.Join(strings.Fields(query), " ")
	if len(words) > 120 {
		return words[:120] + "..."
	}
	return words
}
