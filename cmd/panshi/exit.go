package main

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"panshi/internal/errs"
)

// The exit codes of the contract.
const (
	exitDone      = 0
	exitFailure   = 1
	exitUsage     = 2
	exitForbidden = 3
	exitIntegrity = 4
)

// errFindings ends a command that did its work and found something: the
// result said what.
var errFindings = errors.New("findings")

// exitCode is the one place where errors become exit codes. Of several errors
// one about integrity outweighs the others.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	worst := errs.KindOf(err)
	for _, e := range flatten(err) {
		if errs.KindOf(e) == errs.Integrity {
			worst = errs.Integrity
		}
	}
	switch worst {
	case errs.Invalid, errs.Malformed, errs.TooLarge:
		return exitUsage
	case errs.Unauthenticated, errs.Forbidden:
		return exitForbidden
	case errs.Integrity:
		return exitIntegrity
	case errs.Internal, errs.NotFound, errs.Conflict, errs.TooMany, errs.Unavailable:
	}
	return exitFailure
}

// usage is an error about a flag or an argument, as the user spelled it.
func usage(what, msg string) error {
	return errs.Field(what, "usage", msg)
}

// explain puts err on one line for the person at the terminal; "" if there is
// nothing left to say. It tells causes too: who runs commands reads the log.
func explain(ctx context.Context, err error) string {
	switch {
	case err == nil, errors.Is(err, errFindings):
		return ""
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return "interrupted"
	}
	var parts []string
	for _, e := range flatten(err) {
		parts = append(parts, describe(e))
	}
	return oneLine(strings.Join(parts, "; "))
}

func describe(err error) string {
	e, ok := err.(*errs.Error) //nolint:errorlint // what wraps it has words of its own
	if !ok {
		return err.Error()
	}
	text := e.Msg
	if e.Field != "" {
		text = spell(e.Field) + ": " + text
	}
	if e.Err == nil {
		return text
	}
	if cause := describe(e.Err); !strings.Contains(oneLine(text), oneLine(cause)) {
		text += ": " + cause
	}
	return text
}

// spell names an input as it is typed: some configuration keys have a flag.
func spell(field string) string {
	switch field {
	case "data", "date", "account", "from", "to", "http", "console", "roles", "sku", "merchant", "sandbox", "sheet", "follow":
		return "--" + field
	case "copy_keys":
		return "--copy-keys"
	case "sandbox.addr":
		return "--sandbox"
	case "file":
		return "FILE"
	}
	return field
}

// flatten lists the errors that err joins.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, flatten(e)...)
	}
	return out
}

// oneLine keeps control characters of arguments and messages off the terminal.
func oneLine(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return '\uFFFD'
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}
