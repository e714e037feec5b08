package migrate

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"panshi/internal/db"
	"panshi/internal/db/transfer"
	"panshi/internal/errs"
	"panshi/internal/vault"
)

// Request is a move.
type Request struct {
	From, To Place
	Data     string       // the data directory of the installation: holds the keys of a shop on a server
	Keys     vault.Config // of that directory
	CopyKeys bool         // into a directory that has none
	DryRun   bool
	Log      *slog.Logger
	Progress func(transfer.Progress)
}

// Report is what a move did.
type Report struct {
	From    string                 `json:"from"`
	To      string                 `json:"to"`
	DryRun  bool                   `json:"dry_run"`
	Resumed bool                   `json:"resumed"`
	Moved   bool                   `json:"moved"` // the shop is at To now
	Keys    string                 `json:"keys"`  // what became of them
	Rows    int64                  `json:"rows"`
	Plan    []transfer.TableRows   `json:"plan,omitempty"`   // of a dry run
	Tables  []transfer.TableReport `json:"tables,omitempty"` // what was verified
}

// Run moves a shop, or goes on with a move that was interrupted. With an error
// of kind Integrity the destination differs and the report says where.
func Run(ctx context.Context, r Request) (report Report, err error) {
	report = Report{From: r.From.String(), To: r.To.String(), DryRun: r.DryRun}
	if err := r.check(); err != nil {
		return report, err
	}
	unlock, err := r.lock()
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	from, err := r.From.open(ctx, r.Log)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	if report.Plan, err = transfer.Plan(ctx, from.db); err != nil {
		return report, err
	}
	for _, t := range report.Plan {
		report.Rows += t.Rows
	}
	if report.Keys, err = r.bringKeys(ctx, from.db); err != nil || r.DryRun {
		return report, err
	}
	report.Plan = nil
	return report, r.move(ctx, from, &report)
}

// check refuses what is no move.
func (r *Request) check() error {
	if r.From.server == "" {
		if has, err := hasShop(r.From.dir); err != nil || !has {
			return errors.Join(err, noShop("from", r.From.dir))
		}
	}
	if r.From.server == "" && r.To.server == "" && same(r.From.dir, r.To.dir) ||
		r.From.server != "" && r.To.server != "" && r.From.String() == r.To.String() {
		return errs.Field("to", "invalid_value", "is where the shop is already")
	}
	return nil
}

func noShop(field, dir string) error {
	return errs.Field(field, "no_shop", "there is no shop in "+dir)
}

// lock keeps other processes of this machine out of the directories of the
// move. A dry run leaves the destination alone.
func (r *Request) lock() (unlock func() error, err error) {
	dirs := []string{}
	add := func(dir string) {
		for _, d := range dirs {
			if same(d, dir) {
				return
			}
		}
		dirs = append(dirs, dir)
	}
	if r.From.server == "" {
		add(r.From.dir)
	}
	if r.To.server == "" && !r.DryRun {
		add(r.To.dir)
	}
	if _, err := os.Stat(r.Data); err == nil && (r.From.server != "" || r.To.server != "") {
		add(r.Data) // a shop on the server locks its data directory, too
	}
	var locks []*db.DirLock
	unlock = func() (err error) {
		for _, l := range locks {
			err = errors.Join(err, l.Close())
		}
		return err
	}
	for _, dir := range dirs {
		l, err := db.LockDir(dir)
		if err != nil {
			return nil, errors.Join(running(err, dir), unlock())
		}
		locks = append(locks, l)
	}
	return unlock, nil
}

// running names the remedy where a shop runs.
func running(err error, dir string) error {
	if errs.CodeOf(err) != "data_dir_locked" {
		return err
	}
	return errs.Wrap(err, errs.Unavailable, "data_dir_locked", "the shop in "+dir+" must not run while it moves: stop it, move, start it")
}

// move copies, verifies and gives the shop to its new place.
func (r *Request) move(ctx context.Context, from *side, report *Report) (err error) {
	to, err := r.To.open(ctx, r.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	if err := errors.Join(from.alone(ctx), to.alone(ctx)); err != nil {
		return err
	}
	m, err := transfer.Begin(ctx, transfer.Side{DB: from.db, Place: report.From}, transfer.Side{DB: to.db, Place: report.To}, r.Progress)
	if err != nil {
		return err
	}
	report.Resumed = m.Resumed()
	// Who starts from now on meets the marks; who started in between shows here.
	if err := errors.Join(from.alone(ctx), to.alone(ctx)); err != nil {
		return err
	}
	if err := m.Copy(ctx); err != nil {
		return err
	}
	if report.Tables, err = m.Verify(ctx); err != nil {
		return err
	}
	err = m.Finish(ctx)
	report.Moved = err == nil
	return err
}

// Reopen lets a shop that was moved, or whose move is given up, be served from
// its old place again. It tells where the shop had gone, "" if nowhere.
func Reopen(ctx context.Context, r Request) (place string, err error) {
	if r.From.server == "" {
		if has, err := hasShop(r.From.dir); err != nil || !has {
			return "", errors.Join(err, noShop("from", r.From.dir))
		}
	}
	r.To, r.DryRun = r.From, true
	unlock, err := r.lock()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	s, err := r.From.open(ctx, r.Log)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return transfer.Reopen(ctx, s.db)
}
