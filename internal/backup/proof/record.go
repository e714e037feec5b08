package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"panshi/internal/backup/manifest"
	"panshi/internal/errs"
)

// The kinds of records; a signature covers the kind.
const (
	kindProof   = "panshi-proof-1"
	kindCards   = "panshi-cards-bundle-1"
	kindOffline = "panshi-offline-set-1"
	kindStandby = "panshi-standby-1"
)

// Record tells what a restore from a destination came to.
type Record struct {
	Destination string    `json:"destination"`
	Region      string    `json:"region,omitempty"`
	At          time.Time `json:"at"`      // when it ended
	Took        int64     `json:"took_ns"` // from the first look to the end
	Version     string    `json:"version"` // of the program

	Objects  int                `json:"objects"` // that were read and compared with the manifests
	Bytes    int64              `json:"bytes"`   // that they have
	Findings []manifest.Finding `json:"findings,omitempty"`

	// The recovery point; zero if nothing was restored.
	Generation  string    `json:"generation,omitempty"`
	Transaction uint64    `json:"transaction,omitempty"`
	Time        time.Time `json:"time,omitzero"`
	Full        time.Time `json:"full,omitzero"` // of the whole copy that the restore began with

	Restored   int64          `json:"restored_bytes"` // of the backup, to get to the point
	Invariants int            `json:"invariants"`     // that were checked
	Violations int            `json:"violations"`     // over all of them
	Sums       *manifest.Sums `json:"sums,omitempty"` // what the restored shop has

	// Compared is the transaction at which the running shop had added itself up, 0
	// if the manifests tell of none; Exact says that the restore passed it.
	// Differences are what the restore had otherwise.
	Compared    uint64   `json:"compared,omitempty"`
	Exact       bool     `json:"exact,omitempty"`
	Differences []string `json:"differences,omitempty"`

	// Failure is the code of what ended it early, "" if nothing did.
	Failure string `json:"failure,omitempty"`
}

// Good tells whether the destination brought a sound shop back.
func (r Record) Good() bool {
	return r.Failure == "" && len(r.Findings) == 0 && len(r.Differences) == 0 && r.Invariants > 0 && r.Violations == 0
}

// Why tells in a few words why a record is not good; "" if it is.
func (r Record) Why() string {
	switch {
	case len(r.Findings) > 0:
		f := r.Findings[0]
		return fmt.Sprintf("findings: %d, the first: %s %s", len(r.Findings), f.Kind, f.Name)
	case len(r.Differences) > 0:
		return fmt.Sprintf("differences from the shop's sums: %d, the first: %s", len(r.Differences), r.Differences[0])
	case r.Failure != "":
		return r.Failure
	case r.Violations > 0:
		return fmt.Sprintf("violations of invariants: %d", r.Violations)
	case r.Invariants == 0:
		return "nothing was checked"
	}
	return ""
}

// Offline tells that a whole copy was written to a disk that is taken away, and
// that everything on that disk was read back.
type Offline struct {
	Disk  string    `json:"disk"` // drawn when the disk was taken into use
	Label string    `json:"label"`
	Apart bool      `json:"apart"` // it was another device than those of data and spool
	At    time.Time `json:"at"`    // when the last byte had been read back
	Took  int64     `json:"took_ns"`

	Generation  string    `json:"generation"` // of the recovery point
	Transaction uint64    `json:"transaction"`
	Time        time.Time `json:"time"`
	// Complete is up to when nothing is missing: later than Time if the shop said
	// that nothing was committed since; zero if it was not asked.
	Complete time.Time `json:"complete,omitzero"`

	Objects int   `json:"objects"` // that were read back
	Bytes   int64 `json:"bytes"`   // that they have
	Sets    int   `json:"sets"`    // recovery points that the disk has now
	// Head is the disk's newest manifest: it must not be found with an older one.
	Head manifest.Head `json:"head"`
	// CardsThere says that somebody put the bundle of card keys on the disk.
	CardsThere bool `json:"cards_there,omitempty"`
}

// Standby tells that another machine follows this shop.
type Standby struct {
	Seen   time.Time     `json:"seen"`      // when it was heard of last, by this shop's clock
	Behind time.Duration `json:"behind_ns"` // how old the oldest commit was that it lacked then
}

// CardsRecord tells that the keys of card keys were written into a bundle.
type CardsRecord struct {
	At     time.Time `json:"at"`
	Digest string    `json:"digest"` // of the keysets in it (bundle.Bundle.Digest)
}

// Signer signs a message (seal.Keys).
type Signer interface{ Sign(message []byte) []byte }

// signed is a record as it is kept.
type signed struct {
	Kind      string          `json:"kind"`
	Record    json.RawMessage `json:"record"`
	Signature string          `json:"signature"` // Ed25519 over kind, a line feed and record
}

// Encode signs a record of a kind. Code backup_proof_unwritable.
func Encode(kind string, record any, signer Signer) ([]byte, error) {
	text, err := json.Marshal(record)
	if err != nil {
		return nil, unwritable(err)
	}
	content, err := json.Marshal(signed{kind, text, hex.EncodeToString(signer.Sign(message(kind, text)))})
	if err != nil {
		return nil, unwritable(err)
	}
	return append(content, '\n'), nil
}

func message(kind string, record []byte) []byte { return append([]byte(kind+"\n"), record...) }

// Decode reads what Encode wrote; an error says that signer did not sign it, or not
// as a record of this kind.
func Decode(kind string, content []byte, signer ed25519.PublicKey, record any) error {
	var s signed
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return err
	}
	signature, err := hex.DecodeString(s.Signature)
	if err != nil || s.Kind != kind || !ed25519.Verify(signer, message(kind, s.Record), signature) {
		return errors.New("no record that this shop signed")
	}
	return json.Unmarshal(s.Record, record)
}

func unwritable(err error) error {
	return errs.Wrap(err, errs.Unavailable, "backup_proof_unwritable", "the record of a proof cannot be written")
}
