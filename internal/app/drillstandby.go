package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"panshi/internal/adminsock"
	"panshi/internal/backup/drill"
	"panshi/internal/backup/standby"
	"panshi/internal/clock"
	"panshi/internal/id"
	"panshi/internal/vault"
)

// rehearsedStandby follows a copy in a scratch directory and takes over there. It
// touches no lease and writes to no destination.
type rehearsedStandby struct {
	d    *Driller
	from drill.Copy
}

var _ drill.Standby = rehearsedStandby{}

// standIn gives a drill a standby, if one follows this shop.
func (d *Driller) standIn(ctx context.Context, w *drill.World) {
	if len(w.Copies) > 0 && d.cfg.standby(ctx, d.keys) != nil {
		w.Standby = rehearsedStandby{d, w.Copies[0]}
	}
}

// Failover implements drill.Standby.
func (r rehearsedStandby) Failover(ctx context.Context) (drill.Failover, error) {
	dir, err := os.MkdirTemp(r.d.o.Scratch, scratchPrefix)
	if err != nil {
		return drill.Failover{}, unwritableScratch(err)
	}
	f, err := r.failover(ctx, dir)
	if err != nil {
		return f, errors.Join(err, os.RemoveAll(dir))
	}
	return f, nil
}

func (r rehearsedStandby) failover(ctx context.Context, dir string) (drill.Failover, error) {
	there := r.d.cfg.elsewhere(filepath.Join(dir, "shop"))
	if err := r.bringKeys(ctx, dir, there); err != nil {
		return drill.Failover{}, err
	}
	v, err := vault.Open(vault.Config(there.Vault))
	if err != nil {
		return drill.Failover{}, err
	}
	from := drill.NewDamage(r.from.Dest)
	s, err := standby.Open(standby.Config{
		Data: there.Data, From: from, Reader: r.d.reader, Cipher: v.Backup(), Clock: clock.System{}, Log: r.d.log,
	})
	if err != nil {
		return drill.Failover{}, err
	}
	over := promotion{
		cfg: there, how: adminsock.PromoteRequest{OldOneIsOff: true}, log: r.d.log, progress: func(string) {},
		s: &standbyParts{Standby: s, from: from, signer: r.d.reader.Signer},
	}
	done, err := over.run(ctx)
	if err != nil {
		return drill.Failover{}, err
	}
	shop := &drillShop{cfg: there.scratch(there.Data, there.Vault.KeyFile), dir: dir, log: r.d.log}
	return drill.Failover{Time: done.Time, Shop: shop}, shop.open(ctx)
}

// bringKeys makes the scratch directory a standby's.
func (r rehearsedStandby) bringKeys(ctx context.Context, dir string, there Config) error {
	o, err := r.d.origin(ctx, dir, r.from, false)
	if err != nil {
		return err
	}
	err = os.MkdirAll(there.Data, 0o700)
	if err == nil {
		err = vault.Copy(o.keys, vault.Config(there.Vault))
	}
	if err := errors.Join(err, o.close()); err != nil {
		return err
	}
	return standby.Create(there.Data, id.New().String())
}
