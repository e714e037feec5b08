package app

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"

	"panshi/internal/adminsock"
	"panshi/internal/backup"
	"panshi/internal/backup/lease"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/ship"
	"panshi/internal/backup/standby"
	"panshi/internal/check"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
)

// Promote makes a shop of the standby in cfg.Data, which no process serves. When
// it returns nil the shop holds the lease and may be served; that does not happen
// here. What was cut off is done again from where it stood. Codes: those of
// lease.Hold and standby.CatchUp, standby_missing, standby_no_lease.
func Promote(ctx context.Context, cfg Config, r FollowRequest, how adminsock.PromoteRequest, log *slog.Logger, progress func(step string)) (adminsock.Promoted, error) {
	if _, err := standby.Load(cfg.Data); err != nil {
		return adminsock.Promoted{}, err
	}
	lock, err := db.LockDir(cfg.Data)
	if err != nil {
		return adminsock.Promoted{}, err
	}
	done, err := promoteLocked(ctx, cfg, r, how, log, progress)
	if err := errors.Join(err, lock.Close()); err != nil {
		return done, err
	}
	progress("check")
	done.Check, err = checkIn(ctx, cfg, log)
	return done, err
}

func promoteLocked(ctx context.Context, cfg Config, r FollowRequest, how adminsock.PromoteRequest, log *slog.Logger, progress func(string)) (adminsock.Promoted, error) {
	s, err := openStandby(cfg, r, log)
	if err != nil {
		return adminsock.Promoted{}, err
	}
	return (&promotion{cfg: cfg, how: how, s: s, log: log, progress: progress}).run(ctx)
}

// checkIn runs every invariant on a shop that nobody serves.
func checkIn(ctx context.Context, cfg Config, log *slog.Logger) (check.Report, error) {
	shop, err := OpenLocal(ctx, cfg, log)
	if err != nil {
		return check.Report{}, err
	}
	report, err := shop.Check(ctx, func(string, int, int) {})
	return report, errors.Join(err, shop.Close())
}

// promotion is one try to make a shop of a standby, whose directory is locked.
type promotion struct {
	cfg      Config
	how      adminsock.PromoteRequest
	s        *standbyParts
	log      *slog.Logger
	progress func(step string)
}

// run takes the lease, catches up, and turns the directory into a shop's. Each
// step may be repeated after a crash: the lease knows this node, the standby its
// transaction, and the database gets its name before the standby's files go.
func (p *promotion) run(ctx context.Context) (done adminsock.Promoted, err error) {
	began := clock.System{}.Now()
	if st := p.s.Status(); st.Promoting > 0 { // a crash came between
		done = adminsock.Promoted{
			Epoch: st.Promoting, Leased: !p.how.OldOneIsOff, CaughtUp: true, Generation: st.Generation, Transaction: st.Transaction, Time: st.At(),
		}
		return done, p.turn(st.State, st.Promoting)
	}
	stop, epoch, err := p.lead(ctx)
	if err != nil {
		return done, err
	}
	defer stop()
	fault.Point("promote.leased")
	p.progress("catch up")
	caught := p.s.CatchUp(ctx)
	if caught != nil && !p.mayLack(caught) {
		return done, caught
	}
	st := p.s.Status()
	done = adminsock.Promoted{
		Epoch: epoch, Leased: !p.how.OldOneIsOff, CaughtUp: caught == nil, Generation: st.Generation, Transaction: st.Transaction,
		Time: st.At(), Fenced: st.Fenced,
	}
	fault.Point("promote.caught_up")
	err = p.turn(st.State, epoch)
	p.forget(ctx, st.Node)
	done.Took = clock.System{}.Now().Sub(began)
	return done, err
}

// mayLack tells whether a shop that is not caught up may sell all the same: what
// comes after a gap is of no use, and who says that the old machine is off may
// have no destination any more.
func (p *promotion) mayLack(caught error) bool {
	return p.s.Status().Transaction > 0 && (p.how.OldOneIsOff || errs.CodeOf(caught) == "restore_gap")
}

// forget takes the standby off the list of those that follow.
func (p *promotion) forget(ctx context.Context, node string) {
	if p.s.place == nil || p.how.OldOneIsOff {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lease.CallFor)
	defer cancel()
	if err := lease.Forget(ctx, p.s.place, node); err != nil {
		p.log.Warn("promote: it is still listed as a standby", slog.Any("error", err))
	}
}

// turn makes the directory a shop's.
func (p *promotion) turn(st standby.State, epoch uint64) error {
	if err := p.s.Promoting(epoch); err != nil {
		return err
	}
	if err := standby.Hand(p.cfg.Data, filepath.Join(p.cfg.Data, sqlite.FileName)); err != nil {
		return err
	}
	fault.Point("promote.named")
	err := errors.Join(
		ship.NoteAncestor(p.cfg.Data, st.Generation), ship.BeginEpoch(p.cfg.Data, epoch), term{Node: st.Node, Epoch: epoch}.save(p.cfg.Data))
	if err != nil {
		return err
	}
	fault.Point("promote.termed")
	return standby.End(p.cfg.Data)
}

// lead takes the lease and renews it until stop is called; without one it finds
// the epoch after all that the destination knows of.
func (p *promotion) lead(ctx context.Context) (stop func(), epoch uint64, err error) {
	known, err := p.knownEpoch(ctx)
	if p.how.OldOneIsOff {
		return func() {}, max(known, p.s.Status().Epoch, 1) + 1, nil // a destination that is gone tells nothing
	}
	if err != nil {
		return nil, 0, err
	}
	if p.s.place == nil {
		return nil, 0, errs.New(errs.Conflict, "standby_no_lease", "no destination of this shop keeps a lease, so nothing stops the old machine: "+
			"switch it off for good, then promote with --old-one-is-off")
	}
	p.progress("take the lease")
	keeper, err := lease.Hold(ctx, lease.Config{
		Dest: p.s.place, Signer: p.s.keys, Clock: clock.System{}, Log: p.log,
		Claim: lease.Claim{
			Node: p.s.Status().Node, Run: id.New().String(), TTL: lease.TTL, Promote: true, MinEpoch: known, Depose: p.how.Depose,
			Now: clock.System{}.Now,
		},
	})
	if err != nil {
		return nil, 0, err
	}
	run, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { keeper.Run(run) })
	stop = func() { cancel(); work.Wait() }
	if p.how.Depose {
		p.progress("wait until the old machine has stopped")
		if err := backup.Pause(ctx, lease.TTL); err != nil {
			stop()
			return nil, 0, err
		}
	}
	return stop, keeper.Epoch(), nil
}

// knownEpoch is the highest epoch that manifests were written under.
func (p *promotion) knownEpoch(ctx context.Context) (uint64, error) {
	log, err := manifest.Read(ctx, p.s.from, p.s.signer)
	return log.Epoch, err
}
