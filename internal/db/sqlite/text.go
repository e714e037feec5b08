package sqlite

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"panshi/internal/errs"
)

// forbidden are the verbs that belong to the engine: a closure that ended its
// transaction would end that of others, too.
const forbidden = " BEGIN COMMIT END ROLLBACK SAVEPOINT RELEASE ATTACH DETACH PRAGMA VACUUM "

// inspect refuses what must not run inside a closure, and counts parameters:
// one statement, no transaction control, parameters written $1, $2, ... and
// appearing first in that order, because other drivers bind by appearance.
func inspect(query string) (params int, err error) {
	s := scanner{text: query}
	first := ""
	for {
		token := s.next()
		switch {
		case token == "":
			return params, nil
		case s.ended:
			return 0, errors.New("db: one statement at a time: " + head(query))
		case token == ";":
			s.ended = true
		case token[0] == '$':
			n, err := strconv.Atoi(token[1:])
			if err != nil || n < 1 || n > params+1 {
				return 0, fmt.Errorf("db: parameter %s is out of order: %s", token, head(query))
			}
			params = max(params, n)
		case token == "?":
			return 0, errors.New("db: parameters are $1, $2, ...: " + head(query))
		case first == "":
			first = token
			if strings.Contains(forbidden, " "+strings.ToUpper(first)+" ") {
				return 0, errors.New("db: " + strings.ToUpper(first) + " is the engine's own")
			}
		}
	}
}

// scanner cuts SQL into words, parameters and single signs; it skips blanks,
// comments and everything in quotes.
type scanner struct {
	text  string
	pos   int
	ended bool // a semicolon was seen
}

func (s *scanner) next() string {
	for s.pos < len(s.text) {
		rest := s.text[s.pos:]
		switch c := rest[0]; {
		case c == ' ', c == '\t', c == '\n', c == '\r', c == '\f':
			s.pos++
		case strings.HasPrefix(rest, "--"):
			s.skipPast("\n", 2)
		case strings.HasPrefix(rest, "/*"):
			s.skipPast("*/", 2)
		case c == '\'', c == '"', c == '`':
			s.skipPast(string(c), 1)
		case c == '[':
			s.skipPast("]", 1)
		default:
			n := 1
			if c == '$' || isWord(c) {
				for n < len(rest) && isWord(rest[n]) {
					n++
				}
			}
			s.pos += n
			return rest[:n]
		}
	}
	return ""
}

// skipPast moves behind the next end after the first n bytes. A doubled quote
// is two strings side by side, which comes to the same here.
func (s *scanner) skipPast(end string, n int) {
	i := strings.Index(s.text[s.pos+n:], end)
	if i < 0 {
		s.pos = len(s.text)
		return
	}
	s.pos += n + i + len(end)
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

var (
	errTime = errors.New("db: times are stored as db.Millis(t)")
	errText = errs.New(errs.Invalid, "invalid_text", "text must be UTF-8 without NUL")
)

// checkArgs refuses what one engine would store and the other would not.
func checkArgs(query string, params int, args []any) error {
	if len(args) != params {
		return fmt.Errorf("db: %d parameters, %d arguments: %s", params, len(args), head(query))
	}
	for _, arg := range args {
		switch v := arg.(type) {
		case string:
			if !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 {
				return errText
			}
		case time.Time, *time.Time:
			return errTime
		}
	}
	return nil
}
