package id

import (
	"crypto/rand"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ID is a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, a 12-bit counter
// within the millisecond, 62 random bits. The zero ID means "none".
type ID [16]byte

var errFormat = errors.New("id: not a UUID")

// sequence keeps ids of one process in strictly rising order.
type sequence struct {
	mu   sync.Mutex
	last uint64 // guarded by mu; milliseconds<<12 | counter of the last id

	// Random bytes are drawn many at a time: asking the system costs more than
	// all the rest of an id. Guarded by mu; what stands before used is gone.
	random [512]byte
	used   int
}

//nolint:gochecknoglobals // ids of one process share one order, as its clock does
var process sequence

// New returns an id that sorts after every id this process made before.
func New() ID {
	stamp := process.next(uint64(time.Now().UnixMilli()))
	var v ID
	process.draw(v[8:])
	binary.BigEndian.PutUint64(v[:8], stamp>>12<<16|stamp&0xfff)
	v[6] |= 0x70
	v[8] = v[8]&0x3f | 0x80
	return v
}

// next gives the stamp for ms, or the successor of the last one if the clock
// stood still or went back.
func (s *sequence) next(ms uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, ms<<12)
	return s.last
}

// draw fills b, of at most 8 bytes, with random bytes that nobody else gets.
func (s *sequence) draw(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == 0 || s.used+len(b) > len(s.random) {
		if _, err := rand.Read(s.random[:]); err != nil {
			panic("id: the system's random source failed: " + err.Error())
		}
		s.used = 0
	}
	n := copy(b, s.random[s.used:])
	clear(s.random[s.used : s.used+n])
	s.used += n
}

// Parse reads the 36-character form.
func Parse(s string) (ID, error) {
	var v ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, errFormat
	}
	compact := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(v[:], []byte(compact)); err != nil {
		return ID{}, errFormat
	}
	return v, nil
}

// IsZero tells whether v is "none".
func (v ID) IsZero() bool { return v == ID{} }

// String gives the 36-character form, "" for none.
func (v ID) String() string {
	if v.IsZero() {
		return ""
	}
	var text [36]byte
	hex.Encode(text[:8], v[:4])
	hex.Encode(text[9:13], v[4:6])
	hex.Encode(text[14:18], v[6:8])
	hex.Encode(text[19:23], v[8:10])
	hex.Encode(text[24:], v[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// MarshalText makes JSON show the 36-character form.
func (v ID) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads the 36-character form or "".
func (v *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*v = ID{}
		return nil
	}
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*v = parsed
	return nil
}

// Value stores 16 bytes, NULL for none.
func (v ID) Value() (driver.Value, error) {
	if v.IsZero() {
		return nil, nil //nolint:nilnil // a driver.Value of nil is NULL
	}
	return v[:], nil
}

// Scan reads 16 bytes or NULL.
func (v *ID) Scan(src any) error {
	switch b := src.(type) {
	case nil:
		*v = ID{}
		return nil
	case []byte:
		if len(b) == len(v) {
			copy(v[:], b)
			return nil
		}
	}
	return fmt.Errorf("id: cannot read %T of the database as an id", src)
}
