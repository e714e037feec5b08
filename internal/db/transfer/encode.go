package transfer

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"panshi/internal/errs"
)

// The first byte of a value in canonical form; length and bytes follow, or the
// integer in eight bytes.
const (
	tagNull byte = 0
	tagInt  byte = 1
	tagText byte = 2
	tagBlob byte = 3
)

// appendValue writes a value of a column in canonical form: two values have
// the same form exactly if they are the same.
func appendValue(out []byte, c column, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(out, tagNull), nil
	case int64:
		if c.kind == integer {
			return binary.BigEndian.AppendUint64(append(out, tagInt), uint64(v)), nil
		}
	case string:
		if c.kind == text {
			return append(binary.AppendUvarint(append(out, tagText), uint64(len(v))), v...), nil
		}
	case []byte:
		if c.kind == blob {
			return append(binary.AppendUvarint(append(out, tagBlob), uint64(len(v))), v...), nil
		}
	}
	return nil, errs.New(errs.Integrity, "transfer_unknown_value", fmt.Sprintf("column %s holds a %T", c.name, v))
}

// errForm says that bytes are no canonical form.
var errForm = errs.New(errs.Integrity, "transfer_progress_damaged", "the progress of the move is damaged; begin anew with an empty destination")

// parseValue reads the value at the start of raw and gives the rest.
func parseValue(raw []byte) (v any, rest []byte, err error) {
	if len(raw) == 0 {
		return nil, nil, errForm
	}
	tag, raw := raw[0], raw[1:]
	if tag == tagNull {
		return nil, raw, nil
	}
	if tag == tagInt {
		if len(raw) < 8 {
			return nil, nil, errForm
		}
		return int64(binary.BigEndian.Uint64(raw)), raw[8:], nil
	}
	size, n := binary.Uvarint(raw)
	if n <= 0 || size > uint64(len(raw)-n) {
		return nil, nil, errForm
	}
	body, rest := raw[n:n+int(size)], raw[n+int(size):]
	switch tag {
	case tagText:
		return string(body), rest, nil
	case tagBlob:
		return body, rest, nil
	}
	return nil, nil, errForm
}

// parseKey reads the values of a key that appendValue wrote.
func parseKey(raw []byte) (values []any, err error) {
	for len(raw) > 0 {
		var v any
		if v, raw, err = parseValue(raw); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

// showKey is a key for people: ids as hexadecimal, the rest as it is.
func showKey(raw []byte) string {
	values, err := parseKey(raw)
	if err != nil {
		return hex.EncodeToString(raw)
	}
	shown := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case []byte:
			shown[i] = hex.EncodeToString(v)
		case string:
			shown[i] = strconv.Quote(strings.Map(printable, v))
		default:
			shown[i] = fmt.Sprint(v)
		}
	}
	return strings.Join(shown, ", ")
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}
