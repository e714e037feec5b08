package app

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"panshi/internal/adminsock"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/guard"
	"panshi/internal/i18n"
	"panshi/internal/jobs"
	"panshi/internal/web"
)

// Addresses are where a running shop answers, as URLs.
type Addresses struct {
	Shop    string `json:"shop"`
	Console string `json:"console"`
	Sandbox string `json:"sandbox,omitempty"` // "" in a real shop

	Roles string `json:"roles"` // of this process: "all", or their names joined by commas
}

// Serve runs the shop in cfg.Data until ctx ends. ready is called once, when
// buyers can buy.
func Serve(ctx context.Context, cfg Config, log *slog.Logger, ready func(Addresses)) (err error) {
	listeners, err := listen(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, listeners.close()) }()
	shop, err := open(ctx, listeners.resolve(cfg), log, openServed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shop.Close()) }()
	if listeners.sandbox != nil {
		stop, err := shop.serveSandbox(ctx, listeners.sandbox)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	if err := errors.Join(shop.enlist(ctx), shop.auditConfig(ctx)); err != nil {
		return err
	}
	return shop.serve(ctx, listeners, ready)
}

// serve runs what hears and works. The first part that fails ends the others;
// listeners drain before sweeps and socket stop.
func (s *Shop) serve(ctx context.Context, l *listeners, ready func(Addresses)) error {
	public, console, err := s.handlers()
	if err != nil {
		return err
	}
	runner, err := s.newRunner()
	if err != nil {
		return err
	}
	behind, stopBehind := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBehind()
	var back sync.WaitGroup
	front, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, run := range []func(context.Context){
		runner.Run, s.versions.Run, s.notify.WatchDatabase, s.watched.run, s.db.backup.work, s.newRehearsals().run, s.watchBackups,
	} {
		back.Go(func() { run(behind) })
	}
	back.Go(func() {
		if err := adminsock.Serve(behind, s.cfg.Data, adminsock.Shop{Operations: s, Setup: s, Alerts: s, Backups: s}, s.log); err != nil && behind.Err() == nil {
			cancel(err)
		}
	})
	back.Go(func() { s.endWithLease(behind, cancel) })
	var listening sync.WaitGroup
	for ln, handler := range map[net.Listener]http.Handler{l.public: public, l.console: console} {
		listening.Go(func() {
			srv := web.NewServer(s.cfg.Web, handler, s.log)
			if err := web.Serve(front, srv, ln, s.cfg.Web); err != nil {
				cancel(err)
			}
		})
	}
	now := clock.System{}.Now()
	s.since.Store(&now)
	s.serving.Store(true)
	ready(Addresses{Shop: s.cfg.Shop.PublicURL, Console: urlOf(l.console.Addr().String()), Sandbox: s.sandbox.url, Roles: strings.Join(s.cfg.told(), ",")})
	listening.Wait()
	stopBehind()
	back.Wait()
	if cause := context.Cause(front); ctx.Err() == nil {
		return cause
	}
	return nil
}

// endWithLease ends the shop when another machine writes for it.
func (s *Shop) endWithLease(ctx context.Context, end context.CancelCauseFunc) {
	if s.db.lost == nil {
		return
	}
	select {
	case <-s.db.lost():
		end(s.db.Update(ctx, func(*db.Tx) error { return nil })) // fails with why
	case <-ctx.Done():
	}
}

// newRunner makes what does the jobs and sweeps of this process's roles.
func (s *Shop) newRunner() (*jobs.Runner, error) {
	all := s.checkout.Handlers()
	maps.Copy(all, s.approvals.Handlers())
	handlers, sweeps, err := s.cfg.work(all, slices.Concat(
		s.checkout.Sweeps(), s.accounts.Sweeps(), s.archive.Sweeps(), s.reconcile.Sweeps(), s.approvals.Sweeps(),
		s.notify.Sweeps(), s.newWatcher().sweeps()))
	if err != nil {
		return nil, err
	}
	return jobs.NewRunner(s.db, s.cfg.holder(), handlers, sweeps, clock.System{}, s.log), nil
}

// listeners are the addresses that the shop took before it opened anything,
// so that a taken port is told at once.
type listeners struct {
	public, console, sandbox net.Listener
}

func listen(cfg Config) (*listeners, error) {
	l := &listeners{}
	for _, want := range []struct {
		ln   *net.Listener
		key  string
		addr string
	}{{&l.public, "http", cfg.HTTP}, {&l.console, "console", cfg.Console}, {&l.sandbox, "sandbox", cfg.Sandbox.Addr}} {
		if want.addr == "" {
			continue
		}
		ln, err := net.Listen("tcp", want.addr) //nolint:noctx // nothing to cancel: it takes no time
		if err != nil {
			return nil, errors.Join(addressTaken(want.key, want.addr, err), l.close())
		}
		*want.ln = ln
	}
	return l, nil
}

// resolve puts the addresses that were really taken (a port 0 is chosen by the
// system) into the configuration.
func (l *listeners) resolve(cfg Config) Config {
	if cfg.Shop.PublicURL == urlOf(cfg.HTTP) {
		cfg.Shop.PublicURL = urlOf(l.public.Addr().String())
	}
	cfg.HTTP, cfg.Console = l.public.Addr().String(), l.console.Addr().String()
	if l.sandbox != nil {
		cfg.Sandbox.Addr = l.sandbox.Addr().String()
	}
	return cfg
}

func (l *listeners) close() error {
	var failures []error
	for _, ln := range []net.Listener{l.public, l.console, l.sandbox} {
		if ln == nil {
			continue
		}
		if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			failures = append(failures, err)
		}
	}
	return errors.Join(failures...)
}

// edge is what both listeners share.
type edge struct {
	stack *web.Stack
	guard *guard.Guard
	texts *i18n.Catalogue
}

func (s *Shop) newEdge() (edge, error) {
	texts, err := i18n.Load()
	if err != nil {
		return edge{}, err
	}
	limits, err := guard.New(s.cfg.Guard, clock.System{})
	if err != nil {
		return edge{}, err
	}
	stack, err := web.NewStack(s.cfg.Web, texts, s.log, clock.System{})
	return edge{stack, limits, texts}, err
}

// addressTaken explains why a listener could not be opened.
func addressTaken(key, addr string, cause error) error {
	e := errs.Wrap(cause, errs.Invalid, "address_unusable", "cannot listen on "+addr+"; is another program there?")
	e.Field = key
	return e
}
