package vault

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/errs"
	"panshi/internal/id"
)

// Class is a group of data with keys of its own, so that it can be handed out,
// rotated or destroyed alone.
type Class string

// The classes.
const (
	Cards   Class = "card"    // what is sold: card keys, shared texts, delivered content
	PII     Class = "pii"     // a person's data
	Payment Class = "payment" // credentials at payment platforms
	Staff   Class = "staff"   // second factors and the like
)

// Sizes in bytes.
const (
	fingerprintSize = 16 // 2^48 texts under one purpose before a chance hit of 2^-32
	tokenSize       = 32
)

// Vault seals, opens and fingerprints text. It is made by Create, Open or
// OpenOrCreate and never changes after, so all methods may run concurrently.
type Vault struct {
	redacted
	classes map[Class]classKeys
	tokens  prf.PRF
	backup  tink.StreamingAEAD
}

// classKeys is what works for one class.
type classKeys struct {
	redacted
	seal  tink.AEAD
	index prf.PRF
}

// Seal encrypts plaintext (may be empty) for one cell. Two seals of one text
// differ. The result is 33 bytes longer than the text. It fails with
// errs.Internal, code "vault_seal_failed", on an unknown class or an incomplete
// cell, which only a defect in the caller makes.
func (v *Vault) Seal(class Class, cell Cell, plaintext []byte) ([]byte, error) {
	if err := v.Ready(class); err != nil {
		return nil, err
	}
	keys, aad, err := v.address(class, cell)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "vault_seal_failed", "the value could not be encrypted")
	}
	sealed, err := keys.seal.Encrypt(plaintext, aad)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "vault_seal_failed", "the value could not be encrypted")
	}
	return sealed, nil
}

// Unseal gives the text that was sealed for this class and cell. Anything else
// is errs.Integrity with code "vault_unseal_failed": the value was damaged,
// moved, or belongs to other keys.
func (v *Vault) Unseal(class Class, cell Cell, sealed []byte) ([]byte, error) {
	if err := v.Ready(class); err != nil {
		return nil, err
	}
	keys, aad, err := v.address(class, cell)
	if err != nil {
		return nil, unsealFailed(class, cell, err)
	}
	plaintext, err := keys.seal.Decrypt(sealed, aad)
	if err != nil {
		return nil, unsealFailed(class, cell, err)
	}
	return plaintext, nil
}

func unsealFailed(class Class, cell Cell, cause error) error {
	return errs.Wrap(fmt.Errorf("%s, class %q: %w", cell, string(class), cause),
		errs.Integrity, "vault_unseal_failed", "stored data could not be decrypted")
}

func (v *Vault) address(class Class, cell Cell) (classKeys, []byte, error) {
	keys, ok := v.classes[class]
	if !ok {
		return classKeys{}, nil, fmt.Errorf("vault: no class %q", string(class))
	}
	aad, err := cell.associated()
	return keys, aad, err
}

// Fingerprint gives 16 bytes that are equal for equal texts of one class,
// merchant and purpose ("contact", "card") and say nothing else: the blind
// index for look-up and duplicate detection. The caller normalises text first. It panics on an
// unknown class, which is a defect in the caller: a missing fingerprint would
// hide duplicates.
func (v *Vault) Fingerprint(class Class, merchant id.ID, purpose string, text []byte) []byte {
	keys, ok := v.classes[class]
	if !ok {
		panic(fmt.Sprintf("vault: no class %q", string(class)))
	}
	return compute(keys.index, purpose, merchant, text, fingerprintSize)
}

// Token gives the access token of a subject: 43 characters of base64url, the
// same at every call, so it is stored nowhere. Purpose separates tokens of
// different use for one subject.
func (v *Vault) Token(purpose string, subject id.ID) string {
	return base64.RawURLEncoding.EncodeToString(compute(v.tokens, purpose, subject, nil, tokenSize))
}

// Backup encrypts and opens the files of the backup, which are too large for
// memory. Its associated data says which file it is.
func (v *Vault) Backup() tink.StreamingAEAD { return v.backup }

// Name tells these keys from those of other shops: 43 characters that say
// nothing else. It follows from the keys of tokens, which stay as long as the
// shop does.
func (v *Vault) Name() string { return v.Token("vault.name", id.ID{}) }

// CheckToken tells in constant time whether token is that of the subject. The
// zero id has no token that passes.
func (v *Vault) CheckToken(purpose string, subject id.ID, token string) bool {
	want := v.Token(purpose, subject)
	same := subtle.ConstantTimeCompare([]byte(want), []byte(token)) == 1
	return same && !subject.IsZero()
}

// compute runs f over an unambiguous encoding: the length of purpose, purpose,
// the id of fixed length, then text to the end.
func compute(f prf.PRF, purpose string, owner id.ID, text []byte, size uint32) []byte {
	in := make([]byte, 0, binary.MaxVarintLen64+len(purpose)+len(owner)+len(text))
	in = binary.AppendUvarint(in, uint64(len(purpose)))
	in = append(in, purpose...)
	in = append(in, owner[:]...)
	in = append(in, text...)
	out, err := f.ComputePRF(in, size)
	clear(in) // it held the text
	if err != nil {
		panic("vault: a PRF of 32 bytes refused a shorter output: " + err.Error())
	}
	return out
}
