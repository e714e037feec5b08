package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

// terminal is where a command speaks to.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	live     bool // err is a terminal: a person watches
	json     bool // the result is JSON
}

// log gives the logger of a command: JSON lines on stderr from level on.
func (t *terminal) log(level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(t.err, &slog.HandlerOptions{Level: level}))
}

// result prints what a command found: value as one JSON document, or text.
func (t *terminal) result(value any, text func(io.Writer)) error {
	if !t.json {
		text(t.out)
		return nil
	}
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.out, string(raw))
	return err
}

// line is result on one line, for what goes on after it was told.
func (t *terminal) line(value any, text func(io.Writer)) error {
	if !t.json {
		text(t.out)
		return nil
	}
	return json.NewEncoder(t.out).Encode(value)
}

// count writes a number in groups of three digits.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural writes a number with its noun.
func plural(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return count(n) + " " + noun
}
