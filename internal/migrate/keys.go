package migrate

import (
	"context"
	"errors"

	"panshi/internal/account"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/order"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// keysOf says where the keys of a shop are that is served from a place. On a
// server that is the data directory of the processes that serve it: the one
// that the command was told, or, for a shop that comes from a directory, that
// one.
func (r *Request) keysOf(p Place) vault.Config {
	if p.server != "" && r.From.server == "" {
		p = r.From
	}
	if p.server != "" || same(p.dir, r.Data) {
		return r.Keys
	}
	return vault.DefaultConfig(p.dir)
}

// bringKeys sees to it that the place where the shop is going to be served has
// keys that open what it sealed.
func (r *Request) bringKeys(ctx context.Context, source db.DB) (told string, err error) {
	from, to := r.keysOf(r.From), r.keysOf(r.To)
	here, err := vault.Open(from)
	if err != nil {
		return "", errs.Wrap(err, errs.KindOf(err), errs.CodeOf(err), "the keys of the shop at "+r.From.String()+
			" do not open; say with --data where they are")
	}
	if err := prove(ctx, source, here); err != nil {
		return "", wrongKeys(err, from)
	}
	if from == to {
		return "stay in " + from.Dir + " and " + from.KeyFile, nil
	}
	told = "copied to " + to.Dir + " and " + to.KeyFile
	switch there, err := vault.Open(to); {
	case err == nil:
		if err := prove(ctx, source, there); err != nil {
			return "", wrongKeys(err, to)
		}
		return "are in " + to.Dir + " and " + to.KeyFile + " already", nil
	case r.DryRun && r.CopyKeys:
		return "would be " + told, nil
	case !r.CopyKeys:
		return "", errs.Field("copy_keys", "keys_needed", "the shop could not open its card keys at "+r.To.String()+
			": the keys are in "+from.Dir+" and "+from.KeyFile+"; give --copy-keys to copy them to "+to.Dir+" and "+to.KeyFile)
	}
	return told, vault.Copy(from, to)
}

func wrongKeys(err error, where vault.Config) error {
	return errs.Wrap(err, errs.Integrity, "keys_of_another_shop",
		"the keys in "+where.Dir+" and "+where.KeyFile+" do not open what this shop sealed; say with --data where its keys are")
}

// sample is something sealed, and the place it was sealed for.
type sample struct {
	class vault.Class
	query string // gives an id and what was sealed for it
	cell  func(id.ID) vault.Cell
}

// samples are the oldest and the newest of what must be opened.
func samples() []sample {
	return []sample{
		{vault.Cards, `SELECT id, content_sealed FROM cards ORDER BY id LIMIT 1`, stock.CardCell},
		{vault.Cards, `SELECT id, content_sealed FROM cards ORDER BY id DESC LIMIT 1`, stock.CardCell},
		{vault.PII, `SELECT id, contact_sealed FROM orders ORDER BY id LIMIT 1`, order.ContactCell},
		{vault.PII, `SELECT id, contact_sealed FROM orders ORDER BY id DESC LIMIT 1`, order.ContactCell},
		{vault.PII, `SELECT id, contact_sealed FROM credit_accounts ORDER BY id LIMIT 1`, account.ContactCell},
		{vault.PII, `SELECT id, contact_sealed FROM credit_accounts ORDER BY id DESC LIMIT 1`, account.ContactCell},
	}
}

// prove opens samples of what a shop sealed.
func prove(ctx context.Context, d db.DB, v *vault.Vault) error {
	for _, s := range samples() {
		var row id.ID
		var sealed []byte
		err := d.View(ctx, func(tx *db.Tx) error { return tx.Get([]any{&row, &sealed}, s.query) })
		if errors.Is(err, db.ErrNoRows) {
			continue
		}
		if err == nil {
			_, err = v.Unseal(s.class, s.cell(row), sealed)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
