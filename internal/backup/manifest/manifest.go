package manifest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"panshi/internal/backup"
	"panshi/internal/errs"
)

const (
	// Prefix begins the names of all manifests.
	Prefix = "manifest/"
	// maxSize bounds a manifest in bytes; a hundred thousand objects fit.
	maxSize = 32 << 20
	first   = "panshi-manifest-1 "
)

// Entry is one object that is there.
type Entry struct {
	Name   string        `json:"name"`
	Size   int64         `json:"size"` // bytes
	SHA256 backup.Digest `json:"sha256"`
}

// Head names one manifest of a chain.
type Head struct {
	Chain  string        `json:"chain"`
	Number uint64        `json:"number"` // from 1
	SHA256 backup.Digest `json:"sha256"` // of the whole file
}

// Manifest is one link.
type Manifest struct {
	Chain  string `json:"chain"`
	Number uint64 `json:"number"`
	Label  string `json:"label"` // of the destination
	Time   int64  `json:"time"`  // milliseconds since 1970 UTC, our clock
	// Epoch is that of the lease which the writer held, 0 for none.
	Epoch    uint64        `json:"epoch,omitempty"`
	Previous backup.Digest `json:"previous"`
	// Complete is the time, as Time, up to which everything that the shop had
	// committed is listed here or before; 0 if that cannot be said.
	Complete int64 `json:"complete,omitempty"`
	// Base says that Added is everything that is there; Oldest is then the oldest
	// number that the chain keeps.
	Base    bool     `json:"base"`
	Oldest  uint64   `json:"oldest"`
	Added   []Entry  `json:"added,omitempty"`
	Removed []string `json:"removed,omitempty"`
	// Adopts names the chains that end here: this machine took over what they
	// listed.
	Adopts []Head `json:"adopts,omitempty"`
	// Sets are the recovery points of a disk that is plugged in now and then, the
	// oldest first; no log lies between them. Others have none: what they hold is
	// one history.
	Sets []Set `json:"sets,omitempty"`
	// Sums is a sealed Sums, if they were taken.
	Sums []byte `json:"sums,omitempty"`
}

// Set is one recovery point: a full, the log after it up to a transaction, and
// the keys and settings of that time.
type Set struct {
	Full  string   `json:"full"`  // name of the segment
	End   uint64   `json:"end"`   // last transaction
	Time  int64    `json:"time"`  // of End; milliseconds since 1970 UTC
	Taken int64    `json:"taken"` // when it was written, our clock
	Boxes []string `json:"boxes,omitempty"`
}

// Has tells whether an object belongs to the set.
func (s Set) Has(name string) bool {
	if name == s.Full || slices.Contains(s.Boxes, name) {
		return true
	}
	full, ok1 := backup.ParseSegment(s.Full)
	part, ok2 := backup.ParseSegment(name)
	return ok1 && ok2 && part.Generation == full.Generation && !part.Full() && part.Max > full.Max && part.Max <= s.End
}

// Name is the manifest's name at its destination.
func (m Manifest) Name() string { return Head{Chain: m.Chain, Number: m.Number}.Name() }

// Name is the name of the manifest that h names.
func (h Head) Name() string { return fmt.Sprintf("%s%s/%010d", Prefix, h.Chain, h.Number) }

// parseName reads what Name wrote, spare copies included.
func parseName(name string) (Head, bool) {
	m := regexp.MustCompile(`^manifest/([0-9a-f]{16})/([0-9]{10})$`).FindStringSubmatch(backup.Logical(name))
	if m == nil {
		return Head{}, false
	}
	n, err := strconv.ParseUint(m[2], 10, 64)
	return Head{Chain: m[1], Number: n}, err == nil && n > 0
}

// NewChain draws the name of a chain.
func NewChain() string {
	var raw [8]byte
	_, _ = rand.Read(raw[:]) // never fails (crypto/rand)
	return hex.EncodeToString(raw[:])
}

// At gives Time as a time.
func (m Manifest) At() time.Time { return time.UnixMilli(m.Time).UTC() }

// Signer signs a message (seal.Keys).
type Signer interface{ Sign(message []byte) []byte }

// Encode writes and signs a manifest.
func Encode(m Manifest, signer Signer) ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "backup_manifest_unwritable", "a manifest could not be written")
	}
	signature := signer.Sign(message(m.Name(), text))
	return fmt.Appendf(nil, "%s%s\n%s", first, hex.EncodeToString(signature), text), nil
}

func message(name string, text []byte) []byte {
	return fmt.Appendf(nil, "%s%s\n%s", first, name, text)
}

// Decode checks and reads a manifest that was found under name. Every byte
// counts: the spelling of the signature too.
func Decode(name string, content []byte, signer ed25519.PublicKey) (Manifest, error) {
	rest, ok := bytes.CutPrefix(content, []byte(first))
	digits, text, found := bytes.Cut(rest, []byte("\n"))
	signature, err := hex.DecodeString(string(digits))
	if !ok || !found || err != nil || hex.EncodeToString(signature) != string(digits) ||
		!ed25519.Verify(signer, message(backup.Logical(name), text), signature) {
		return Manifest{}, errors.New("no manifest that this shop signed under this name")
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, err
	}
	if m.Name() != backup.Logical(name) {
		return Manifest{}, errors.New("signed under a name that it does not tell")
	}
	return m, nil
}

// HeadOf gives the head that content, a manifest of that number, makes.
func HeadOf(m Manifest, content []byte) Head {
	return Head{Chain: m.Chain, Number: m.Number, SHA256: sha256.Sum256(content)}
}
