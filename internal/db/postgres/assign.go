package postgres

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
)

// assign stores src (nil, int64, float64, string or []byte) in *dest, where it
// fits exactly.
func assign(dest, src any) error {
	switch d := dest.(type) {
	case *int64:
		if v, ok := src.(int64); ok {
			*d = v
			return nil
		}
	case *string:
		if v, ok := src.(string); ok {
			*d = v
			return nil
		}
	case *[]byte:
		if src == nil {
			*d = nil
			return nil
		}
		if v, ok := src.([]byte); ok {
			*d = bytes.Clone(v)
			return nil
		}
	case *any:
		if v, ok := src.([]byte); ok {
			src = bytes.Clone(v)
		}
		*d = src
		return nil
	case sql.Scanner:
		return scanInto(d, src)
	}
	return assignKind(reflect.ValueOf(dest), src)
}

// scanInto gives a Scanner bytes of its own: it may keep them.
func scanInto(d sql.Scanner, src any) error {
	if v, ok := src.([]byte); ok {
		src = bytes.Clone(v)
	}
	return d.Scan(src)
}

// assignKind stores src by the kind of what dest points to, such as a string
// with a name of its own.
func assignKind(dest reflect.Value, src any) error {
	if dest.Kind() != reflect.Pointer || dest.IsNil() {
		return errors.New("the destination is no pointer")
	}
	to := dest.Elem()
	if to.Kind() == reflect.Pointer {
		return assignPointer(to, src)
	}
	switch v := src.(type) {
	case int64:
		return assignInt(to, v)
	case string:
		if to.Kind() == reflect.String {
			to.SetString(v)
			return nil
		}
	case float64:
		if to.CanFloat() {
			to.SetFloat(v)
			return nil
		}
	case []byte:
		if to.Kind() == reflect.Slice && to.Type().Elem().Kind() == reflect.Uint8 {
			to.SetBytes(bytes.Clone(v))
			return nil
		}
	case nil:
		return fmt.Errorf("NULL does not fit into %s", to.Type())
	}
	return fmt.Errorf("a %T does not fit into %s", src, to.Type())
}

// assignPointer stores NULL as nil, and anything else in a new value.
func assignPointer(to reflect.Value, src any) error {
	if src == nil {
		to.SetZero()
		return nil
	}
	fresh := reflect.New(to.Type().Elem())
	if err := assign(fresh.Interface(), src); err != nil {
		return err
	}
	to.Set(fresh)
	return nil
}

func assignInt(to reflect.Value, v int64) error {
	switch {
	case to.CanInt() && !to.OverflowInt(v):
		to.SetInt(v)
	case to.CanUint() && v >= 0 && !to.OverflowUint(uint64(v)):
		to.SetUint(uint64(v))
	case to.Kind() == reflect.Bool && (v == 0 || v == 1):
		to.SetBool(v == 1)
	case to.CanFloat():
		to.SetFloat(float64(v))
	default:
		return fmt.Errorf("the integer %d does not fit into %s", v, to.Type())
	}
	return nil
}
