package errs

import (
	"errors"
	"strings"
)

// Kind says whose fault an error is and what the caller can do about it. It is
// mapped to an HTTP status in package web and to an exit code in cmd/panshi,
// and nowhere else.
type Kind uint8

// The kinds, each with the status and the exit code it becomes.
const (
	Internal        Kind = iota // 500, exit 1: our fault; the message says nothing
	Invalid                     // 422, exit 2: the input names a field that must change
	NotFound                    // 404, exit 1
	Conflict                    // 409, exit 1: the state does not allow it (sold out, other body under the same key)
	Unauthenticated             // 401, exit 3
	Forbidden                   // 403, exit 3
	TooMany                     // 429, exit 1: a limit; retry later
	TooLarge                    // 413, exit 2
	Unavailable                 // 503, exit 1: busy, closing, or a provider is down; retry is safe
	Integrity                   // 500, exit 4: stored data contradicts itself
	Malformed                   // 400, exit 2: not parseable at all
)

// Error is a failure with a stable code.
type Error struct {
	Kind   Kind
	Code   string            // snake_case, stable for ever; the key of the text catalogue
	Msg    string            // English, safe to show; catalogues translate by Code
	Field  string            // the input that must change, as the caller spells it; "" if none
	Params map[string]string // values that the catalogue's text mentions
	Err    error             // the cause, for the log only
}

// New returns an error without a cause.
func New(kind Kind, code, msg string) *Error {
	return &Error{Kind: kind, Code: code, Msg: msg}
}

// Wrap returns an error that hides cause from everyone but the log.
func Wrap(cause error, kind Kind, code, msg string) *Error {
	return &Error{Kind: kind, Code: code, Msg: msg, Err: cause}
}

// Field returns an Invalid error that names the field to mend.
func Field(field, code, msg string) *Error {
	return &Error{Kind: Invalid, Code: code, Msg: msg, Field: field}
}

// With returns a copy of e with one more parameter for the catalogue's text.
func (e *Error) With(key, value string) *Error {
	c := *e
	c.Params = make(map[string]string, len(e.Params)+1)
	for k, v := range e.Params {
		c.Params[k] = v
	}
	c.Params[key] = value
	return &c
}

// Error gives code, message and cause: a line for the log, not for the user.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Code)
	if e.Field != "" {
		b.WriteString(" (" + e.Field + ")")
	}
	b.WriteString(": " + e.Msg)
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is match by code, so that a package can compare with a value
// it built itself.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// KindOf gives the kind of the first Error in err's chain, Internal if none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// CodeOf gives the code of the first Error in err's chain, "internal" if none.
func CodeOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return "internal"
}
