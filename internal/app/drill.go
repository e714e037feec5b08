package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/backup"
	"panshi/internal/backup/drill"
	"panshi/internal/backup/pgrestore"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/ship"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/vault"
)

// DrillOptions say how disasters are rehearsed.
type DrillOptions struct {
	drill.Options

	Scratch string      // where scratch shops are made; "" is beside the data
	Sheet   *seal.Sheet // opens the copies in the place of what the shop keeps
	Cards   []byte      // the bundle of card keys; nil leaves them shut
	Offline string      // an offline disk that is plugged in for ransomware; "" is none
}

// Driller rehearses disasters of one shop, beside the shop: it opens neither its
// data directory nor its spool, except for its own reports.
type Driller struct {
	cfg    Config
	keys   *seal.Keys
	log    *slog.Logger
	texts  *i18n.Catalogue
	o      DrillOptions
	reader seal.Reader
}

// NewDriller gets the keys. Codes backup_keys_missing, backup_no_destination,
// backup_destination_unknown, backup_strict.
func NewDriller(cfg Config, o DrillOptions, log *slog.Logger) (*Driller, error) {
	p, err := NewProver(cfg, log)
	if err != nil {
		return nil, err
	}
	if o.Destination != "" {
		if _, err := p.Labels([]string{o.Destination}); err != nil {
			return nil, err
		}
	}
	texts, err := i18n.Load()
	if err != nil {
		return nil, err
	}
	d := &Driller{cfg: cfg, keys: p.keys, log: log, texts: texts, o: o, reader: p.keys.Reader()}
	switch {
	case o.Sheet != nil:
		d.reader = o.Sheet.Reader()
	case p.keys.Strict():
		return nil, errs.New(errs.Conflict, "backup_strict", "this shop keeps nothing that opens its copies (strict); give the recovery sheet to rehearse with")
	}
	if d.o.Scratch == "" {
		d.o.Scratch = filepath.Dir(filepath.Clean(cfg.Data))
	}
	if d.o.Scratch, err = filepath.Abs(d.o.Scratch); err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "data_dir_unusable", "the data directory cannot be used")
	}
	return d, nil
}

// Drills are the reports of a shop that has a recovery sheet.
func Drills(cfg Config) (*drill.Store, error) {
	keys, err := backupKeys(cfg)
	if err != nil {
		return nil, err
	}
	return cfg.drills(keys), nil
}

func (c Config) drills(keys *seal.Keys) *drill.Store {
	return drill.NewStore(filepath.Join(c.mirrorDir(), "drills"), keys.Signer())
}

// Run rehearses one disaster and keeps the report, passed or not. Nothing of the
// scratch shops stays. It waits for a proof or a drill that runs already.
func (d *Driller) Run(ctx context.Context, what drill.Drill, progress drill.Progress) (kept drill.Kept, err error) {
	lock, err := d.cfg.waitAlone(ctx, func() { progress("waits", 0, 0) })
	if err != nil {
		return kept, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := sweepScratch(d.o.Scratch); err != nil {
		return kept, err
	}
	copies, release, err := d.copies(ctx)
	if err != nil {
		return kept, err
	}
	world, err := d.world(copies)
	if err != nil {
		return kept, errors.Join(err, release(ctx))
	}
	d.standIn(ctx, &world)
	o := d.o.Options
	o.Progress = progress
	r, err := drill.Run(ctx, what, world, o)
	if err = errors.Join(err, release(ctx)); err != nil {
		return kept, err
	}
	html, err := drill.Page(r, d.texts)
	if err != nil {
		return kept, err
	}
	return d.cfg.drills(d.keys).Keep(r, html, d.keys)
}

// alone takes the right to restore to scratch directories: one process at a
// time, because each takes disk and processor of a shop that sells.
func (c Config) alone() (io.Closer, error) {
	lock, err := db.LockDir(filepath.Join(c.mirrorDir(), "rehearsing"))
	if errs.CodeOf(err) == "data_dir_locked" {
		return nil, errs.Wrap(err, errs.Conflict, "drill_running", "a proof or a drill is running already; wait for its end")
	}
	return lock, err
}

// rehearseAgain is how long who waits for another rehearsal waits between looks.
const rehearseAgain = time.Second

// Alone waits until no drill and no other proof runs, and lets none begin until
// it is closed; wait is called once if there is one.
func (p *Prover) Alone(ctx context.Context, wait func()) (io.Closer, error) {
	return p.cfg.waitAlone(ctx, wait)
}

func (c Config) waitAlone(ctx context.Context, wait func()) (io.Closer, error) {
	for told := false; ; told = true {
		lock, err := c.alone()
		if errs.CodeOf(err) != "drill_running" {
			return lock, err
		}
		if !told {
			wait()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(rehearseAgain):
		}
	}
}

const scratchPrefix = ".drilling-"

// sweepScratch takes away what a drill left that was killed: it has keys.
func sweepScratch(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, scratchPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

func (d *Driller) world(copies []drill.Copy) (w drill.World, err error) {
	w = drill.World{
		Copies: copies, Reader: d.reader, Newest: d.newest, Restore: d.restore, WithoutKey: d.withoutKey, KeyFrom: d.keyFrom,
		Gone: func(label string, now time.Time, all []backup.Segment) ([]backup.Segment, error) {
			return d.cfg.Backup.named(label).retention().Gone(now, all)
		},
		Clock: clock.System{}, Version: Version(),
	}
	w.Tables = tablesOf(d.cfg.DB.URL != "")
	return w, d.drawer(&w)
}

// drawer tells of offline disks: of one that is here, and of those that are not.
func (d *Driller) drawer(w *drill.World) error {
	last, err := d.cfg.proofs(d.keys).Offline()
	if last != nil {
		w.Drawer = last.At
	}
	if err != nil || d.o.Offline == "" {
		return err
	}
	disk, err := d.cfg.destination(d.o.Offline, nil)
	if err != nil {
		return err
	}
	w.Offline = []drill.Copy{{Label: "offline", Dest: disk, Offline: true}}
	return nil
}

// copies opens every destination and asks its retention to wait until release.
func (d *Driller) copies(ctx context.Context) (all []drill.Copy, release func(context.Context) error, err error) {
	var holds []func(context.Context) error
	release = func(ctx context.Context) error {
		var faults []error
		for _, end := range holds {
			faults = append(faults, end(ctx))
		}
		return errors.Join(faults...)
	}
	for _, label := range d.cfg.Backup.labels() {
		dest, err := d.cfg.stored(label)
		if err != nil {
			d.log.Warn("drill: a destination cannot be opened", slog.String("destination", label), slog.Any("error", err))
			dest = backup.Lazy(func() (backup.Destination, error) { return nil, err })
		} else if hold, err := holdWhile(ctx, dest, "drill"); err == nil {
			holds = append(holds, hold)
		}
		all = append(all, d.copyOf(ctx, label, dest))
	}
	return all, release, ctx.Err()
}

// copyOf says what a destination withstands. Whether its credential may delete
// is asked by deleting what is not there.
func (d *Driller) copyOf(ctx context.Context, label string, dest backup.Destination) drill.Copy {
	c := d.cfg.Backup.named(label)
	absent := backup.HoldPrefix + "drill-" + strconv.FormatInt(clock.System{}.Now().UnixMilli(), 10)
	return drill.Copy{
		Label: label, Region: c.Region, Dest: dest,
		OnDataDisk: c.Kind == "directory" && !c.apart(d.cfg.Data),
		Locked:     c.Lock != "" && c.LockFor > 0,
		NoDelete:   backup.Is(dest.Delete(ctx, absent), "backup_refused"),
	}
}

// newest asks the shop if it runs, else its spool.
func (d *Driller) newest(ctx context.Context) (at time.Time, lag time.Duration, err error) {
	status, err := d.shipped(ctx)
	if err != nil {
		return at, 0, err
	}
	name := ""
	for _, g := range status.Generations {
		if g.Name > name {
			name, at = g.Name, g.To
		}
	}
	if at.IsZero() {
		return at, 0, errs.New(errs.NotFound, "drill_newest_unknown", "what the shop acknowledged last is not known")
	}
	return at, status.Lag, nil
}

func (d *Driller) shipped(ctx context.Context) (ship.Status, error) {
	client, err := adminsock.Dial(ctx, d.cfg.Data)
	if errors.Is(err, adminsock.ErrNotRunning) {
		return atRest(d.cfg).status(ctx)
	}
	if err != nil {
		return ship.Status{}, err
	}
	status, err := client.BackupStatus(ctx)
	return status, errors.Join(err, client.Close())
}

// restore makes a scratch shop.
func (d *Driller) restore(ctx context.Context, from drill.Copy, want drill.Want, progress drill.Progress) (out drill.Restored, err error) {
	dir, err := os.MkdirTemp(d.o.Scratch, scratchPrefix)
	if err != nil {
		return out, unwritableScratch(err)
	}
	if err := pgrestore.LetThrough(dir); err != nil {
		return out, errors.Join(err, os.RemoveAll(dir))
	}
	shop, done, err := d.restoreIn(ctx, dir, from, want, restore.Progress(progress))
	if err != nil {
		return out, errors.Join(err, os.RemoveAll(dir))
	}
	out = drill.Restored{
		Shop: shop, Transaction: done.Transaction, Time: done.Time, Bytes: done.Bytes,
		Invariants: len(done.Check.Results), Violations: done.Check.Violations,
	}
	if d.o.Cards != nil {
		out.WithCards = func(ctx context.Context) error { return shop.bringCards(ctx, d.reader, d.o.Cards) }
	}
	return out, nil
}

func (d *Driller) restoreIn(ctx context.Context, dir string, from drill.Copy, want drill.Want, progress restore.Progress) (*drillShop, Restored, error) {
	o, err := d.origin(ctx, dir, from, want.Salvage)
	if err != nil {
		return nil, Restored{}, err
	}
	if !want.FullBefore.IsZero() {
		o.source = olderFulls{o.source, want.FullBefore}
	}
	there := d.cfg.elsewhere(filepath.Join(dir, "shop"))
	done, err := restoreFrom(ctx, there, RestoreRequest{At: want.At}, o, d.log, progress)
	if err = errors.Join(err, o.close()); err != nil {
		return nil, done, err
	}
	shop := &drillShop{cfg: there.scratch(there.Data, there.Vault.KeyFile), server: done.Server, dir: dir, log: d.log}
	return shop, done, shop.open(ctx)
}

func (d *Driller) origin(ctx context.Context, dir string, from drill.Copy, salvage bool) (origin, error) {
	work := filepath.Join(dir, "from")
	if err := os.Mkdir(work, 0o700); err != nil {
		return origin{}, unwritableScratch(err)
	}
	// A Damage keeps the hold to itself; copies has asked the place itself.
	return destinationOrigin(ctx, drill.NewDamage(from.Dest), RestoreRequest{reader: &d.reader, Salvage: salvage}, work)
}

func unwritableScratch(err error) error {
	return errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written")
}

// withoutKey tries the shop's keysets without its key.
func (d *Driller) withoutKey(context.Context) error {
	return d.withSets(func(sets string) error {
		_, err := vault.Open(vault.Config{KeyFile: filepath.Join(sets, "no-key"), Dir: sets})
		return err
	})
}

// keyFrom tries them with the key that a copy has.
func (d *Driller) keyFrom(ctx context.Context, from drill.Copy) error {
	return d.withSets(func(sets string) error {
		o, err := d.origin(ctx, filepath.Dir(sets), from, false)
		if err != nil {
			return err
		}
		_, err = vault.Open(vault.Config{KeyFile: o.keys.KeyFile, Dir: sets})
		return errors.Join(err, o.close())
	})
}

// withSets gives a copy of the shop's keysets, as they are wrapped.
func (d *Driller) withSets(do func(sets string) error) (err error) {
	dir, err := os.MkdirTemp(d.o.Scratch, scratchPrefix)
	if err != nil {
		return unwritableScratch(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sets := filepath.Join(dir, "keys")
	if err := vault.CopySets(vault.Config(d.cfg.Vault), sets); err != nil {
		return err
	}
	return do(sets)
}
