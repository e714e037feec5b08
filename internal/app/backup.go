package app

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"panshi/internal/adminsock"
	"panshi/internal/backup"
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
	// ships tells whether this process does it.
	ships  bool
	start  func(ctx context.Context, v *vault.Vault) error
	status func(ctx context.Context) (ship.Status, error)
	// copies is how each destination stands; it asks nobody.
	copies func() []backup.Copy
	// now writes a whole copy and waits for the destinations.
	now nowFunc
	// work proves what is due until ctx ends.
	work func(ctx context.Context)
}

// spoolDir is where the spool of cfg is, "" if it has none.
func (c Config) spoolDir() string {
	switch {
	case !c.Backup.Enabled() || c.DB.URL != "" && c.Backup.Spool == "" && len(c.Backup.Destinations) == 0:
		return "" // several machines may serve one database, and one of them ships it
	case c.Backup.Spool == "":
		return ship.Beside(c.Data)
	}
	return c.Backup.Spool
}

// validateSpool refuses a spool that would be lost together with the data.
func (c Config) validateSpool() error {
	switch {
	case c.spoolDir() == "" && len(c.Backup.Destinations) > 0:
		return errs.Field("backup.destinations", "invalid_value", "destinations are copied to from the spool, which is off (backup.spool)")
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
		start:  func(context.Context, *vault.Vault) error { return nil },
		copies: func() []backup.Copy { return nil },
		work:   func(context.Context) {},
		now: func(context.Context, adminsock.BackupNowRequest, nowProgress) (adminsock.BackupNowReport, error) {
			return adminsock.BackupNowReport{}, errNotShipped
		},
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

// openShipped opens the database of a shop that serves, with what ships it.
func openShipped(ctx context.Context, cfg Config, log *slog.Logger) (*database, error) {
	switch {
	case cfg.spoolDir() == "":
		return openDatabase(ctx, cfg, log)
	case cfg.DB.URL != "" && !cfg.has(RoleKeeper):
		return openDatabase(ctx, cfg, log) // a keeper ships
	case cfg.DB.URL != "":
		return openShippedServer(ctx, cfg, log)
	}
	return openShippedFile(ctx, cfg, log)
}

// openShippedFile opens the SQLite database with the shipper as what decides
// about its log.
func openShippedFile(ctx context.Context, cfg Config, log *slog.Logger) (*database, error) {
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "data_dir_unusable", "the data directory cannot be used")
	}
	settings := cfg.Backup.Config
	settings.Spool = cfg.spoolDir()
	mirrored := &copies{wanted: len(cfg.Backup.Destinations) > 0}
	shipper := ship.New(settings, data, filepath.Join(data, sqlite.FileName), mirrored.need, clock.System{}, log)
	opened, err := openSQLite(ctx, cfg, log, shipper)
	if err != nil {
		return nil, err
	}
	lease := &leasing{cfg: cfg, log: log}
	opened.Database = gated{opened.Database, lease}
	opened.lost = lease.lost
	opened.shipBy(cfg, shipper, mirrored, newProving(cfg, mirrored.told, log), lease)
	return opened, nil
}

// shipper is what brings a database into the spool.
type shipper interface {
	spooled
	measured
	dated
	Start(ctx context.Context, cipher tink.StreamingAEAD, daily schedule.Daily) error
	Status(ctx context.Context) (ship.Status, error)
	Close() error
}

// spooled is where a mirror finds what there is to copy.
type spooled interface {
	Spool() *spool.Spool
	WantFull()
	Complete() time.Time
}

// dated is when something was done last, and is done next.
type dated interface {
	Last() (at time.Time, failed string)
	Fulls() (last, next time.Time)
}

// measured is what metrics tell of shipping.
type measured interface {
	Lag() time.Duration
	Age() time.Duration
	Failing() bool
	Written() int64
	Size() int64
	Transaction() uint64
}

// shipBy has a database shipped and mirrored from its start on until it closes.
func (d *database) shipBy(cfg Config, by shipper, mirrored *copies, proofs *proving, lease *leasing) {
	database := d.close
	// Shipping ends first, so that the mirror sees all of it; the lease last.
	d.close = func() error { return errors.Join(database(), by.Close(), mirrored.close(), lease.close()) }
	d.backup = shippingOf(cfg, by, mirrored, proofs, lease)
	d.gauges = append(d.gauges, slices.Concat(shipGauges(by), lease.gauges())...)
}

// shippingOf is the backup of a database that is shipped.
func shippingOf(cfg Config, by shipper, mirrored *copies, proofs *proving, lease *leasing) shipping {
	return shipping{
		ships: true,
		start: func(ctx context.Context, v *vault.Vault) error {
			if err := lease.take(ctx); err != nil {
				return err
			}
			if err := startShipping(ctx, cfg, by, v); err != nil {
				return err
			}
			lease.keep(ctx, by)
			return mirrored.start(ctx, cfg, by, lease, proofs.log)
		},
		status: func(ctx context.Context) (ship.Status, error) {
			status, err := by.Status(ctx)
			status.Destinations, status.Alarms = cfg.withProofs(mirrored.told()), mirrored.alarms()
			status.Lease, status.Standbys = lease.told(ctx)
			status.Schedule = planned(by, cfg.Backup.Interval, status.Destinations, proofs)
			return status, err
		},
		copies: func() []backup.Copy { return cfg.withProofs(mirrored.told()) },
		work:   proofs.run,
		now: func(ctx context.Context, r adminsock.BackupNowRequest, progress nowProgress) (adminsock.BackupNowReport, error) {
			return backupNow(ctx, by, mirrored, r, progress)
		},
	}
}

func startShipping(ctx context.Context, cfg Config, by shipper, v *vault.Vault) error {
	// First, because it refuses the spool of another shop.
	if err := vault.CopySets(vault.Config(cfg.Vault), filepath.Join(cfg.spoolDir(), keysInSpool)); err != nil {
		return err
	}
	return by.Start(ctx, v.Backup(), schedule.NewDaily(v.Name(), time.Local))
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
func shipGauges(s measured) []gauge {
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
