package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"time"
)

// Digest is the SHA-256 of an object's bytes as a destination keeps them.
type Digest [sha256.Size]byte

// String gives the digest in small hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText writes the digest as String does.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(d)) {
		return hex.ErrLength
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// Object is what a listing tells of one object.
type Object struct {
	Name string
	Size int64 // bytes
}

// Body is what Put stores. It can be read any number of times, because a try
// that failed is followed by another one.
type Body struct {
	Size   int64 // bytes, exactly
	SHA256 Digest
	// LockedUntil asks the destination to refuse to delete or overwrite the
	// object before then, by our clock. Zero asks for nothing; a destination
	// that cannot lock ignores it.
	LockedUntil time.Time
	Open        func() (io.ReadCloser, error)
}

// Bytes gives content as a Body.
func Bytes(content []byte) Body {
	return Body{Size: int64(len(content)), SHA256: sha256.Sum256(content), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}

// Destination keeps immutable objects under names (ValidName) at one place.
//
// Errors are errs.Error with one of the codes below; only backup_unavailable
// and backup_full may pass by themselves, and only those are worth a retry.
// Every method may be called by several goroutines, and ends soon after its
// context does.
//
//	backup_object_missing  there is no such object
//	backup_object_exists   there is one, and Put did not touch it
//	backup_object_damaged  what arrived is not what Body promised
//	backup_refused         the credential, a lock or a mode forbids it
//	backup_full            no room
//	backup_unavailable     no answer, or an answer that blames the destination
type Destination interface {
	// Put stores a new object. When it returns nil, the object is there in
	// full, with the digest that body tells, and survives a power cut of the
	// destination, name included. It never replaces an object: then it fails
	// with backup_object_exists, and the caller finds out whose it is by
	// reading it. After any other error the object may be there or not, in full
	// or, where the destination knows no better, in part: a caller that repeats
	// Put must expect backup_object_exists, and compare.
	Put(ctx context.Context, name string, body Body) error

	// Get reads length bytes from offset, or all that follow when length is
	// negative. A range that reaches past the end gives what there is. The
	// reader may fail midway; only io.EOF means the end.
	Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error)

	// List calls each for every object whose name begins with prefix, in no
	// order, until each fails. A listing may miss objects that were put shortly
	// before, and show ones that are deleted: only Get tells that one is absent.
	List(ctx context.Context, prefix string, each func(Object) error) error

	// Delete removes an object; one that is absent counts as removed.
	Delete(ctx context.Context, name string) error
}

// Swapper is a Destination that can also exchange a small object atomically,
// which makes a lease of it: who swaps last knows that nobody did in between.
type Swapper interface {
	Destination

	// Load reads a whole object of at most 64 KiB with its version, an opaque
	// text that is "" for an object that does not exist (then content is nil).
	Load(ctx context.Context, name string) (content []byte, version string, err error)

	// Swap stores content under name if the version there is still was ("" asks
	// that it is absent), durably and in one step, and gives the new version.
	// Code backup_swap_lost: somebody was faster and nothing changed. After
	// backup_unavailable it may have happened: Load tells.
	Swap(ctx context.Context, name, was string, content []byte) (version string, err error)
}
