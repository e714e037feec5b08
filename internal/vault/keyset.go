package vault

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/streamingaead"
	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/errs"
)

// use is what the keys of one keyset do.
type use string

const (
	useAEAD   use = "aead"
	usePRF    use = "prf"
	useStream use = "stream"
)

// Classes that seal no cell, so they are not exported: tokenClass has a PRF
// only, backupClass encrypts whole files.
const (
	tokenClass  Class = "token"
	backupClass Class = "backup"
)

const keysetMax = 1 << 20 // bytes of a keyset file; hundreds of rotated keys fit

// slot is the place of one keyset.
type slot struct {
	class Class
	use   use
}

// slots lists every keyset a vault has.
func slots() []slot {
	list := []slot{{tokenClass, usePRF}, backupSlot()}
	for _, c := range []Class{Cards, PII, Payment, Staff} {
		list = append(list, slot{c, useAEAD}, slot{c, usePRF})
	}
	return list
}

// backupSlot came later than the others: Extend gives it to a shop that was
// made before.
func backupSlot() slot { return slot{backupClass, useStream} }

// OfCards tells whether a file of Config.Dir is a keyset of card keys, which
// travels apart from the others.
func OfCards(file string) bool {
	return slices.ContainsFunc(cardSlots(), func(s slot) bool { return s.file() == file })
}

// file is the name of the keyset's file in Config.Dir.
func (s slot) file() string { return string(s.class) + "." + string(s.use) + ".keyset" }

// associated binds a wrapped keyset to its slot: a file that was renamed into
// another slot does not open.
func (s slot) associated() []byte {
	return []byte("panshi keyset 1 " + string(s.class) + " " + string(s.use))
}

// makeKeyset writes a fresh keyset, wrapped by kek; an existing file makes it
// fail.
func makeKeyset(kek tink.AEAD, dir string, s slot) error {
	template := aead.AES256GCMKeyTemplate
	switch s.use {
	case useAEAD:
	case usePRF:
		template = prf.HMACSHA256PRFKeyTemplate
	case useStream:
		template = streamingaead.AES256GCMHKDF4KBKeyTemplate
	}
	handle, err := keyset.NewHandle(template())
	if err != nil {
		return err
	}
	var wrapped bytes.Buffer
	if err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&wrapped), kek, s.associated()); err != nil {
		return err
	}
	return placeFile(filepath.Join(dir, s.file()), wrapped.Bytes())
}

// survey tells which slots have a file in dir and which have none.
func survey(dir string) (present, absent []slot, err error) {
	for _, s := range slots() {
		switch _, err := os.Lstat(filepath.Join(dir, s.file())); {
		case err == nil:
			present = append(present, s)
		case errors.Is(err, fs.ErrNotExist):
			absent = append(absent, s)
		default:
			return nil, nil, keysetError(s, err)
		}
	}
	return present, absent, nil
}

// unwrap opens the keysets of the named slots. If none opens, the key is the
// wrong one; if only some do, those others are damaged or were exchanged.
func unwrap(kek tink.AEAD, dir string, which []slot) (map[slot]*keyset.Handle, error) {
	handles := make(map[slot]*keyset.Handle, len(which))
	var failed error
	for _, s := range which {
		handle, err := readKeyset(kek, dir, s)
		switch {
		case err == nil:
			handles[s] = handle
		case errs.CodeOf(err) == "vault_keyset_damaged":
			failed = cmp.Or(failed, err)
		default:
			return nil, err
		}
	}
	if failed != nil && len(handles) == 0 {
		return nil, errs.Wrap(failed, errs.Integrity, "vault_key_wrong",
			"the key file does not open the keysets; put back the one that belongs to this data directory").
			With("dir", dir)
	}
	if failed != nil {
		return nil, failed
	}
	return handles, nil
}

func readKeyset(kek tink.AEAD, dir string, s slot) (*keyset.Handle, error) {
	f, err := os.Open(filepath.Join(dir, s.file()))
	if err != nil {
		return nil, keysetError(s, err)
	}
	defer func() { _ = f.Close() }()
	reader := keyset.NewBinaryReader(io.LimitReader(f, keysetMax))
	handle, err := keyset.ReadWithAssociatedData(reader, kek, s.associated())
	if err != nil {
		return nil, errs.Wrap(err, errs.Integrity, "vault_keyset_damaged",
			"the keyset file "+s.file()+" is damaged or stands in another's place").With("file", s.file())
	}
	return handle, nil
}

func keysetError(s slot, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errs.Wrap(err, errs.Integrity, "vault_keyset_missing",
			"a keyset file is missing; restore it from the backup's key bundle").With("file", s.file())
	}
	return errs.Wrap(err, errs.Unavailable, "vault_keyset_unreadable",
		"a keyset file cannot be read").With("file", s.file())
}

// assemble builds all primitives once, so that the hot path only uses them.
func assemble(handles map[slot]*keyset.Handle) (*Vault, error) {
	v := &Vault{classes: make(map[Class]classKeys)}
	for s, handle := range handles {
		keys := v.classes[s.class]
		var err error
		switch s.use {
		case useAEAD:
			keys.seal, err = aead.New(handle)
		case usePRF:
			keys.index, err = primaryPRF(handle)
		case useStream:
			v.backup, err = streamingaead.New(handle)
		}
		if err != nil {
			return nil, errs.Wrap(err, errs.Integrity, "vault_keyset_damaged",
				"a keyset holds keys that do not fit their use").With("file", s.file())
		}
		v.classes[s.class] = keys
	}
	v.tokens = v.classes[tokenClass].index
	delete(v.classes, tokenClass)
	delete(v.classes, backupClass)
	return v, nil
}

func primaryPRF(handle *keyset.Handle) (prf.PRF, error) {
	set, err := prf.NewPRFSet(handle)
	if err != nil {
		return nil, err
	}
	primary, ok := set.PRFs[set.PrimaryID]
	if !ok {
		return nil, errors.New("vault: a keyset without a primary key")
	}
	return primary, nil
}
