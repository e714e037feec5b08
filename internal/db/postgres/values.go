package postgres

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"panshi/internal/errs"
)

// The wire's two formats.
const (
	asText   int16 = 0
	asBinary int16 = 1
)

var (
	errTime = errors.New("db: times are stored as db.Millis(t)")
	errText = errs.New(errs.Invalid, "invalid_text", "text must be UTF-8 without NUL")
)

// encode puts the arguments of a statement into the server's words. What the
// other engine would refuse is refused here as well.
func (s *stmt) encode(args []any) (values [][]byte, formats []int16, err error) {
	if len(args) != len(s.desc.ParamOIDs) {
		return nil, nil, fmt.Errorf("db: %d parameters, %d arguments: %s", len(s.desc.ParamOIDs), len(args), head(s.query))
	}
	if len(args) == 0 {
		return nil, nil, nil
	}
	values, formats = make([][]byte, len(args)), make([]int16, len(args))
	for i, arg := range args {
		if values[i], formats[i], err = encodeArg(s.desc.ParamOIDs[i], arg); err != nil {
			return nil, nil, fmt.Errorf("db: parameter $%d: %w (in %s)", i+1, err, head(s.query))
		}
	}
	return values, formats, nil
}

// encodeArg writes one argument as the server's type oid.
func encodeArg(oid uint32, arg any) ([]byte, int16, error) {
	if list, is, err := arrayOf(arg); err != nil {
		return nil, 0, err
	} else if is {
		return encodeArray(oid, list)
	}
	v, err := plain(arg)
	if err != nil {
		return nil, 0, err
	}
	return encodeAs(oid, v)
}

// plain reduces an argument to nil, bool, int64, float64, string or []byte.
func plain(arg any) (any, error) {
	switch v := arg.(type) {
	case nil, bool, int64, []byte:
		return v, nil
	case int:
		return int64(v), nil
	case string:
		return checkedText(v)
	case time.Time, *time.Time:
		return nil, errTime
	}
	v, err := driver.DefaultParameterConverter.ConvertValue(arg)
	if err != nil {
		return nil, fmt.Errorf("db: %w", err)
	}
	switch v := v.(type) {
	case string:
		return checkedText(v)
	case time.Time:
		return nil, errTime
	}
	return v, nil
}

func checkedText(s string) (any, error) {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return nil, errText
	}
	return s, nil
}

// encodeAs writes v as the server's type oid.
func encodeAs(oid uint32, v any) ([]byte, int16, error) {
	switch v := v.(type) {
	case nil:
		return nil, asText, nil
	case bool:
		return encodeBool(oid, v)
	case int64:
		return encodeInt(oid, v)
	case string:
		if isText(oid) {
			return []byte(v), asText, nil
		}
	case []byte:
		if v == nil {
			return nil, asText, nil
		}
		if oid == pgtype.ByteaOID {
			return v, asBinary, nil
		}
	}
	return nil, 0, fmt.Errorf("%w: it is %s here", errKind(v), typeName(oid))
}

func errKind(v any) error { return fmt.Errorf("a %T does not fit", v) }

func encodeBool(oid uint32, v bool) ([]byte, int16, error) {
	n := int64(0)
	if v {
		n = 1
	}
	return encodeInt(oid, n)
}

// encodeInt writes an integer; truth values are 0 and 1.
func encodeInt(oid uint32, v int64) ([]byte, int16, error) {
	switch oid {
	case pgtype.Int8OID:
		return binary.BigEndian.AppendUint64(nil, uint64(v)), asBinary, nil
	case pgtype.Int4OID:
		if v >= math.MinInt32 && v <= math.MaxInt32 {
			return binary.BigEndian.AppendUint32(nil, uint32(v)), asBinary, nil
		}
	case pgtype.Int2OID:
		if v >= math.MinInt16 && v <= math.MaxInt16 {
			return binary.BigEndian.AppendUint16(nil, uint16(v)), asBinary, nil
		}
	case pgtype.NumericOID:
		return strconv.AppendInt(nil, v, 10), asText, nil
	case pgtype.BoolOID:
		if v == 0 || v == 1 {
			return []byte{byte(v)}, asBinary, nil
		}
	default:
		return nil, 0, fmt.Errorf("%w: it is %s here", errKind(v), typeName(oid))
	}
	return nil, 0, fmt.Errorf("%d does not fit: it is %s here; CAST the parameter AS BIGINT", v, typeName(oid))
}

func isText(oid uint32) bool {
	switch oid {
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID, pgtype.UnknownOID:
		return true
	}
	return false
}

func typeName(oid uint32) string {
	if t, ok := pgtype.NewMap().TypeForOID(oid); ok {
		return t.Name
	}
	return "type " + strconv.FormatUint(uint64(oid), 10)
}

// resultFormats asks for the binary form of the types that decode reads so.
func resultFormats(fields []pgconn.FieldDescription) []int16 {
	formats := make([]int16, len(fields))
	for i, f := range fields {
		switch f.DataTypeOID {
		case pgtype.Int8OID, pgtype.Int4OID, pgtype.Int2OID, pgtype.BoolOID, pgtype.ByteaOID:
			formats[i] = asBinary
		}
	}
	return formats
}

// decode reads a value that came as resultFormats asked. raw is only valid
// until the next row, so that bytes are copied by whoever keeps them.
func decode(oid uint32, raw []byte) (any, error) {
	if raw == nil {
		return nil, nil //nolint:nilnil // NULL is a value
	}
	switch oid {
	case pgtype.Int8OID:
		return int64(binary.BigEndian.Uint64(raw)), nil
	case pgtype.Int4OID:
		return int64(int32(binary.BigEndian.Uint32(raw))), nil
	case pgtype.Int2OID:
		return int64(int16(binary.BigEndian.Uint16(raw))), nil
	case pgtype.BoolOID:
		return int64(raw[0]), nil // as SQLite has it
	case pgtype.ByteaOID:
		return raw, nil
	case pgtype.NumericOID:
		return decodeNumeric(string(raw)), nil
	case pgtype.Float8OID, pgtype.Float4OID:
		return strconv.ParseFloat(string(raw), 64)
	}
	return string(raw), nil
}

// decodeNumeric gives an integer where the number is one: a sum of bigints is
// a numeric.
func decodeNumeric(s string) any {
	whole, fraction, _ := strings.Cut(s, ".")
	if strings.Trim(fraction, "0") == "" {
		if n, err := strconv.ParseInt(whole, 10, 64); err == nil {
			return n
		}
	}
	return s
}
