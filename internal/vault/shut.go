package vault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/errs"
)

// shutMark is a file in Config.Dir that says: the keysets of card keys are
// elsewhere, because this shop was restored without them. It is never there by
// accident, so that keysets that were lost are not taken for ones that are
// elsewhere.
const shutMark = "card.elsewhere"

// ErrCardsShut says that cards cannot be sealed or opened until their keysets
// are brought (PlaceCards).
var ErrCardsShut = errs.New(errs.Unavailable, "vault_cards_shut", "card keys are shut until their own key is brought")

// Ready tells whether a class can be used: nil, or ErrCardsShut.
func (v *Vault) Ready(class Class) error {
	if _, ok := v.classes[class]; !ok && class == Cards {
		return ErrCardsShut
	}
	return nil
}

// MarkCardsElsewhere says of a directory of keysets that those of card keys are
// not in it on purpose. Code vault_exists if they are.
func MarkCardsElsewhere(dir string) error {
	for _, s := range cardSlots() {
		if there, err := exists(filepath.Join(dir, s.file())); err != nil || there {
			return errors.Join(err, errs.New(errs.Conflict, "vault_exists", "there are keys already; they are never replaced"))
		}
	}
	return placeSame(filepath.Join(dir, shutMark), nil)
}

// PlaceCards brings the keysets of card keys, as files by name, into a vault
// that was restored without them. They must open by its key: codes of Open.
// Nothing is placed before that is sure. Then the mark goes, and the next Open
// has the class.
func PlaceCards(cfg Config, files map[string][]byte) error {
	unlock, err := prepare(cfg)
	if err != nil {
		return writeFailed(err)
	}
	defer unlock()
	kek, err := readKeyFile(cfg.KeyFile)
	if err != nil {
		return err
	}
	if err := tryCards(kek, cfg.Dir, files); err != nil {
		return err
	}
	for _, s := range cardSlots() {
		if err := placeSame(filepath.Join(cfg.Dir, s.file()), files[s.file()]); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(cfg.Dir, shutMark)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return writeFailed(err)
	}
	return nil
}

// tryCards opens keysets beside those of dir: one that does not belong to the
// shop, once in its place, would be in the way of the right one.
func tryCards(kek tink.AEAD, dir string, files map[string][]byte) (err error) {
	beside, err := os.MkdirTemp(dir, ".cards-")
	if err != nil {
		return writeFailed(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(beside)) }()
	for _, s := range cardSlots() {
		content, ok := files[s.file()]
		if !ok {
			return errs.New(errs.Invalid, "vault_keyset_missing", "the bundle has no keyset of card keys").With("file", s.file())
		}
		if err := os.WriteFile(filepath.Join(beside, s.file()), content, 0o600); err != nil {
			return writeFailed(err)
		}
	}
	_, err = unwrap(kek, beside, cardSlots())
	return err
}

func cardSlots() []slot { return []slot{{Cards, useAEAD}, {Cards, usePRF}} }

// expected lists the keysets that a directory is to have.
func expected(dir string) ([]slot, error) {
	elsewhere, err := exists(filepath.Join(dir, shutMark))
	if err != nil || !elsewhere {
		return slots(), err
	}
	return slices.DeleteFunc(slots(), func(s slot) bool { return s.class == Cards }), nil
}
