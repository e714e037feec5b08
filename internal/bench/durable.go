package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/backup/ship"
	"panshi/internal/db/sqlite"
)

// durability measures what keeping everything costs, with twins of one shop side
// by side: one that ships nothing, one that ships, one that also copies itself to
// a directory.
func (r *run) durability(ctx context.Context) (err error) {
	plain, err := r.shop.twin("plain", "backup.spool=off")
	if err != nil {
		return err
	}
	if err := plain.start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plain.stop(), r.store.drop(plain.name)) }()
	if r.cfg.has(Ship) {
		if err := r.shipping(ctx, plain); err != nil {
			return err
		}
	}
	if !r.cfg.has(Copy) && !r.cfg.has(Full) && !r.cfg.has(Restore) {
		return nil
	}
	c, err := r.shop.copying()
	if err != nil {
		return err
	}
	if r.cfg.has(Copy) {
		err = r.against(ctx, Copy, c.shop, plain)
	}
	if err == nil && r.cfg.has(Full) {
		err = r.full(ctx, c)
	}
	if err == nil && r.cfg.has(Restore) {
		err = r.restore(ctx, c)
	} else {
		err = errors.Join(err, c.stop())
	}
	return errors.Join(err, c.remove())
}

// twin makes another shop with the data and the keys of one that stands still.
func (s *shop) twin(name string, set ...string) (*shop, error) {
	t := *s
	t.name, t.child, t.set = s.name+"-"+name, nil, set
	if err := s.w.store.copy(t.name, s.name); err != nil {
		return nil, err
	}
	keys := filepath.Join(t.data(), "keys")
	if err := os.CopyFS(keys, os.DirFS(filepath.Join(s.data(), "keys"))); err != nil {
		return nil, err
	}
	err := filepath.WalkDir(keys, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600) //nolint:gosec // a scratch directory of our own
	})
	return &t, errors.Join(err, os.Chmod(keys, 0o700), copyFile(t.data()+".key", s.data()+".key")) //nolint:gosec // a directory, for its owner alone
}

func (r *run) shipping(ctx context.Context, plain *shop) error {
	s, err := r.shop.twin("ship")
	if err != nil {
		return err
	}
	if err := s.start(); err != nil {
		return err
	}
	err = s.settled(ctx)
	if err == nil {
		err = r.against(ctx, Ship, s, plain)
	}
	return errors.Join(err, s.stop(), r.store.drop(s.name), os.RemoveAll(s.data()+".spool"))
}

// settled waits until everything is in the spool and at the destinations.
func (s *shop) settled(ctx context.Context) error {
	var status ship.Status
	var err error
	for held := 0; held < 3; held++ {
		if err := errors.Join(ctx.Err(), s.admin(func(c *adminsock.Client) error {
			status, err = c.BackupStatus(ctx)
			return err
		})); err != nil {
			return err
		}
		if status.Failure != "" {
			return fmt.Errorf("shipping failed: %s", status.Failure)
		}
		waits := status.Lag > 0 || status.ShippedAt.IsZero()
		for _, d := range status.Destinations {
			waits = waits || !d.Restorable || d.Pending > 0
		}
		if waits {
			held = -1
		}
		time.Sleep(100 * time.Millisecond) // the mirror looks four times a second
	}
	return nil
}

// against places orders at two shops in turn.
func (r *run) against(ctx context.Context, scenario string, ours, plain *shop) error {
	a, err := open(ctx, r.cfg.Clients, ours.buying())
	if err != nil {
		return err
	}
	b, err := open(ctx, r.cfg.Clients, plain.buying())
	if err != nil {
		return errors.Join(err, a.close())
	}
	var problems []string
	err = r.duel(ctx, &duel{
		result: Result{Scenario: scenario, Size: ours.behind, Reference: "the same shop without any backup", Unit: "order"},
		shop:   byLoad(a, &problems), ref: byLoad(b, &problems), shopPID: ours.pid(), refPID: plain.pid(),
	}, problems)
	ours.bought(a)
	plain.bought(b)
	return errors.Join(err, a.close(), b.close())
}

// copier is a shop that copies itself to a directory, and what opens that.
type copier struct {
	*shop
	nas, sheet, cards string
}

// copying makes such a shop, and waits until the directory has everything. It
// writes a whole copy every minute at the most.
func (s *shop) copying() (*copier, error) {
	base := s.data() + "-copy"
	c := &copier{nas: base + ".nas", sheet: base + ".sheet", cards: base + ".cards"}
	var err error
	if c.shop, err = s.twin("copy", "backup.full_every=1m",
		"backup.destinations=[{label: nas, kind: directory, same_device: true, dir: "+c.nas+"}]"); err != nil {
		return nil, err
	}
	sheet, err := s.w.output("key", "recovery", "new", "--data", c.data())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.WriteFile(c.sheet, sheet, 0o600), s.w.run("key", "cards", "--data", c.data(), c.cards), c.start()); err != nil {
		return nil, err
	}
	return c, c.settled(s.w.ctx)
}

func (c *copier) remove() error {
	var faults []error
	for _, path := range []string{c.nas, c.sheet, c.cards, c.data() + ".spool"} {
		faults = append(faults, os.RemoveAll(path))
	}
	return errors.Join(append(faults, c.w.store.drop(c.name))...)
}

// output runs a command of the program and gives what it printed.
func (w *workshop) output(args ...string) ([]byte, error) {
	cmd := exec.CommandContext(w.ctx, w.cfg.Exe, args...) //nolint:gosec // this very program
	var complaint strings.Builder
	cmd.Env, cmd.SysProcAttr, cmd.Stderr = cleanEnv(), childAttr(), &complaint
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("panshi %s: %w: %s%s", args[0], err, complaint.String(), out[max(0, len(out)-2000):])
	}
	return out, nil
}

// database is the shop's file.
func (s *shop) database() string { return filepath.Join(s.data(), sqlite.FileName) }
