package postgres

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"panshi/internal/id"
)

// array is a list of values for one parameter: many rows in one statement, by
// UNNEST. The other engine has no such type.
type array struct {
	of    []uint32 // the server's types that fit
	items [][]byte // nil is NULL
}

// arrayOf makes a list that a parameter can take: []int64, []string, [][]byte
// and []id.ID, of which the zero ID is NULL as it is alone.
func arrayOf(arg any) (a array, is bool, err error) {
	switch list := arg.(type) {
	case []int64:
		return array{[]uint32{pgtype.Int8ArrayOID}, each(list, func(n int64) []byte {
			return binary.BigEndian.AppendUint64(nil, uint64(n))
		})}, true, nil
	case []string:
		for _, s := range list {
			if _, err := checkedText(s); err != nil {
				return array{}, true, err
			}
		}
		return array{
			[]uint32{pgtype.TextArrayOID, pgtype.VarcharArrayOID},
			each(list, func(s string) []byte { return []byte(s) }),
		}, true, nil
	case [][]byte:
		return array{[]uint32{pgtype.ByteaArrayOID}, list}, true, nil
	case []id.ID:
		return array{[]uint32{pgtype.ByteaArrayOID}, each(list, func(v id.ID) []byte {
			if v.IsZero() {
				return nil
			}
			return v[:]
		})}, true, nil
	}
	return array{}, false, nil
}

func each[T any](list []T, write func(T) []byte) [][]byte {
	items := make([][]byte, len(list))
	for i, v := range list {
		items[i] = write(v)
	}
	return items
}

// encodeArray writes a list as the server's array type oid: dimensions,
// whether it holds NULL, the elements' type, their number, the first index,
// and each element behind its length.
func encodeArray(oid uint32, a array) ([]byte, int16, error) {
	if !slices.Contains(a.of, oid) {
		return nil, 0, fmt.Errorf("a list does not fit: it is %s here; CAST the parameter AS an array", typeName(oid))
	}
	dimensions, nulls, size := uint32(1), uint32(0), 20
	if len(a.items) == 0 {
		dimensions = 0
	}
	for _, item := range a.items {
		size += 4 + len(item)
		if item == nil {
			nulls = 1
		}
	}
	out := make([]byte, 0, size)
	out = binary.BigEndian.AppendUint32(out, dimensions)
	out = binary.BigEndian.AppendUint32(out, nulls)
	out = binary.BigEndian.AppendUint32(out, elementOf(oid))
	if dimensions == 0 {
		return out, asBinary, nil
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(a.items)))
	out = binary.BigEndian.AppendUint32(out, 1)
	for _, item := range a.items {
		if item == nil {
			out = binary.BigEndian.AppendUint32(out, 0xffffffff)
			continue
		}
		out = binary.BigEndian.AppendUint32(out, uint32(len(item)))
		out = append(out, item...)
	}
	return out, asBinary, nil
}

func elementOf(oid uint32) uint32 {
	switch oid {
	case pgtype.Int8ArrayOID:
		return pgtype.Int8OID
	case pgtype.ByteaArrayOID:
		return pgtype.ByteaOID
	case pgtype.VarcharArrayOID:
		return pgtype.VarcharOID
	}
	return pgtype.TextOID
}
