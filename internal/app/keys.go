package app

import (
	"context"
	"errors"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/merchant"
	"panshi/internal/vault"
)

// keysLease is the lease by which a database belongs to the keys that it was
// first used with, for a hundred years. What is sealed by two vaults can be opened by
// neither node alone, and no later repair could tell which is whose.
const (
	keysLease = "vault"
	forEver   = 100 * 365 * 24 * time.Hour
)

// openVault opens the keys of cfg and makes sure that they are this database's.
// Only a database without merchants that belongs to no keys yet may get new
// ones. Several nodes that start on such a database at once may each make keys;
// those of the first that comes back here stay, and the others are told.
func openVault(ctx context.Context, d db.DB, cfg Config) (*vault.Vault, error) {
	owner, fresh, err := keysOf(ctx, d)
	if err != nil {
		return nil, err
	}
	if err := extendVault(ctx, cfg); err != nil {
		return nil, err
	}
	v, err := vault.OpenOrCreate(vault.Config(cfg.Vault), fresh)
	if err != nil {
		return nil, withRemedy(err, cfg)
	}
	if owner == "" {
		_, err = db.Acquire(ctx, d, keysLease, v.Name(), forEver)
	} else if owner != v.Name() {
		err = db.ErrLeaseTaken
	}
	if errors.Is(err, db.ErrLeaseTaken) {
		return nil, othersKeys(cfg)
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// keysOf reads whose keys a database is used with ("" if it is with none yet),
// and whether it is as good as empty.
func keysOf(ctx context.Context, d db.DB) (owner string, fresh bool, err error) {
	err = d.View(ctx, func(tx *db.Tx) error {
		owner = ""
		err := tx.Get([]any{&owner}, `SELECT holder FROM leases WHERE name = $1`, keysLease)
		if err != nil && !errors.Is(err, db.ErrNoRows) {
			return err
		}
		known, err := merchant.AllTx(tx)
		fresh = owner == "" && len(known) == 0
		return err
	})
	return owner, fresh, err
}

// withRemedy tells of missing keys what to do about it where several machines
// share a database: the one at hand may never have had any.
func withRemedy(err error, cfg Config) error {
	code := errs.CodeOf(err)
	if cfg.DB.URL == "" || code != "vault_key_missing" && code != "vault_keyset_missing" {
		return err
	}
	return errs.Wrap(err, errs.KindOf(err), code, "the keys of this database are not here; "+copyKeys(cfg))
}

func othersKeys(cfg Config) error {
	if cfg.DB.URL == "" {
		return errs.New(errs.Integrity, "vault_of_another_shop",
			"the keys in "+cfg.Vault.Dir+" are not those that this database is used with; put back those that belong to it")
	}
	return errs.New(errs.Integrity, "vault_of_another_shop",
		"the keys in "+cfg.Vault.Dir+" are not those that this database is used with; remove them and "+copyKeys(cfg))
}

// copyKeys says where keys of another machine belong.
func copyKeys(cfg Config) string {
	return "copy the key file and the directory of keysets of a machine that serves this shop to " + cfg.Vault.KeyFile +
		" and " + cfg.Vault.Dir + ", or set vault.key_file and vault.dir to where they are"
}
