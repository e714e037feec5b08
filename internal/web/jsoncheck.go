package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"panshi/internal/errs"
)

// Bounds of a JSON document that have nothing to do with its meaning.
const (
	maxDepth  = 32  // of nested objects and arrays
	maxKeys   = 128 // of one object
	maxKeyLen = 64
)

// CheckJSON examines a JSON document before it is decoded, and gives an
// errs.Error that names the field. It refuses what Go's decoder would let
// pass: strings with NUL, with invalid UTF-8 or with half a surrogate pair; a
// key that comes twice, and a key that is not snake_case. (The decoder matches
// "Quantity" to quantity and merges repeated objects, so that a value could
// reach a handler which the validation of its schema has never seen.) Numbers
// must be integers: the contract has no others.
func CheckJSON(body []byte) error {
	if !json.Valid(body) {
		return errs.New(errs.Malformed, "malformed_body", "the request body is not valid JSON")
	}
	w := walker{rest: body}
	return w.value(0)
}

// walker goes through a document that is known to be valid JSON, which spares
// it every check of syntax.
type walker struct {
	rest []byte
	path []segment
}

// segment is one step into the document: a key, or else an index.
type segment struct {
	key   []byte
	index int
}

func (w *walker) value(depth int) error {
	if depth > maxDepth {
		return errs.Field(w.field(), "malformed_body", "nested too deeply")
	}
	w.space()
	switch w.rest[0] {
	case '{':
		return w.object(depth)
	case '[':
		return w.array(depth)
	case '"':
		if _, clean := w.text(); !clean {
			return badText(w.field())
		}
		return nil
	}
	return w.scalar()
}

// scalar steps over true, false, null or a number, which must be an int64.
func (w *walker) scalar() error {
	end := bytes.IndexAny(w.rest, ",]} \t\r\n")
	if end < 0 {
		end = len(w.rest)
	}
	token := w.rest[:end]
	w.rest = w.rest[end:]
	if token[0] >= 'a' {
		return nil
	}
	_, err := strconv.ParseInt(string(token), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return errs.Field(w.field(), "out_of_range", "this number is too large")
	case err != nil:
		return errs.Field(w.field(), "invalid_type", "numbers are integers")
	}
	return nil
}

func (w *walker) object(depth int) error {
	var seen [][]byte
	for w.next('}') {
		key, clean := w.text()
		w.path = append(w.path, segment{key: key})
		switch {
		case !clean:
			return badText(w.field())
		case !snakeCase(key) || len(seen) == maxKeys:
			return errs.Field(w.field(), "unknown_field", "this field is not known")
		case contains(seen, key):
			return errs.Field(w.field(), "duplicate_field", "this field appears twice")
		}
		seen = append(seen, key)
		w.space()
		w.rest = w.rest[1:] // the colon
		if err := w.value(depth + 1); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
	return nil
}

func (w *walker) array(depth int) error {
	for i := 0; w.next(']'); i++ {
		w.path = append(w.path, segment{index: i})
		if err := w.value(depth + 1); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
	return nil
}

// next steps over "{", "[" or "," to the next member, and tells false after
// stepping over end.
func (w *walker) next(end byte) bool {
	w.space()
	if w.rest[0] != end {
		w.rest = w.rest[1:]
		w.space()
	}
	if w.rest[0] == end {
		w.rest = w.rest[1:]
		return false
	}
	return true
}

func (w *walker) space() { w.rest = bytes.TrimLeft(w.rest, " \t\r\n") }

// text steps over a string, gives its raw inside, and tells whether it stands
// for clean UTF-8 text.
func (w *walker) text() (raw []byte, clean bool) {
	body := w.rest[1:]
	end := 0
	for body[end] != '"' {
		if body[end] == '\\' {
			end++
		}
		end++
	}
	w.rest = body[end+1:]
	raw = body[:end]
	return raw, utf8.Valid(raw) && cleanEscapes(raw)
}

// cleanEscapes finds an escaped NUL and an escaped half of a surrogate pair.
func cleanEscapes(raw []byte) bool {
	for {
		at := bytes.IndexByte(raw, '\\')
		if at < 0 {
			return true
		}
		if raw[at+1] != 'u' {
			raw = raw[at+2:]
			continue
		}
		unit := hex4(raw[at+2:])
		raw = raw[at+6:]
		switch {
		case unit == 0:
			return false
		case unit >= 0xDC00 && unit <= 0xDFFF:
			return false // a low half without its high half
		case unit >= 0xD800 && unit <= 0xDBFF:
			if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' || hex4(raw[2:])&0xFC00 != 0xDC00 {
				return false
			}
			raw = raw[6:]
		}
	}
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) uint64 {
	n, err := strconv.ParseUint(string(b[:4]), 16, 16)
	if err != nil {
		return 0
	}
	return n
}

// field spells the walker's place as callers do: lines[0].quantity.
func (w *walker) field() string {
	var b strings.Builder
	for _, s := range w.path {
		switch {
		case s.key == nil:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case b.Len() > 0:
			b.WriteByte('.')
			fallthrough
		default:
			b.WriteString(printable(s.key))
		}
	}
	if b.Len() == 0 {
		return "body"
	}
	return b.String()
}

// printable makes a key that a stranger chose fit to be repeated.
func printable(key []byte) string {
	key = key[:min(len(key), maxKeyLen)]
	quoted := strconv.QuoteToASCII(string(key))
	return quoted[1 : len(quoted)-1]
}

func snakeCase(key []byte) bool {
	for _, c := range key {
		if ok := c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_'; !ok {
			return false
		}
	}
	return len(key) > 0 && len(key) <= maxKeyLen
}

func contains(list [][]byte, key []byte) bool {
	for _, k := range list {
		if bytes.Equal(k, key) {
			return true
		}
	}
	return false
}

// cleanText tells whether s is UTF-8 without NUL: PostgreSQL would refuse the
// rest, SQLite would not.
func cleanText(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

func badText(field string) error {
	return errs.Field(field, "invalid_utf8", "not clean UTF-8 text")
}

func isJSON(contentType string) bool {
	media, params, err := mime.ParseMediaType(contentType)
	charset := params["charset"]
	return err == nil && media == "application/json" && (charset == "" || strings.EqualFold(charset, "utf-8"))
}

func parseQuery(raw string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errs.Wrap(err, errs.Malformed, "malformed_query", "the query is malformed")
	}
	return query, nil
}
