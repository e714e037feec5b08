package app

import (
	"net/url"
	"time"

	"panshi/internal/backup/seal"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

// RecoveryOptions say how the keys of backups are made.
type RecoveryOptions struct {
	Shop    string // on the sheet; "" takes the host of shop.public_url
	Strict  bool   // keep no verify identity on this machine
	Replace bool   // another recovery identity for a shop that has one
}

// Recovery are new keys of backups that are not in use yet.
type Recovery struct {
	Sheet   string // what has to be printed before Save
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
	r.Sheet = sheet.Text()
	return r, nil
}

// Save takes the keys into use from the next start on.
func (r *Recovery) Save() error { return r.keys.Save(r.keeper, r.replace) }
