package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"panshi/internal/backup/pgrestore"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/ship"
	"panshi/internal/check"
	"panshi/internal/clock"
	"panshi/internal/db/sqlite"
	"panshi/internal/durable"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

// RestoreRequest says what is brought back from where.
type RestoreRequest struct {
	From    string    // the spool; with Sheet a destination: its directory, or a label
	At      time.Time // the state as of then; zero is the newest
	KeyFile string    // that opens the spool's keysets; "" is that of the new shop

	Sheet *seal.Sheet // opens a destination
	// Credential is that of a destination which needs one, as DestinationSecret's
	// JSON: on a bare machine none is stored.
	Credential []byte
	// AcceptSums restores although the sums differ.
	AcceptSums bool
	Cards      []byte // the bundle of card keys, as ExportCards made it; nil leaves cards shut

	// Salvage takes what is left of a destination whose manifests are gone or tell
	// of objects that are: see fetch.Salvage.
	Salvage bool

	reader *seal.Reader // opens a destination in the place of Sheet
}

// opens gives what opens a destination.
func (r RestoreRequest) opens() seal.Reader {
	if r.reader != nil {
		return *r.reader
	}
	return r.Sheet.Reader()
}

// Restored is what a restore brought back.
type Restored struct {
	restore.Plan
	Bytes int64         `json:"bytes"` // read
	Sums  Compared      `json:"sums"`
	Check check.Report  `json:"check"`
	Took  time.Duration `json:"took_ns"`
	// Made is the part of Took after which the database stood there, whole and
	// synced; checking it is the rest.
	Made time.Duration `json:"made_ns"`

	// Salvaged says that what signed manifests miss was done without.
	Salvaged bool `json:"salvaged,omitempty"`
	// CardsShut says that the keys of card keys were not there; Settings is where
	// the old machine's configuration was put, "" if there was none.
	CardsShut bool   `json:"cards_shut"`
	Settings  string `json:"settings,omitempty"`

	// Fenced names what was left out, because a former writer brought it after
	// another machine had taken over.
	Fenced []string `json:"fenced,omitempty"`

	Server RestoredServer `json:"postgres,omitzero"` // of a shop on PostgreSQL
}

// Restore makes the data directory cfg.Data, which must not exist, from a spool
// and its keys, and checks the shop in it. Until everything is proved nothing
// stands under its final name. Code restore_target_exists, and those of package
// restore. A report with violations is no error.
func Restore(ctx context.Context, cfg Config, r RestoreRequest, log *slog.Logger, progress restore.Progress) (Restored, error) {
	start := clock.System{}.Now()
	var err error
	if cfg.Data, err = filepath.Abs(cfg.Data); err != nil {
		return Restored{}, errs.Wrap(err, errs.Invalid, "data_dir_unusable", "the data directory cannot be used")
	}
	if err := absent(cfg.Data); err != nil {
		return Restored{}, err
	}
	from, err := originOf(ctx, cfg, r)
	if err != nil {
		return Restored{}, err
	}
	opened := clock.System{}.Now().Sub(start)
	done, err := restoreFrom(ctx, cfg, r, from, log, progress)
	done.Made += opened
	done.Took = clock.System{}.Now().Sub(start)
	return done, errors.Join(err, from.close())
}

func restoreFrom(ctx context.Context, cfg Config, r RestoreRequest, from origin, log *slog.Logger, progress restore.Progress) (Restored, error) {
	start := clock.System{}.Now()
	v, err := vault.Open(from.keys)
	if err != nil {
		return Restored{}, err
	}
	if err := vault.Fits(from.keys, vault.Config(cfg.Vault)); err != nil {
		return Restored{}, err
	}
	done := Restored{
		Salvaged: r.Salvage, CardsShut: v.Ready(vault.Cards) != nil, Fenced: from.fenced, Sums: Compared{Differences: []string{}},
	}
	fill, err := done.prepare(ctx, r, from, v, progress)
	if err != nil {
		return Restored{}, err
	}
	for _, f := range done.Files {
		done.Bytes += f.Size
	}
	done.Check, err = settleIn(ctx, cfg, log, progress, from.keys, done.Server, func(dir string) error {
		err := fill(dir)
		done.Made = clock.System{}.Now().Sub(start)
		return err
	})
	if err != nil || len(from.settings.Files) == 0 {
		return done, err
	}
	done.Settings = settingsPlace(cfg.Data)
	return done, from.settings.Unpack(done.Settings)
}

// prepare plans and proves by the means of the engine that the wanted state is
// of, and gives what fills a data directory with it.
func (d *Restored) prepare(ctx context.Context, r RestoreRequest, from origin, v *vault.Vault, progress restore.Progress) (fill func(dir string) error, err error) {
	server := pgrestore.New(from.source, v.Backup(), progress)
	is, err := server.Holds(ctx, restore.Target{At: r.At})
	switch {
	case err != nil:
		return nil, err
	case is:
		return d.prepareServer(ctx, r.At, server)
	}
	restorer := restore.New(from.source, v.Backup(), progress)
	plan, sums, err := planOf(ctx, restorer, from, r.At)
	if err != nil {
		return nil, err
	}
	d.Plan = plan
	return func(dir string) error {
		err := d.Sums.apply(ctx, restorer, plan, sums, filepath.Join(dir, sqlite.FileName))
		if err != nil && (!r.AcceptSums || errs.CodeOf(err) != codeSumsDiffer) {
			return err
		}
		return ship.NoteAncestor(dir, d.Generation)
	}, restorer.Prove(ctx, d.Plan)
}

// absent refuses a path at which there is anything.
func absent(path string) error {
	switch _, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return errs.Wrap(err, errs.Invalid, "data_dir_unusable", "the data directory cannot be used")
	}
	return errs.New(errs.Conflict, "restore_target_exists", "there is something at "+path+" already; nothing is ever restored over it").With("path", path)
}

// settleIn has a data directory filled under a temporary name, brings its keys,
// checks the shop in it, and gives it its name.
func settleIn(ctx context.Context, cfg Config, log *slog.Logger, progress restore.Progress, keys vault.Config, server RestoredServer, fill func(dir string) error) (check.Report, error) {
	parent := filepath.Dir(filepath.Clean(cfg.Data))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return check.Report{}, fmt.Errorf("restore: %w", err)
	}
	dir, err := os.MkdirTemp(parent, filepath.Base(cfg.Data)+".restoring-")
	if err != nil {
		return check.Report{}, fmt.Errorf("restore: %w", err)
	}
	report, err := prove(ctx, cfg.scratch(dir, keys.KeyFile), log, progress, keys, server, fill)
	if err != nil {
		return report, errors.Join(err, os.RemoveAll(dir))
	}
	if err := os.Rename(dir, cfg.Data); err != nil {
		return report, errors.Join(fmt.Errorf("restore: %w", err), os.RemoveAll(dir))
	}
	return report, errors.Join(durable.SyncDir(parent), vault.Copy(keys, vault.Config(cfg.Vault)))
}

// scratch is the shop of cfg in another directory, where it does not ship, with
// the keysets there and the key where it is.
func (c Config) scratch(dir, keyFile string) Config {
	places := vault.DefaultConfig(dir)
	c.Vault = VaultConfig{KeyFile: keyFile, Dir: places.Dir}
	c.Data, c.Backup.Spool = dir, ship.Off
	return c
}

// prove fills a directory and runs every invariant on the shop in it.
func prove(ctx context.Context, cfg Config, log *slog.Logger, progress restore.Progress, keys vault.Config, server RestoredServer, fill func(dir string) error) (report check.Report, err error) {
	if err := fill(cfg.Data); err != nil {
		return report, err
	}
	if err := vault.CopySets(keys, cfg.Vault.Dir); err != nil {
		return report, err
	}
	err = server.within(ctx, cfg, log, func(shop *Shop) error {
		report, err = shop.Check(ctx, func(_ string, done, total int) { progress("check", int64(done), int64(total)) })
		return err
	})
	return report, err
}
