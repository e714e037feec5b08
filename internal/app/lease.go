package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/lease"
	"panshi/internal/backup/seal"
	"panshi/internal/backup/ship"
	"panshi/internal/cache"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/durable"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/s3dest"
	"panshi/internal/vault"
)

// LeaseConfig says where the lease is kept that tells which machine writes.
type LeaseConfig struct {
	// At is the label of the destination; "" is the first one that can keep a
	// lease, "off" keeps none.
	At string `json:"at"`
	// Unreachable is what a shop does while that destination does not answer:
	// "sell", or "stop" taking orders.
	Unreachable string `json:"unreachable"`
}

const (
	leaseOff  = "off"
	leaseSell = "sell"
	leaseStop = "stop"
)

func leaseDefaults() LeaseConfig { return LeaseConfig{Unreachable: leaseSell} }

func (c BackupConfig) validateLease() error {
	if c.Lease.Unreachable != leaseSell && c.Lease.Unreachable != leaseStop {
		return errs.Field("backup.lease.unreachable", "invalid_value", "is sell or stop")
	}
	if c.Lease.At == "" || c.Lease.At == leaseOff {
		return nil
	}
	if !c.named(c.Lease.At).swaps() {
		return errs.Field("backup.lease.at", "backup_no_swap",
			"is no destination that can keep a lease: a directory, or an object store with conditional writes (s3, minio, versitygw)")
	}
	return nil
}

// swaps tells whether a destination can keep a lease.
func (d DestinationConfig) swaps() bool {
	quirks, store := s3dest.Kinds(d.Kind)
	return d.Kind == "directory" || store && !quirks.NoConditions
}

// keeper is the label of the destination that keeps the lease, "" if none does.
func (c BackupConfig) keeper() string {
	if c.Lease.At == leaseOff {
		return ""
	}
	for _, d := range c.Destinations {
		if d.Label == cmp.Or(c.Lease.At, d.Label) && d.swaps() {
			return d.Label
		}
	}
	return ""
}

// swapper opens the destination of a label when it is first called.
func (c Config) swapper(label string) backup.Swapper {
	return backup.LazySwapper(func() (backup.Destination, error) { return c.opened(label) })
}

// leaseFile is what a data directory knows of its lease.
const leaseFile = "lease.json"

// term is a data directory as the holder of a lease.
type term struct {
	Node  string `json:"node"`
	Epoch uint64 `json:"epoch"` // that it wrote under last, 0 for none
}

// termOf reads the term of a data directory, and draws the name of one that has
// none.
func termOf(data string) (t term, err error) {
	content, err := os.ReadFile(filepath.Join(data, leaseFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.Node = id.New().String()
		return t, t.save(data)
	case err != nil:
		return t, termUnusable(err)
	}
	if err := json.Unmarshal(content, &t); err != nil || t.Node == "" {
		return t, termUnusable(err)
	}
	return t, nil
}

func termUnusable(err error) error {
	return errs.Wrap(err, errs.Unavailable, "lease_state_unusable", "the file lease.json of the data directory cannot be used")
}

// save writes the term, durably.
func (t term) save(data string) error {
	content, err := json.Marshal(t)
	if err == nil {
		err = durable.WriteFile(filepath.Join(data, leaseFile), content)
	}
	if err != nil {
		return termUnusable(err)
	}
	return nil
}

// leasing is the lease of a shop that serves. Its zero keeper holds none, and
// then nothing is fenced.
type leasing struct {
	cfg    Config
	log    *slog.Logger
	label  string
	place  backup.Swapper
	keys   *seal.Keys
	keeper atomic.Pointer[lease.Keeper]
	at     atomic.Pointer[positioned]
	stop   context.CancelFunc
	work   sync.WaitGroup
}

// positioned is how far a database was shipped.
type positioned interface {
	Generation() string
	Transaction() uint64
}

// take takes the lease before the shop may write or ship. Without destinations
// that can keep one it takes none.
func (l *leasing) take(ctx context.Context) error {
	l.label = l.cfg.Backup.keeper()
	if l.label == "" {
		return nil
	}
	keys, err := seal.Load(vault.NewSecrets(vault.Config(l.cfg.Vault)))
	if errs.CodeOf(err) == "vault_secret_missing" {
		return nil // the mirror says what to do
	}
	if err != nil {
		return err
	}
	l.keys, l.place = keys, l.cfg.swapper(l.label)
	t, err := termOf(l.cfg.Data)
	if err != nil {
		return err
	}
	keeper, err := l.hold(ctx, t)
	if err != nil || keeper == nil {
		return err
	}
	t.Epoch = keeper.Epoch()
	if err := errors.Join(t.save(l.cfg.Data), ship.BeginEpoch(l.cfg.Data, t.Epoch)); err != nil {
		return err
	}
	l.keeper.Store(keeper)
	return nil
}

// hold takes the lease, or decides what it means that this cannot be done now.
func (l *leasing) hold(ctx context.Context, t term) (*lease.Keeper, error) {
	must := l.cfg.Backup.Lease.Unreachable == leaseStop
	cfg := lease.Config{
		Dest: l.place, Signer: l.keys, Clock: clock.System{}, Log: l.log, MustConfirm: must, Position: l.position,
		Claim: lease.Claim{Node: t.Node, Run: id.New().String(), Epoch: t.Epoch, TTL: lease.TTL, Now: clock.System{}.Now},
	}
	keeper, err := lease.Hold(ctx, cfg)
	switch {
	case err == nil:
		l.log.Info("lease: held", slog.Uint64("epoch", keeper.Epoch()), slog.String("at", l.label))
		return keeper, nil
	case ctx.Err() != nil, !backup.Is(err, "backup_unavailable") && !backup.Is(err, "backup_refused") && !backup.Is(err, "backup_full"):
		return nil, err
	case must:
		return nil, errs.Wrap(err, errs.Unavailable, "lease_unreachable",
			"the destination of the lease does not answer, and backup.lease.unreachable is stop")
	case backup.Is(err, "backup_refused"):
		l.log.Warn("lease: the credential may not keep one; nothing stops two machines from selling at once", slog.Any("error", err))
		return nil, nil
	}
	l.log.Error("lease: the destination does not answer; the shop sells, and another machine might, too", slog.Any("error", err))
	return lease.Unconfirmed(cfg, err), nil
}

// keep renews from now on.
func (l *leasing) keep(ctx context.Context, by shipper) {
	if at, ok := by.(positioned); ok {
		l.at.Store(&at)
	}
	keeper := l.keeper.Load()
	if keeper == nil {
		return
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.work.Go(func() { keeper.Run(run) })
}

func (l *leasing) position() (string, uint64) {
	if at := l.at.Load(); at != nil {
		return (*at).Generation(), (*at).Transaction()
	}
	return "", 0
}

// close gives the lease back, if a shop that still holds it ends in order.
func (l *leasing) close() error {
	keeper := l.keeper.Load()
	if keeper == nil || l.stop == nil {
		return nil
	}
	l.stop()
	l.work.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), lease.CallFor)
	defer cancel()
	keeper.Release(ctx)
	return nil
}

// check is nil if the shop may write.
func (l *leasing) check() error {
	if k := l.keeper.Load(); k != nil {
		return k.Check()
	}
	return nil
}

func (l *leasing) epoch() uint64 {
	if k := l.keeper.Load(); k != nil {
		return k.Epoch()
	}
	return 0
}

func (l *leasing) lost() <-chan struct{} {
	if k := l.keeper.Load(); k != nil {
		return k.Lost()
	}
	return nil
}

// told is the lease and the standbys for a status; what cannot be asked now is
// left out.
func (l *leasing) told(ctx context.Context) (*lease.Status, []lease.Follower) {
	k := l.keeper.Load()
	if k == nil {
		return nil, nil
	}
	status := k.Status()
	status.Label = l.label
	ctx, cancel := context.WithTimeout(ctx, lease.CallFor)
	defer cancel()
	followers, err := lease.Followers(ctx, l.place, l.keys)
	if err != nil {
		l.log.Warn("lease: what standbys say cannot be read", slog.Any("error", err))
	}
	return &status, followers
}

// gauges tell how the lease stands, when they are read.
func (l *leasing) gauges() []gauge {
	return []gauge{
		{name: "panshi_lease_epoch", help: "The epoch under which this shop writes, 0 without a lease.", read: func() float64 { return float64(l.epoch()) }},
		{name: "panshi_lease_age_seconds", help: "How long ago the lease was confirmed, 0 without one.", read: l.age},
		{name: "panshi_lease_shut", help: "1 if the shop must not write now.", read: func() float64 { return oneIf(l.check() != nil) }},
	}
}

func (l *leasing) age() float64 {
	k := l.keeper.Load()
	if k == nil {
		return 0
	}
	return clock.System{}.Now().Sub(k.Status().Confirmed).Round(time.Millisecond).Seconds()
}

// gated is a database that nobody writes to without the lease.
type gated struct {
	cache.Database
	lease *leasing
}

// Update implements db.DB. A process may sleep anywhere: so it looks before the
// work, at its end, where all can be undone, and after the commit. What is
// committed then and not acknowledged is found by who repeats it.
func (g gated) Update(ctx context.Context, fn func(tx *db.Tx) error) error {
	if err := g.lease.check(); err != nil {
		return err
	}
	err := g.Database.Update(ctx, func(tx *db.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return g.lease.check()
	})
	if err != nil {
		return err
	}
	return g.lease.check()
}

// fenced is a destination to which nothing goes without the lease.
type fenced struct {
	backup.Destination
	lease *leasing
}

// Put implements backup.Destination.
func (f fenced) Put(ctx context.Context, name string, body backup.Body) error {
	if err := f.lease.check(); err != nil {
		return backup.Unavailable(err)
	}
	return f.Destination.Put(ctx, name, body)
}

// Delete implements backup.Destination.
func (f fenced) Delete(ctx context.Context, name string) error {
	if err := f.lease.check(); err != nil {
		return backup.Unavailable(err)
	}
	return f.Destination.Delete(ctx, name)
}
