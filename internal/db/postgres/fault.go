package postgres

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"panshi/internal/db"
	"panshi/internal/errs"
)

// The server's codes that mean something to us (PostgreSQL, appendix A).
const (
	codeUnique        = "23505"
	codeReadOnly      = "25006"
	codeIdle          = "25P03"
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeDiskFull      = "53100"
	codeCancelled     = "57014"
	codeLock          = "55P03"
	codeCorrupt       = "XX001"
	codeIndexCorrupt  = "XX002"
	codeText          = "22021"
	codeText2         = "22P05"
	codePlan          = "0A000" // also: a prepared statement's columns changed
)

// codeOf gives the server's code of err, "" if it is none of the server's.
func codeOf(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func class(code string) string {
	if len(code) < 2 {
		return ""
	}
	return code[:2]
}

func isServerError(err error) bool { return codeOf(err) != "" }

func isConstraint(err error) bool { return class(codeOf(err)) == "23" }

// isFinal tells the errors after which a run cannot go on even with a
// savepoint: time is up, another transaction won, the server is in trouble.
func isFinal(err error) bool {
	if err == nil {
		return false
	}
	c := codeOf(err)
	switch class(c) {
	case "": // the connection's
		return true
	case "08", "40", "53", "57", "58", "XX":
		return true
	}
	return c == codeLock || c == codeIdle || isStalePlan(err)
}

// isRetriable tells the errors after which nothing was kept and a new run may
// succeed.
func isRetriable(err error) bool {
	c := codeOf(err)
	switch class(c) {
	case "08", "40":
		return true
	case "57":
		return c != codeCancelled
	}
	return isStalePlan(err)
}

// isStalePlan tells that another process changed a table since a statement
// was prepared.
func isStalePlan(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == codePlan && e.Routine == "RevalidateCachedQuery"
}

// isEvicted tells that the server had ended the transaction before COMMIT.
func isEvicted(err error) bool { return codeOf(err) == codeIdle }

// translate turns an error of the driver into the contract's, with the
// driver's as the cause and the head of the statement to find it by.
func translate(err error, query string) error {
	if err == nil {
		return nil
	}
	err = discreet(err)
	switch c := codeOf(err); c {
	case codeUnique:
		return fmt.Errorf("%w: %w", db.ErrUnique, err)
	case codeReadOnly:
		return fmt.Errorf("%w: %w", db.ErrReadOnly, err)
	case codeCancelled:
		return fmt.Errorf("%w (in %s)", because(db.ErrTimeout, err), head(query))
	case codeDiskFull:
		return because(db.ErrFull, err)
	case codeCorrupt, codeIndexCorrupt:
		return errs.Wrap(err, errs.Integrity, "database_corrupt", "the database is damaged")
	case codeText, codeText2:
		return errs.Wrap(err, errText.Kind, errText.Code, errText.Msg)
	default:
		return translateClass(err, c, query)
	}
}

func translateClass(err error, code, query string) error {
	switch class(code) {
	case "08", "40", "53", "55", "57":
		return fmt.Errorf("%w (in %s)", because(db.ErrBusy, err), head(query))
	case "58":
		return because(db.ErrBroken, err)
	}
	if isStalePlan(err) {
		return because(db.ErrBusy, err)
	}
	return fmt.Errorf("db: %w (in %s)", err, head(query))
}

// discreet drops from a server's error what may quote a row: it ends in logs.
func discreet(err error) error {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Detail, c.Where, c.InternalQuery = "", "", ""
	return &c
}

// because is a copy of known with its cause.
func because(known *errs.Error, cause error) error {
	return errs.Wrap(cause, known.Kind, known.Code, known.Msg)
}
