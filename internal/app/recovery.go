package app

import (
	"bytes"
	"context"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"panshi/internal/backup/bundle"
	"panshi/internal/backup/seal"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

// RecoveryOptions say how the keys of backups are made.
type RecoveryOptions struct {
	Shop    string // on the sheet; "" takes the host of shop.public_url
	Strict  bool   // keep no verify identity on this machine
	Replace bool   // another recovery identity for a shop that has one
	// Shares is how many shares there are in the place of one sheet, 0 for a
	// sheet; Threshold of them are needed.
	Threshold, Shares int
}

// Recovery are new keys of backups that are not in use yet.
type Recovery struct {
	Sheet   string   // what has to be printed before Save,
	Shares  []string // or these
	keys    *seal.Keys
	keeper  *vault.Secrets
	replace bool
}

// NewRecovery draws keys of backups for the shop of cfg. Codes: backup_key_exists,
// vault_key_missing and the others of the key file.
func NewRecovery(cfg Config, o RecoveryOptions, now time.Time) (*Recovery, error) {
	if o.Shop == "" {
		if u, err := url.Parse(cfg.Shop.PublicURL); err == nil {
			o.Shop = u.Hostname()
		}
	}
	r := &Recovery{keeper: vault.NewSecrets(vault.Config(cfg.Vault)), replace: o.Replace}
	options := seal.Options{Shop: o.Shop, Strict: o.Strict, Now: now}
	var sheet seal.Sheet
	old, err := seal.Load(r.keeper)
	switch {
	case err == nil && !o.Replace:
		return nil, errs.New(errs.Conflict, "backup_key_exists", "this shop has a recovery sheet; --replace makes another one, and backups of before still need the old one")
	case err == nil:
		r.keys, sheet, err = old.Renew(options)
	case errs.CodeOf(err) == "vault_secret_missing":
		r.replace = false
		r.keys, sheet, err = seal.New(options)
	}
	if err != nil {
		return nil, err
	}
	return r, r.write(sheet, o)
}

// write gives what has to be printed.
func (r *Recovery) write(sheet seal.Sheet, o RecoveryOptions) error {
	if o.Shares == 0 {
		r.Sheet = sheet.Text()
		return nil
	}
	shares, err := sheet.Split(o.Threshold, o.Shares)
	for _, s := range shares {
		r.Shares = append(r.Shares, s.Text())
	}
	return err
}

// Save takes the keys into use from the next start on.
func (r *Recovery) Save() error { return r.keys.Save(r.keeper, r.replace) }

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
	return placeCards(vault.Config(cfg.Vault), sheet.Reader(), sealed)
}
