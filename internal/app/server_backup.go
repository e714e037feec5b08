package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"panshi/internal/backup/pgrestore"
	"panshi/internal/backup/pgship"
	"panshi/internal/backup/ship"
	"panshi/internal/clock"
	"panshi/internal/db/pgstream"
)

// PostgresBackup says how a shop's PostgreSQL server is backed up.
type PostgresBackup struct {
	pgship.Settings `json:",squash"` //nolint:staticcheck // the tag is mapstructure's, which reads "json" here

	// ReplicationURL is the server's address for a role that may replicate; empty
	// is db.url.
	ReplicationURL Secret `json:"replication_url"`
}

// Ships tells whether this shop's history goes into a spool while it serves.
func (c Config) Ships() bool { return c.spoolDir() != "" }

// has tells whether this process has a role.
func (c Config) has(r Role) bool {
	return slices.ContainsFunc(c.selected(), func(d duty) bool { return d.role == r })
}

// openShippedServer opens the PostgreSQL database with what ships its server.
func openShippedServer(ctx context.Context, cfg Config, log *slog.Logger) (*database, error) {
	settings := pgship.Config{
		Config: cfg.Backup.Config, Settings: cfg.Backup.Postgres.Settings,
		URL: string(cmp.Or(cfg.Backup.Postgres.ReplicationURL, cfg.DB.URL)),
	}
	settings.Spool = cfg.spoolDir()
	var err error
	if settings.Role, settings.Database, err = pgstream.Target(string(cfg.DB.URL)); err != nil {
		return nil, err
	}
	opened, err := openPostgres(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	mirrored := &copies{wanted: len(cfg.Backup.Destinations) > 0}
	unleased := cfg // its processes share one server, which no standby follows
	unleased.Backup.Lease.At = leaseOff
	//nolint:contextcheck // closing ships the rest, whoever has gone
	opened.shipBy(cfg, pgship.New(settings, mirrored.need, clock.System{}, log), mirrored, newProving(cfg, mirrored.told, log),
		&leasing{cfg: unleased, log: log})
	return opened, nil
}

// serverDir is where a restored server's data are in a data directory.
const serverDir = "postgres"

// RestoredServer is the PostgreSQL server of a restored shop; its zero value is
// a shop on SQLite.
type RestoredServer struct {
	Directory string `json:"directory"` // of its data, below the data directory
	Major     int    `json:"major"`     // version
	Role      string `json:"role"`      // by which the shop reaches its tables
	Database  string `json:"database"`
}

// prepareServer is prepare for a shop on PostgreSQL.
func (d *Restored) prepareServer(ctx context.Context, at time.Time, from *pgrestore.Restorer) (fill func(dir string) error, err error) {
	plan, err := from.Plan(ctx, at)
	if err != nil {
		return nil, err
	}
	d.Plan = plan.Plan
	d.Server = RestoredServer{Directory: serverDir, Major: plan.Base.Major, Role: plan.Base.Role, Database: plan.Base.Database}
	return func(dir string) error {
		data := filepath.Join(dir, serverDir)
		if err := errors.Join(pgrestore.LetThrough(dir), from.Apply(ctx, plan, data)); err != nil {
			return err
		}
		return from.Replay(ctx, plan, data)
	}, from.Prove(ctx, plan)
}

// within opens the restored shop of cfg and does something in it.
func (s RestoredServer) within(ctx context.Context, cfg Config, log *slog.Logger, do func(*Shop) error) error {
	shop, end, err := s.open(ctx, cfg, log)
	if err != nil {
		return err
	}
	return errors.Join(do(shop), shop.Close(), end())
}

// open opens the restored shop of cfg. A server is started for it, reachable by
// nobody else; end stops it after the shop was closed.
func (s RestoredServer) open(ctx context.Context, cfg Config, log *slog.Logger) (shop *Shop, end func() error, err error) {
	cfg.DB.URL, cfg.DB.ReplicaURLs, end = "", nil, func() error { return nil }
	if s.Major > 0 {
		server, err := pgrestore.Serve(filepath.Join(cfg.Data, s.Directory))
		if err != nil {
			return nil, end, err
		}
		end = server.Close
		if err := server.Await(ctx, s.Role, s.Database); err != nil {
			return nil, end, errors.Join(pgrestore.Failed(err), end())
		}
		cfg.DB.URL = Secret(server.URL(s.Role, s.Database))
	}
	if shop, err = OpenLocal(ctx, cfg, log); err != nil {
		return nil, end, errors.Join(err, end())
	}
	return shop, end, nil
}

// tables are those of a shop on the engine at hand: a server has none of what
// ships a file.
func (s RestoredServer) tables() []string { return tablesOf(s.Major > 0) }

func tablesOf(server bool) []string {
	none := map[string]bool{}
	if server {
		for _, t := range ship.Columns() {
			none[t.Name] = true
		}
	}
	var names []string
	for _, t := range Columns() {
		if !none[t.Name] {
			names = append(names, t.Name)
		}
	}
	return names
}
