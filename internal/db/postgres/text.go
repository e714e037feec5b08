package postgres

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// forbidden are the verbs that belong to the engine, and those that change a
// connection which others use next.
const forbidden = " BEGIN START COMMIT END ABORT ROLLBACK SAVEPOINT RELEASE PREPARE EXECUTE DEALLOCATE DISCARD SET RESET" +
	" LISTEN UNLISTEN COPY CALL DO LOCK DECLARE FETCH MOVE CLOSE ATTACH DETACH PRAGMA VACUUM "

// inspect refuses what must not run inside a closure:
// one statement, no transaction control, parameters written $1, $2, ... and
// appearing first in that order, because the other engine's driver binds by
// appearance.
func inspect(query string) error {
	s := scanner{text: query}
	first, ended, params := "", false, 0
	for {
		token := s.next()
		switch {
		case token == "":
			return nil
		case ended:
			return errors.New("db: one statement at a time: " + head(query))
		case token == ";":
			ended = true
		case token[0] == '$':
			n, err := strconv.Atoi(token[1:])
			if err != nil || n < 1 || n > params+1 {
				return fmt.Errorf("db: parameter %s is out of order: %s", token, head(query))
			}
			params = max(params, n)
		case token == "?":
			return errors.New("db: parameters are $1, $2, ...: " + head(query))
		case first == "":
			first = strings.ToUpper(token)
			if strings.Contains(forbidden, " "+first+" ") {
				return errors.New("db: " + first + " is the engine's own")
			}
		}
	}
}

// scanner cuts SQL into words, parameters and single signs; it skips blanks,
// comments and everything in quotes. The shop's statements are portable: they
// hold no dollar quotes and no backslash escapes, which would be read as the
// other engine reads them.
type scanner struct {
	text string
	pos  int
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
		case c == '\'', c == '"':
			s.skipPast(string(c), 1) // a doubled quote is two strings side by side
		default:
			s.pos += wordLen(rest)
			return rest[:wordLen(rest)]
		}
	}
	return ""
}

func wordLen(rest string) int {
	n := 1
	if rest[0] == '$' || isWord(rest[0]) {
		for n < len(rest) && isWord(rest[n]) {
			n++
		}
	}
	return n
}

// skipPast moves behind the next end after the first n bytes.
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

// head is enough of a statement to find it by; statements hold no values.
func head(query string) string {
	words := strings.Join(strings.Fields(query), " ")
	if len(words) > 120 {
		return words[:120] + "..."
	}
	return words
}
