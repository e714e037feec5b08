package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/app"
	"panshi/internal/errs"
)

// How long a command waits for another one, or for a shop that is starting.
const (
	lockPatience = 10 * time.Second
	lockPause    = 100 * time.Millisecond
)

// shop is the shop that a command works on, here or in another process.
type shop struct {
	adminsock.Operations
	adminsock.Setup
	adminsock.Alerts
	adminsock.Backups
	close func() error
}

// whatIfNone says what a command does where there is no shop yet.
type whatIfNone bool

const (
	refuse whatIfNone = false // a mistyped --data must not make one
	create whatIfNone = true
)

// openShop reaches the running shop of cfg.Data, or opens it.
func openShop(ctx context.Context, t *terminal, cfg app.Config, none whatIfNone) (*shop, error) {
	deadline := time.Now().Add(lockPatience)
	for {
		s, err := openOnce(ctx, t, cfg, none)
		if errs.CodeOf(err) != "data_dir_locked" || time.Now().After(deadline) {
			return s, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

func openOnce(ctx context.Context, t *terminal, cfg app.Config, none whatIfNone) (*shop, error) {
	client, err := adminsock.Dial(ctx, cfg.Data)
	if err == nil {
		return &shop{client, client, client, client, client.Close}, nil
	}
	if !errors.Is(err, adminsock.ErrNotRunning) {
		return nil, err
	}
	if none == refuse && !hasShop(cfg) {
		return nil, noShop(cfg)
	}
	local, err := app.OpenLocal(ctx, cfg, t.log(slog.LevelWarn))
	if err != nil {
		return nil, err
	}
	return &shop{local, local, local, local, local.Close}, nil
}

// noShop says what to do where there is nothing to work on. On a server's
// database the shop may be there, and only its keys be elsewhere.
func noShop(cfg app.Config) error {
	if cfg.DB.URL != "" {
		return errs.Field("vault.dir", "no_shop", "there are no keys in "+cfg.Vault.Dir+"; copy those of a machine that serves this shop, or set vault.dir and vault.key_file"+
			" to where they are; `panshi merchant put` or `panshi demo` makes a new shop")
	}
	return errs.Field("data", "no_shop", "there is no shop in "+cfg.Data+"; `panshi merchant put` or `panshi demo` makes one, or say where yours is")
}

// withShop does one thing to the shop that g names.
func withShop(ctx context.Context, g *globals, t *terminal, none whatIfNone, do func(*shop) error) error {
	cfg, err := g.load(nil)
	if err != nil {
		return err
	}
	s, err := openShop(ctx, t, cfg, none)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.close())
}
