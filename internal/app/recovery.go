package app

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"time"

	"panshi/internal/backup/bundle"
	"panshi/internal/backup/seal"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

// NewRecovery draws the keys of backups for the shop of cfg and returns the
// sheet to print, which is kept nowhere. Code vault_exists if there are some
// and replace is not set; then the new ones keep the signing key.
func NewRecovery(cfg Config, strict, replace bool) (string, error) {
	if _, err := vault.Open(vault.Config(cfg.Vault)); err != nil {
		return "", err // there is no shop, or its key is elsewhere
	}
	keeper := vault.NewSecrets(vault.Config(cfg.Vault))
	options := seal.Options{Shop: filepath.Base(filepath.Clean(cfg.Data)), Strict: strict, Now: time.Now()}
	old, err := seal.Load(keeper)
	switch {
	case errs.CodeOf(err) == "vault_secret_missing":
		keys, sheet, err := seal.New(options)
		if err != nil {
			return "", err
		}
		return sheet.Text(), keys.Save(keeper, false)
	case err != nil:
		return "", err
	case !replace:
		return "", errs.New(errs.Conflict, "backup_keys_exist", "this shop has a recovery sheet already; --replace makes another one")
	}
	keys, sheet, err := old.Renew(options)
	if err != nil {
		return "", err
	}
	return sheet.Text(), keys.Save(keeper, true)
}

// ExportCards writes the keysets of card keys, sealed to the recovery identity,
// into a new file. Code restore_target_exists if there is something.
func ExportCards(ctx context.Context, cfg Config, path string) error {
	keys, err := backupKeys(cfg)
	if err != nil {
		return err
	}
	b, err := cfg.cardBundle()
	if err != nil {
		return err
	}
	if len(b.Files) == 0 {
		return vault.ErrCardsShut
	}
	var plain, sealed bytes.Buffer
	if err := b.Write(&plain); err != nil {
		return err
	}
	if _, err := keys.Seal(ctx, cardsBox, &plain, &sealed); err != nil {
		return err
	}
	one := bundle.Bundle{Files: []bundle.File{{Name: filepath.Base(path), Mode: 0o600, Content: sealed.Bytes()}}}
	if err := one.Unpack(filepath.Dir(path)); err != nil {
		return err
	}
	return noteCards(cfg, keys, b)
}

// PlaceCards brings the keysets of card keys back from a bundle that
// ExportCards wrote.
func PlaceCards(cfg Config, sheet seal.Sheet, path string) error {
	sealed, err := os.ReadFile(path)
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "backup_bundle_unreadable", "the bundle of card keys cannot be read")
	}
	return placeCards(vault.Config(cfg.Vault), sheet, sealed)
}
