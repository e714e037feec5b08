package lease

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"panshi/internal/backup"
	"panshi/internal/clock"
	"panshi/internal/errs"
)

// Times of a lease. A holder that meets a higher epoch stops within Every and the
// time that the destination takes to answer, at most CallFor.
const (
	Every   = 2 * time.Second
	CallFor = 3 * time.Second
	TTL     = 10 * time.Second
)

// Config is what a Keeper needs.
type Config struct {
	Dest   backup.Swapper
	Signer Signer
	Claim  Claim
	// MustConfirm closes the shop when no renewal succeeded for four fifths of TTL;
	// else a destination that does not answer stops nobody.
	MustConfirm bool
	// Position tells how far the shop has shipped; may be nil.
	Position func() (generation string, transaction uint64)
	Clock    clock.Clock
	Log      *slog.Logger
}

// Keeper holds a lease. Make it with Hold, or with Unconfirmed when the
// destination did not answer.
type Keeper struct {
	cfg  Config
	lost chan struct{} // closed when another machine holds

	mu        sync.Mutex
	mine      seen      // guarded by mu; version "" before the first swap
	confirmed time.Time // guarded by mu; beginning of the last renewal that succeeded
	looked    time.Time // guarded by mu; when the last try of any outcome began
	failed    error     // guarded by mu; of the last try
	end       error     // guarded by mu; why it holds no more
}

// Hold takes the lease. See Take for what it fails with.
func Hold(ctx context.Context, cfg Config) (*Keeper, error) {
	k := newKeeper(cfg)
	s, err := cfg.Claim.take(ctx, cfg.Dest, cfg.Signer)
	if err != nil {
		return nil, err
	}
	k.mine, k.confirmed, k.looked = s, s.since, s.since
	return k, nil
}

// Unconfirmed goes on with the epoch that the node held last, because the
// destination does not answer; the first renewal that is answered decides.
func Unconfirmed(cfg Config, cause error) *Keeper {
	k := newKeeper(cfg)
	k.mine.Lease = cfg.Claim.lease(max(cfg.Claim.Epoch, 1))
	k.looked, k.failed = cfg.Clock.Now(), cause
	return k
}

func newKeeper(cfg Config) *Keeper { return &Keeper{cfg: cfg, lost: make(chan struct{})} }

// Lost is closed when another machine holds the lease.
func (k *Keeper) Lost() <-chan struct{} { return k.lost }

// Epoch is that of this shop.
func (k *Keeper) Epoch() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mine.Epoch
}

// Check is nil if the shop may write now. Codes lease_lost, lease_unsure. It asks
// nobody and never waits.
func (k *Keeper) Check() error {
	now := k.cfg.Clock.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.end != nil:
		return k.end
	case now.Sub(k.looked) > k.cfg.Claim.TTL*4/5:
		return unsure("it slept and has not looked again")
	case k.cfg.MustConfirm && now.Sub(k.confirmed) > k.cfg.Claim.TTL*4/5:
		return unsure("the destination of the lease does not answer")
	}
	return nil
}

// Run renews until ctx ends or the lease is lost.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.lost:
			return
		case <-tick.C:
		}
		k.renew(ctx, false)
	}
}

// Release gives the lease back, so that nobody has to wait for silence. The shop
// has stopped writing.
func (k *Keeper) Release(ctx context.Context) { k.renew(ctx, true) }

// renew makes one swap, or two when the first one met the work of an earlier one
// that had timed out.
func (k *Keeper) renew(ctx context.Context, release bool) {
	call, cancel := context.WithTimeout(ctx, CallFor)
	defer cancel()
	began := k.cfg.Clock.Now()
	k.mu.Lock()
	mine, ended := k.mine, k.end != nil
	k.mu.Unlock()
	if ended {
		return
	}
	next, err := k.swap(call, mine, release)
	if backup.Is(err, "backup_swap_lost") {
		var now seen
		if now, err = k.meet(call, mine); err == nil {
			next, err = k.swap(call, now, release)
		}
	}
	if ctx.Err() == nil {
		k.note(began, next, err)
	}
}

func (k *Keeper) swap(ctx context.Context, from seen, release bool) (seen, error) {
	next := from.Lease
	next.Beat, next.Time, next.Released = next.Beat+1, k.cfg.Clock.Now().UnixMilli(), release
	if k.cfg.Position != nil {
		next.Generation, next.Transaction = k.cfg.Position()
	}
	version, err := write(ctx, k.cfg.Dest, k.cfg.Signer, from.version, next)
	return seen{Lease: next, version: version}, err
}

// meet judges what stands where our lease should: from what the next swap goes,
// or lease_lost.
func (k *Keeper) meet(ctx context.Context, mine seen) (seen, error) {
	now, err := load(ctx, k.cfg.Dest, k.cfg.Signer)
	switch {
	case errs.CodeOf(err) == "lease_foreign": // damaged, or vandalised: who holds says so again
		return seen{Lease: mine.Lease, version: now.version}, nil
	case err != nil:
		return seen{}, err
	case now.version == "", now.Epoch < mine.Epoch, now.Epoch == mine.Epoch && now.Run == mine.Run:
		// Gone, set back, or ours: whoever holds the highest epoch writes it anew.
		mine.version, mine.Beat = now.version, max(mine.Beat, now.Beat)
		return mine, nil
	case mine.version == "" && now.Node == mine.Node:
		mine.version, mine.Epoch = now.version, now.Epoch // held by the run before this one
		return mine, nil
	}
	return seen{}, Lost(now.Lease)
}

func (k *Keeper) note(began time.Time, next seen, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.failed
	k.looked, k.failed = began, err
	switch {
	case err == nil:
		k.mine, k.confirmed = next, began
		if was != nil {
			k.cfg.Log.Info("lease: confirmed again", slog.Uint64("epoch", next.Epoch))
		}
	case errs.CodeOf(err) == "lease_lost":
		k.end = err
		k.cfg.Log.Error("lease: another machine writes for this shop; this one stops", slog.Any("error", err))
		close(k.lost)
	case was == nil:
		k.cfg.Log.Error("lease: it cannot be renewed", slog.Any("error", err), slog.Bool("must_confirm", k.cfg.MustConfirm))
	}
}
