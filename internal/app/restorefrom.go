package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"panshi/internal/backup"
	"panshi/internal/backup/bundle"
	"panshi/internal/backup/fetch"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

// cardsBox is the name under which the bundle of card keys is sealed.
const cardsBox = "box/cards/apart"

// origin is what a shop is restored from, with the keys that belong to it.
type origin struct {
	source   restore.Source
	keys     vault.Config
	settings bundle.Bundle
	fenced   []string // what a former writer left after it had been deposed
	close    func() error
}

// originOf opens a spool, or, with a sheet, a destination: a directory of one,
// or the label of one in the configuration.
func originOf(ctx context.Context, cfg Config, r RestoreRequest) (origin, error) {
	if r.Sheet == nil {
		return spoolOrigin(cfg, r)
	}
	from, err := cfg.destination(r.From, r.Credential)
	if err != nil {
		return origin{}, err
	}
	work, err := os.MkdirTemp(filepath.Dir(filepath.Clean(cfg.Data)), ".restore-")
	if err != nil {
		return origin{}, errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written")
	}
	o, err := destinationOrigin(ctx, from, r, work)
	if err != nil {
		return origin{}, errors.Join(err, os.RemoveAll(work))
	}
	return o, nil
}

func spoolOrigin(cfg Config, r RestoreRequest) (origin, error) {
	keys := vault.Config{KeyFile: r.KeyFile, Dir: filepath.Join(r.From, keysInSpool)}
	if keys.KeyFile == "" {
		keys.KeyFile = cfg.Vault.KeyFile
	}
	source, err := spool.Open(r.From, nil)
	return origin{source: source, keys: keys, close: func() error { return nil }}, err
}

// destination finds what --from names: a directory, or the label of a
// destination with its credential.
func (c Config) destination(from string, credential []byte) (backup.Destination, error) {
	d := DestinationConfig{Label: "from", Kind: "directory", Dir: from}
	for _, known := range c.Backup.Destinations {
		if known.Label == from {
			d = known
		}
	}
	d.SameDevice = true // it is only read
	if _, err := os.Stat(d.Dir); d.Kind == "directory" && errors.Is(err, fs.ErrNotExist) {
		return nil, errs.Field("from", "backup_destination_unknown",
			"is neither a directory that is there nor a label of backup.destinations")
	}
	var secret DestinationSecret
	if d.needsSecret() {
		var err error
		if secret, err = parseDestinationSecret(credential); err != nil {
			return nil, err
		}
	}
	if err := d.validate(secret); err != nil {
		return nil, err
	}
	dest, err := d.open(secret, c.Data, clock.System{})
	if err != nil {
		return nil, err
	}
	return backup.Retry(dest, backup.DefaultRetry()), nil
}

// destinationOrigin asks retention to wait, reads what there is, and gets the
// keys, which never touch the place of a running shop.
func destinationOrigin(ctx context.Context, from backup.Destination, r RestoreRequest, work string) (origin, error) {
	release, err := holdWhile(ctx, from, "restore")
	if err != nil {
		return origin{}, err
	}
	ended := func() error { return errors.Join(release(ctx), os.RemoveAll(work)) }
	objects, secrets := filepath.Join(work, "objects"), filepath.Join(work, "keys")
	if err := errors.Join(os.Mkdir(objects, 0o700), os.Mkdir(secrets, 0o700)); err != nil {
		return origin{}, errors.Join(err, ended())
	}
	open := fetch.Open
	if r.Salvage {
		open = fetch.Salvage
	}
	f, err := open(ctx, from, r.opens(), objects)
	if err == nil {
		err = f.Until(r.At)
	}
	if err != nil {
		return origin{}, errors.Join(err, ended())
	}
	o := origin{source: f, fenced: f.Fenced(), close: ended, keys: vault.Config{KeyFile: filepath.Join(secrets, "key"), Dir: filepath.Join(secrets, "keys")}}
	if err := o.bringKeys(ctx, f, r, secrets); err != nil {
		return origin{}, errors.Join(err, ended())
	}
	return o, nil
}

// bringKeys unpacks the general keys, and those of cards if their bundle is
// there; else cards stay shut.
func (o *origin) bringKeys(ctx context.Context, f *fetch.Fetcher, r RestoreRequest, dir string) error {
	general, err := f.Bundle(ctx, boxKeys)
	if err != nil {
		return err
	}
	if err := general.Unpack(dir); err != nil {
		return err
	}
	o.settings, err = f.Bundle(ctx, boxSettings)
	if err != nil && errs.CodeOf(err) != "backup_bundle_missing" {
		return err
	}
	if err := vault.MarkCardsElsewhere(o.keys.Dir); err != nil {
		return err
	}
	if r.Cards == nil {
		return nil
	}
	return placeCards(o.keys, r.opens(), r.Cards)
}

func placeCards(keys vault.Config, reader seal.Reader, sealed []byte) error {
	b, err := fetch.OpenBundle(reader, sealed, cardsBox)
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, f := range b.Files {
		files[f.Name] = f.Content
	}
	return vault.PlaceCards(keys, files)
}
