package access

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/argon2"

	"panshi/internal/errs"
)

// params are those of argon2id. They are recorded in every hash, so that they
// can be raised and old hashes follow at the next sign-in.
type params struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// defaultParams is the floor of OWASP's password storage advice for argon2id:
// 19 MiB, two passes, one lane.
func defaultParams() params { return params{memory: 19 * 1024, passes: 2, threads: 1} }

const (
	saltSize = 16
	hashSize = 32

	// Sign-ins hash two at a time and the rest wait, so that no number of them
	// takes more than 38 MiB; past the queue they are refused.
	hashSlots = 2
	hashQueue = 64
)

var errHashBusy = errs.New(errs.Unavailable, "overloaded", "too many sign-ins at once")

// hasher hashes passwords with bounded concurrency.
type hasher struct {
	params  params
	slots   chan struct{}
	waiting atomic.Int64
	dummy   string       // the hash of a password that nobody knows
	dummies atomic.Int64 // how often it was compared, for tests
}

func newHasher(p params) *hasher {
	h := &hasher{params: p, slots: make(chan struct{}, hashSlots)}
	h.dummy = h.encode(random(saltSize), random(hashSize))
	return h
}

// enter waits for a slot; call leave after it.
func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > hashQueue {
		return nil, errHashBusy
	}
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash makes the stored form of a password; the caller holds a slot.
func (h *hasher) hash(password string) string {
	salt := random(saltSize)
	return h.encode(salt, h.params.derive(password, salt, hashSize))
}

// verify compares in constant time; the caller holds a slot. outdated says
// that the stored form has weaker parameters than new ones get.
func (h *hasher) verify(stored, password string) (ok, outdated bool) {
	p, salt, want, err := decode(stored)
	if err != nil {
		return false, false
	}
	got := p.derive(password, salt, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, p != h.params
}

// burn does the work of verify for a login that nobody has.
func (h *hasher) burn(password string) {
	h.dummies.Add(1)
	_, _ = h.verify(h.dummy, password)
}

func (p params) derive(password string, salt []byte, size uint32) []byte {
	return argon2.IDKey([]byte(password), salt, p.passes, p.memory, p.threads, size)
}

// encode writes the PHC string form.
func (h *hasher) encode(salt, sum []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.params.memory, h.params.passes, h.params.threads, b64.EncodeToString(salt), b64.EncodeToString(sum))
}

var errStoredHash = errs.New(errs.Integrity, "password_hash_damaged", "a stored password hash cannot be read")

// decode reads what encode wrote.
func decode(stored string) (p params, salt, sum []byte, err error) {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return params{}, nil, nil, errStoredHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.threads); err != nil {
		return params{}, nil, nil, errStoredHash
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[4])
	sum, errSum := base64.RawStdEncoding.DecodeString(parts[5])
	const mostMemory, mostPasses = 1 << 20, 64 // a damaged row must not eat the machine
	if errSalt != nil || errSum != nil || len(sum) != hashSize || p.memory > mostMemory ||
		p.passes < 1 || p.passes > mostPasses || p.threads < 1 {
		return params{}, nil, nil, errStoredHash
	}
	return p, salt, sum, nil
}
