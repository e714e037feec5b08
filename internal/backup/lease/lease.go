package lease

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"panshi/internal/backup"
	"panshi/internal/errs"
)

// Name is the object that holds the lease.
const Name = backup.LeasePrefix + "writer"

// Lease is what the object says.
type Lease struct {
	Epoch    uint64 `json:"epoch"` // from 1; rises with each take-over
	Node     string `json:"node"`  // the data directory that holds it
	Run      string `json:"run"`   // the process that does
	Beat     uint64 `json:"beat"`  // renewals of this run
	TTL      int64  `json:"ttl_ms"`
	Time     int64  `json:"time"` // milliseconds since 1970 UTC by the holder's clock; to be shown, never compared
	Released bool   `json:"released,omitempty"`
	// How far the holder has shipped.
	Generation  string `json:"generation,omitempty"`
	Transaction uint64 `json:"transaction,omitempty"`
}

// At is Time as a time.
func (l Lease) At() time.Time { return time.UnixMilli(l.Time).UTC() }

// ttl is how long to watch before a lease counts as silent, whatever it says.
func (l Lease) ttl() time.Duration {
	return min(max(time.Duration(l.TTL)*time.Millisecond, time.Second), 5*time.Minute)
}

// Signer signs for the shop and tells by what it is checked (seal.Keys).
type Signer interface {
	Sign(message []byte) []byte
	Signer() ed25519.PublicKey
}

// The first words of what is signed; the kind keeps one from passing for another.
const (
	leaseKind    = "panshi-lease-1"
	followerKind = "panshi-follower-1"
)

func encode(kind string, value any, by Signer) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "lease_unwritable", "a lease could not be written")
	}
	return fmt.Appendf(nil, "%s %s\n%s", kind, hex.EncodeToString(by.Sign(message(kind, text))), text), nil
}

func message(kind string, text []byte) []byte { return fmt.Appendf(nil, "%s\n%s", kind, text) }

// decode checks and reads what encode wrote. Code lease_foreign: the shop of that
// key did not write it.
func decode(kind string, content []byte, signer ed25519.PublicKey, value any) error {
	first, text, found := bytes.Cut(content, []byte("\n"))
	digits, ok := bytes.CutPrefix(first, []byte(kind+" "))
	signature, err := hex.DecodeString(string(digits))
	if !found || !ok || err != nil || !ed25519.Verify(signer, message(kind, text), signature) {
		return foreign(errors.New("it is not signed by this shop's key"))
	}
	if err := json.Unmarshal(text, value); err != nil {
		return foreign(err)
	}
	return nil
}

func foreign(cause error) error {
	return errs.Wrap(cause, errs.Integrity, "lease_foreign",
		"the lease at the destination is not of this shop; two shops must not share one destination")
}

// Lost is the error of a shop that another machine took over from.
func Lost(by Lease) error {
	return errs.New(errs.Forbidden, "lease_lost",
		fmt.Sprintf("another machine writes for this shop since epoch %d: this one must not take orders any more. "+
			"Keep its data directory for what it may have sold last, and have it follow as a standby with an empty one", by.Epoch)).
		With("epoch", fmt.Sprint(by.Epoch)).With("node", by.Node)
}

// held is the error of who would take over from a shop that lives.
func held(by Lease) error {
	return errs.New(errs.Conflict, "lease_held",
		"another machine writes for this shop and renews its lease: stop it first").
		With("epoch", fmt.Sprint(by.Epoch)).With("node", by.Node)
}

// unsure is the error of a write that comes when nobody knows who holds.
func unsure(why string) error {
	return errs.New(errs.Unavailable, "lease_unsure", "this shop cannot tell whether it may still take orders: "+why)
}
