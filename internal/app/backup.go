package app

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"panshi/internal/backup/schedule"
	"panshi/internal/backup/ship"
	"panshi/internal/backup/spool"
	"panshi/internal/clock"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

// keysInSpool is the directory of the wrapped keysets in a spool: without them
// a spool would be lost together with the data directory. The key file, which
// opens them, is never there.
const keysInSpool = "keys"

// shipping is how a database leaves the machine while it is open.
type shipping struct {
	start  func(ctx context.Context, v *vault.Vault) error
	status func(ctx context.Context) (ship.Status, error)
	// work proves what is due until ctx ends.
	work func(ctx context.Context)
}

// spoolDir is where the spool of cfg is, "" if it has none.
func (c Config) spoolDir() string {
	switch {
	case c.DB.URL != "" || !c.Backup.Enabled():
		return ""
	case c.Backup.Spool == "":
		return ship.Beside(c.Data)
	}
	return c.Backup.Spool
}

// validateSpool refuses a spool that would be lost together with the data.
func (c Config) validateSpool() error {
	switch {
	case c.spoolDir() == "" && len(c.Backup.Destinations) > 0:
		return errs.Field("backup.destinations", "invalid_value", "destinations are copied to from the spool, which a shop on PostgreSQL or with backup.spool off has not")
	case c.spoolDir() == "":
		return nil
	}
	data, err1 := filepath.Abs(c.Data)
	dir, err2 := filepath.Abs(c.spoolDir())
	if err := cmp.Or(err1, err2); err != nil {
		return errs.Field("backup.spool", "invalid_value", "the path cannot be made absolute: "+err.Error())
	}
	if rel, err := filepath.Rel(data, dir); err == nil && filepath.IsLocal(rel) {
		return errs.Field("backup.spool", "spool_inside_data", "the spool must not be in the data directory: who loses one would lose both")
	}
	return nil
}

// atRest is the backup of a database that nobody ships: it tells what is there.
func atRest(cfg Config) shipping {
	return shipping{
		start: func(context.Context, *vault.Vault) error { return nil },
		work:  func(context.Context) {},
		status: func(ctx context.Context) (ship.Status, error) {
			none := ship.Status{Generations: []ship.Generation{}}
			dir := cfg.spoolDir()
			if _, err := os.Stat(dir); dir == "" || errors.Is(err, fs.ErrNotExist) {
				return none, nil
			}
			s, err := spool.Open(dir, nil) // nothing is opened
			if err != nil {
				return none, err
			}
			return ship.Look(ctx, s)
		},
	}
}

// openServed opens the database of a shop that serves. The configuration file is
// kept as soon as there are keys, and before keys are backed up.
func openServed(ctx context.Context, cfg Config, log *slog.Logger) (*database, error) {
	opened, err := openShipped(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	next := opened.backup.start
	opened.backup.start = func(ctx context.Context, v *vault.Vault) error {
		opened.configChanges, opened.configNumber = keepConfig(cfg, log)
		return next(ctx, v)
	}
	return opened, nil
}

// openShipped opens the SQLite database of a shop that serves, with the shipper
// as what decides about its log.
func openShipped(ctx context.Context, cfg Config, log *slog.Logger) (*database, error) {
	if cfg.spoolDir() == "" {
		return openDatabase(ctx, cfg, log)
	}
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "data_dir_unusable", "the data directory cannot be used")
	}
	settings := cfg.Backup.Config
	settings.Spool = cfg.spoolDir()
	mirrored := &copies{wanted: len(cfg.Backup.Destinations) > 0}
	shipper := ship.New(settings, data, filepath.Join(data, sqlite.FileName), mirrored.need, clock.System{}, log)
	proofs := newProving(cfg, mirrored.told, log)
	opened, err := openSQLite(ctx, cfg, log, shipper)
	if err != nil {
		return nil, err
	}
	database := opened.close
	// Shipping ends first, so that the mirror sees all of it.
	opened.close = func() error { return errors.Join(database(), shipper.Close(), mirrored.close()) } //nolint:contextcheck // closing ships the rest, whoever has gone
	opened.backup = shipping{
		start: func(ctx context.Context, v *vault.Vault) error {
			if err := startShipping(ctx, cfg, shipper, v); err != nil {
				return err
			}
			return mirrored.start(ctx, cfg, opened, shipper, log)
		},
		status: func(ctx context.Context) (ship.Status, error) {
			status, err := shipper.Status(ctx)
			status.Destinations = cfg.withProofs(mirrored.told())
			status.Schedule = planned(shipper, settings.Interval, status.Destinations, proofs)
			return status, err
		},
		work: proofs.run,
	}
	opened.gauges = append(opened.gauges, shipGauges(shipper)...)
	return opened, nil
}

func startShipping(ctx context.Context, cfg Config, shipper *ship.Shipper, v *vault.Vault) error {
	// First, because it refuses the spool of another shop.
	if err := vault.CopySets(vault.Config(cfg.Vault), filepath.Join(cfg.spoolDir(), keysInSpool)); err != nil {
		return err
	}
	return shipper.Start(ctx, v.Backup(), schedule.NewDaily(v.Name(), time.Local))
}

// extendVault gives a shop that is older than backups their key, as long as no
// spool needs the one that it may have lost.
func extendVault(ctx context.Context, cfg Config) error {
	if s, err := atRest(cfg).status(ctx); err != nil || len(s.Generations) > 0 {
		return err
	}
	return vault.Extend(vault.Config(cfg.Vault))
}

// shipGauges tell how far shipping is. They are computed when they are read, so
// that none stands still when shipping does.
func shipGauges(s *ship.Shipper) []gauge {
	return []gauge{
		{name: "panshi_backup_lag_seconds", help: "Age of the oldest commit that is not in the spool.", read: func() float64 { return s.Lag().Seconds() }},
		{name: "panshi_backup_shipped_age_seconds", help: "How long ago the spool was last known to have everything.", read: func() float64 { return s.Age().Seconds() }},
		{name: "panshi_backup_failing", help: "1 if the last shipment failed.", read: func() float64 { return oneIf(s.Failing()) }},
		{name: "panshi_backup_written_bytes_total", help: "Bytes put into the spool since the start.", read: func() float64 { return float64(s.Written()) }},
		{name: "panshi_backup_spool_bytes", help: "Bytes in the spool.", read: func() float64 { return float64(s.Size()) }},
		{name: "panshi_backup_transaction", help: "The newest transaction that the spool has of this generation.", read: func() float64 { return float64(s.Transaction()) }},
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
