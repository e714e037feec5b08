package app

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"panshi/internal/adminsock"
	"panshi/internal/backup"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/standby"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/vault"
	"panshi/internal/web"
)

// FollowRequest says what a standby follows, and by what keys.
type FollowRequest struct {
	From string // a label of backup.destinations, or the directory of a destination
	// Sheet brings the keys when the standby begins; later only a strict shop's
	// standby needs it.
	Sheet      *seal.Sheet
	Credential []byte // of the destination, as for a restore
	Cards      []byte // the bundle of card keys; without it cards stay shut
}

// standbyParts is a standby with what a promotion needs of it.
type standbyParts struct {
	*standby.Standby
	from   backup.Destination
	place  backup.Swapper // nil without a lease
	keys   *seal.Keys
	signer ed25519.PublicKey
}

// Follow runs a standby in cfg.Data until ctx ends or it is promoted; then it
// serves the shop. A directory that was promoted before is served at once. ready
// is called when it answers, and again when the shop does.
func Follow(ctx context.Context, cfg Config, r FollowRequest, log *slog.Logger, ready func(Addresses)) error {
	if _, err := os.Stat(filepath.Join(cfg.Data, sqlite.FileName)); err == nil && !standby.Is(cfg.Data) {
		log.Warn("standby: this directory was promoted; it is served as the shop that it is")
		return Serve(ctx, cfg, log, ready)
	}
	if err := prepare(ctx, cfg, r); err != nil {
		return err
	}
	if st, err := standby.Load(cfg.Data); err != nil {
		return err
	} else if st.Promoting > 0 {
		return resume(ctx, cfg, r, log, ready)
	}
	promoted, err := follow(ctx, cfg, r, log, ready)
	if err != nil || !promoted {
		return err
	}
	return Serve(ctx, cfg, log, ready)
}

// resume ends a promotion that was cut off after it had taken the lease and all
// that there was.
func resume(ctx context.Context, cfg Config, r FollowRequest, log *slog.Logger, ready func(Addresses)) error {
	lock, err := db.LockDir(cfg.Data)
	if err != nil {
		return err
	}
	_, err = promoteLocked(ctx, cfg, r, adminsock.PromoteRequest{}, log, func(string) {})
	if err := errors.Join(err, lock.Close()); err != nil {
		return err
	}
	return Serve(ctx, cfg, log, ready)
}

// prepare brings the keys into a directory that is no standby's yet.
func prepare(ctx context.Context, cfg Config, r FollowRequest) (err error) {
	if err := checkDir(cfg.Data); err != nil || standby.Is(cfg.Data) {
		return err
	}
	if cfg.spoolDir() == "" {
		return errs.Field("follow", "standby_needs_sqlite", "a standby follows a shop on SQLite with a spool; a PostgreSQL server has standbys of its own")
	}
	if _, err := os.Stat(cfg.spoolDir()); err == nil {
		return errs.New(errs.Conflict, "standby_spool_exists", "there is a spool at "+cfg.spoolDir()+
			", which another shop left; a standby begins with nothing").With("path", cfg.spoolDir())
	}
	if r.Sheet == nil {
		return errs.Field("sheet", "required", "a standby begins with the recovery sheet, which brings the shop's keys")
	}
	o, err := originOf(ctx, cfg, RestoreRequest{From: r.From, Sheet: r.Sheet, Credential: r.Credential, Cards: r.Cards})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return errs.Wrap(err, errs.Invalid, "data_dir_unusable", "the data directory cannot be used")
	}
	if err := vault.Copy(o.keys, vault.Config(cfg.Vault)); err != nil {
		return err
	}
	return standby.Create(cfg.Data, id.New().String())
}

// openStandby opens the standby in cfg.Data, which is locked.
func openStandby(cfg Config, r FollowRequest, log *slog.Logger) (*standbyParts, error) {
	v, err := vault.Open(vault.Config(cfg.Vault))
	if err != nil {
		return nil, err
	}
	keys, err := backupKeysOf(cfg)
	if err != nil {
		return nil, err
	}
	reader := keys.Reader()
	if r.Sheet != nil {
		reader = r.Sheet.Reader()
	}
	if len(reader.Identities) == 0 {
		return nil, errs.Field("sheet", "backup_strict", "this shop is strict: its standby needs the recovery sheet at each start")
	}
	p := &standbyParts{keys: keys, signer: reader.Signer}
	if p.from, err = cfg.followed(r); err != nil {
		return nil, err
	}
	if label := cfg.Backup.keeper(); label != "" {
		p.place = cfg.swapper(label)
	}
	p.Standby, err = standby.Open(standby.Config{
		Data: cfg.Data, From: p.from, Reader: reader, Cipher: v.Backup(), Clock: clock.System{}, Log: log, Place: p.place, Signer: keys,
	})
	return p, err
}

// followed opens the destination: a known one with the credential that the shop's
// keys brought, unless another one is given.
func (c Config) followed(r FollowRequest) (backup.Destination, error) {
	if d := c.Backup.named(r.From); r.Credential == nil && d.needsSecret() {
		return c.stored(r.From)
	}
	return c.destination(r.From, r.Credential)
}

// follower is a standby that is served.
type follower struct {
	cfg   Config
	log   *slog.Logger
	parts *standbyParts

	mu       sync.Mutex // held while it is promoted
	stop     func()     // ends following; guarded by mu
	promoted bool       // guarded by mu
	over     context.CancelFunc
}

var _ adminsock.Standby = (*follower)(nil)

// follow serves a standby until ctx ends, or until it is promoted.
func follow(ctx context.Context, cfg Config, r FollowRequest, log *slog.Logger, ready func(Addresses)) (promoted bool, err error) {
	lock, err := db.LockDir(cfg.Data)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	parts, err := openStandby(cfg, r, log)
	if err != nil {
		return false, err
	}
	l, err := listen(cfg)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	served, over := context.WithCancel(ctx)
	defer over()
	f := &follower{cfg: cfg, log: log, parts: parts, over: over}
	f.begin(ctx)
	err = f.serve(served, l, ready)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stop()
	return f.promoted, err
}

// begin follows in a goroutine of its own. The caller holds mu, or is alone.
func (f *follower) begin(ctx context.Context) {
	run, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { f.parts.Run(run) })
	f.stop = func() { cancel(); work.Wait() }
}

// serve answers on both listeners and on the socket until ctx ends.
func (f *follower) serve(ctx context.Context, l *listeners, ready func(Addresses)) error {
	handlers, err := f.handlers(l)
	if err != nil {
		return err
	}
	run, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	all.Go(func() {
		if err := adminsock.ServeStandby(run, f.cfg.Data, f, f.log); err != nil && run.Err() == nil {
			cancel(err)
		}
	})
	for ln, handler := range handlers {
		all.Go(func() {
			if err := web.Serve(run, web.NewServer(f.cfg.Web, handler, f.log), ln, f.cfg.Web); err != nil {
				cancel(err)
			}
		})
	}
	ready(Addresses{Shop: urlOf(l.public.Addr().String()), Console: urlOf(l.console.Addr().String()), Roles: "standby"})
	all.Wait()
	if cause := context.Cause(run); ctx.Err() == nil {
		return cause
	}
	return nil
}

// StandbyStatus implements adminsock.Standby.
func (f *follower) StandbyStatus(context.Context) (standby.Status, error) {
	return f.parts.Status(), nil
}

// Promote implements adminsock.Standby. A promotion that fails leaves a standby
// that follows, unless it was the directory that failed.
func (f *follower) Promote(ctx context.Context, r adminsock.PromoteRequest, progress func(string)) (adminsock.Promoted, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.promoted {
		return adminsock.Promoted{}, errs.New(errs.Conflict, "standby_promoted", "this standby was promoted a moment ago")
	}
	f.stop()
	done, err := (&promotion{cfg: f.cfg, how: r, s: f.parts, log: f.log, progress: progress}).run(ctx)
	if err != nil {
		f.begin(context.WithoutCancel(ctx))
		return done, err
	}
	f.promoted = true
	f.over()
	return done, nil
}

// handlers are what the two listeners of a standby answer.
func (f *follower) handlers(l *listeners) (map[net.Listener]http.Handler, error) {
	public, console, err := f.muxes()
	if err != nil {
		return nil, err
	}
	return map[net.Listener]http.Handler{l.public: public, l.console: console}, nil
}
