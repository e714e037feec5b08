package app

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"panshi/internal/backup/extract"
	"panshi/internal/backup/pgrestore"
	"panshi/internal/backup/restore"
	"panshi/internal/clock"
	"panshi/internal/db/sqlite"
	"panshi/internal/durable"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

// scratchMark is the file that makes a directory of Extract one: nothing opens a
// shop there.
const scratchMark = "scratch.json"

// Extracted is what was taken out of a backup.
type Extracted struct {
	Generation  string         `json:"generation"`
	Transaction uint64         `json:"transaction"`
	Time        time.Time      `json:"time"` // of the state
	Files       []extract.File `json:"files"`
	Sums        Compared       `json:"sums"`
	// Differences are those from the shop that was named, as of Live; nil if none
	// was.
	Differences []extract.Diff `json:"differences,omitempty"`
	Live        time.Time      `json:"live,omitzero"`
	Took        time.Duration  `json:"took_ns"`
}

// Extract takes one table or one order out of a backup into the directory
// cfg.Data, which must not exist. live, if it is not nil, is a shop with a spool;
// its newest state there, a second old while it runs, is what the backup is
// compared with. Nobody needs to stop, and no key comes into the directory.
func Extract(ctx context.Context, cfg Config, r RestoreRequest, want extract.Want, live *Config, log *slog.Logger, progress restore.Progress) (Extracted, error) {
	start := clock.System{}.Now()
	var err error
	if cfg.Data, err = filepath.Abs(cfg.Data); err != nil {
		return Extracted{}, errs.Wrap(err, errs.Invalid, "data_dir_unusable", "the data directory cannot be used")
	}
	if err := absent(cfg.Data); err != nil {
		return Extracted{}, err
	}
	work, err := os.MkdirTemp(filepath.Dir(cfg.Data), ".extract-")
	if err != nil {
		return Extracted{}, errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written")
	}
	e := &extraction{cfg: cfg, work: work, want: want, schema: extract.NewSchema(Columns()), log: log, progress: progress}
	err = errors.Join(e.run(ctx, r, live), os.RemoveAll(work))
	e.done.Took = clock.System{}.Now().Sub(start)
	return e.done, err
}

// extraction is one run of Extract.
type extraction struct {
	cfg      Config
	work     string // directory of its own
	want     extract.Want
	schema   extract.Schema
	log      *slog.Logger
	progress restore.Progress
	done     Extracted
}

func (e *extraction) run(ctx context.Context, r RestoreRequest, live *Config) (err error) {
	plan, err := e.database(ctx, e.cfg, r, "was.db", &e.done.Sums)
	if err != nil {
		return err
	}
	e.done.Generation, e.done.Transaction, e.done.Time = plan.Generation, plan.Transaction, plan.Time
	was, err := sqlite.OpenStill(filepath.Join(e.work, "was.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, was.Close()) }()
	parts, err := e.schema.Parts(ctx, was, e.want)
	if err != nil {
		return err
	}
	out := filepath.Join(e.work, "out")
	if err := os.Mkdir(out, 0o700); err != nil {
		return errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written")
	}
	if e.done.Files, err = e.schema.Write(ctx, was, parts, out); err != nil {
		return err
	}
	if live != nil {
		if err := e.compare(ctx, was, parts, *live); err != nil {
			return err
		}
	}
	return e.settle(out)
}

// database makes the database of a backup as a file of the working directory.
func (e *extraction) database(ctx context.Context, cfg Config, r RestoreRequest, name string, compared *Compared) (plan restore.Plan, err error) {
	from, err := originOf(ctx, cfg, r)
	if err != nil {
		return plan, err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	v, err := vault.Open(from.keys)
	if err != nil {
		return plan, err
	}
	is, err := pgrestore.New(from.source, v.Backup(), e.progress).Holds(ctx, restore.Target{At: r.At})
	if err != nil {
		return plan, err
	}
	if is {
		return plan, errs.New(errs.Conflict, "extract_server", "this is the backup of a PostgreSQL server: restore it whole, start it, and look there")
	}
	restorer := restore.New(from.source, v.Backup(), e.progress)
	plan, sums, err := planOf(ctx, restorer, from, r.At)
	if err != nil {
		return plan, err
	}
	if err := restorer.Prove(ctx, plan); err != nil {
		return plan, err
	}
	compared.Differences = []string{}
	err = compared.apply(ctx, restorer, plan, sums, filepath.Join(e.work, name))
	if errs.CodeOf(err) == codeSumsDiffer {
		e.log.Warn("backup: what is looked at is not what the shop had counted", slog.Any("error", err))
		err = nil // it is to be looked at, and the result says so
	}
	return plan, err
}

// compare tells the differences from the newest state that the shop of live has
// in its spool.
func (e *extraction) compare(ctx context.Context, was *sqlite.Still, parts []extract.Part, live Config) (err error) {
	plan, err := e.database(ctx, live, RestoreRequest{From: live.spoolDir()}, "is.db", &Compared{})
	if err != nil {
		return err
	}
	is, err := sqlite.OpenStill(filepath.Join(e.work, "is.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, is.Close()) }()
	e.done.Live = plan.Time
	e.done.Differences, err = e.schema.Compare(ctx, was, is, parts)
	return err
}

// settle marks what was written and gives it its name.
func (e *extraction) settle(out string) error {
	text, err := json.MarshalIndent(e.done, "", "  ")
	if err != nil {
		return err
	}
	err = errors.Join(os.WriteFile(filepath.Join(out, scratchMark), append(text, '\n'), 0o600), durable.SyncDir(out))
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written")
	}
	if err := os.Rename(out, e.cfg.Data); err != nil {
		return errs.Wrap(err, errs.Unavailable, "restore_unwritable", "a restored file cannot be written")
	}
	return durable.SyncDir(filepath.Dir(e.cfg.Data))
}

// notScratch refuses a directory that Extract made: a shop that is opened there
// would be a new, empty one.
func notScratch(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, scratchMark)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errs.Field("data", "data_dir_scratch", dir+" holds rows that were taken out of a backup to be looked at; it is no shop and cannot become one")
}
