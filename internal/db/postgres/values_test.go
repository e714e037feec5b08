package postgres

import (
	"math"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/id"
)

func TestInspect(t *testing.T) {
	for _, query := range []string{
		`SELECT 1`, `SELECT $1, $2, $1 -- ?`, `SELECT '? ; COMMIT', "a;b" FROM x WHERE y = $1;`,
		`/* ; */ UPDATE x SET end = $1`, `WITH a AS (SELECT $1) SELECT $2 FROM a`,
	} {
		require.NoError(t, inspect(query), query)
	}
	for _, query := range []string{
		`COMMIT`, ` /* a */ rollback`, `SELECT 1; SELECT 2`, `SELECT $2`, `SELECT ?`, `SET synchronous_commit = off`,
		`LISTEN a`, `PREPARE TRANSACTION 'x'`, `SELECT $x`, `LOCK TABLE x`, `DO 'x'`, `SELECT 1 --` + "\n" + `; COMMIT`,
	} {
		require.Error(t, inspect(query), query)
	}
}

func TestEncode(t *testing.T) {
	type name string
	for _, c := range []struct {
		oid  uint32
		arg  any
		want []byte
	}{
		{pgtype.Int8OID, int64(-2), []byte{255, 255, 255, 255, 255, 255, 255, 254}},
		{pgtype.Int8OID, uint16(258), []byte{0, 0, 0, 0, 0, 0, 1, 2}},
		{pgtype.Int8OID, true, []byte{0, 0, 0, 0, 0, 0, 0, 1}},
		{pgtype.Int4OID, 7, []byte{0, 0, 0, 7}},
		{pgtype.Int2OID, -1, []byte{255, 255}},
		{pgtype.BoolOID, 1, []byte{1}},
		{pgtype.BoolOID, false, []byte{0}},
		{pgtype.NumericOID, int64(math.MinInt64), []byte("-9223372036854775808")},
		{pgtype.TextOID, name("磐石"), []byte("磐石")},
		{pgtype.TextOID, "", []byte{}},
		{pgtype.ByteaOID, []byte{}, []byte{}},
		{pgtype.ByteaOID, []byte(nil), nil},
		{pgtype.ByteaOID, id.ID{}, nil},
		{pgtype.ByteaOID, id.ID{1}, append([]byte{1}, make([]byte, 15)...)},
		{pgtype.Int8OID, db.Millis(time.Time{}), nil},
		{pgtype.Int8OID, (*int64)(nil), nil},
	} {
		v, err := plain(c.arg)
		require.NoError(t, err, "%#v", c.arg)
		got, _, err := encodeAs(c.oid, v)
		require.NoError(t, err, "%#v", c.arg)
		require.Equal(t, c.want, got, "%#v", c.arg)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		oid uint32
		arg any
	}{
		{pgtype.Int4OID, int64(math.MaxInt32) + 1},
		{pgtype.Int2OID, 40_000},
		{pgtype.BoolOID, 2},
		{pgtype.TextOID, 1},
		{pgtype.TextOID, []byte("a")},
		{pgtype.ByteaOID, "a"},
		{pgtype.Int8OID, "1"},
		{pgtype.TextOID, "a\x00"},
		{pgtype.TextOID, "\xff"},
		{pgtype.TimestamptzOID, time.Now()},
		{pgtype.Int8OID, 1.5},
		{pgtype.Int8OID, uint64(math.MaxUint64)},
		{pgtype.TextOID, struct{}{}},
	} {
		v, err := plain(c.arg)
		if err == nil {
			_, _, err = encodeAs(c.oid, v)
		}
		require.Error(t, err, "%#v", c.arg)
	}
}

func TestDecodeAndAssign(t *testing.T) {
	type name string
	scan := func(oid uint32, raw []byte, dest any) error {
		v, err := decode(oid, raw)
		require.NoError(t, err)
		return assign(dest, v)
	}
	var n int64
	require.NoError(t, scan(pgtype.NumericOID, []byte("9223372036854775807"), &n))
	require.EqualValues(t, math.MaxInt64, n)
	require.NoError(t, scan(pgtype.NumericOID, []byte("12.000"), &n))
	require.EqualValues(t, 12, n)
	require.Error(t, scan(pgtype.NumericOID, []byte("12.5"), &n))
	require.Error(t, scan(pgtype.NumericOID, []byte("9223372036854775808"), &n))
	require.NoError(t, scan(pgtype.BoolOID, []byte{1}, &n))
	require.EqualValues(t, 1, n)
	require.Error(t, scan(pgtype.Int8OID, nil, &n), "NULL")
	require.Error(t, scan(pgtype.Int8OID, make([]byte, 8), n), "no pointer")
	var small uint8
	require.Error(t, scan(pgtype.Int2OID, []byte{1, 0}, &small))
	require.NoError(t, scan(pgtype.Int2OID, []byte{0, 200}, &small))
	require.EqualValues(t, 200, small)
	var flag bool
	require.NoError(t, scan(pgtype.Int4OID, []byte{0, 0, 0, 1}, &flag))
	require.True(t, flag)
	require.Error(t, scan(pgtype.Int4OID, []byte{0, 0, 0, 2}, &flag))
	var own name
	require.NoError(t, scan(pgtype.TextOID, []byte("磐"), &own))
	require.Equal(t, name("磐"), own)
	require.Error(t, scan(pgtype.TextOID, []byte("1"), &n), "text is no number")
	var maybe *int64
	require.NoError(t, scan(pgtype.Int8OID, nil, &maybe))
	require.Nil(t, maybe)
	require.NoError(t, scan(pgtype.Int4OID, []byte{255, 255, 255, 255}, &maybe))
	require.EqualValues(t, -1, *maybe)
	kept := []byte("row one")
	var bytes []byte
	var anything any
	require.NoError(t, scan(pgtype.ByteaOID, kept, &bytes))
	require.NoError(t, scan(pgtype.ByteaOID, kept, &anything))
	copy(kept, "row two")
	require.Equal(t, "row one", string(bytes), "the buffer is the connection's")
	require.Equal(t, []byte("row one"), anything)
	require.NoError(t, scan(pgtype.ByteaOID, nil, &bytes))
	require.Nil(t, bytes)
	var float float64
	require.NoError(t, scan(pgtype.Float8OID, []byte("0.5"), &float))
	require.InDelta(t, 0.5, float, 0)
}
