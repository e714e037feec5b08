package lease

import (
	"context"
	"errors"
	"time"

	"panshi/internal/backup"
	"panshi/internal/errs"
)

// Claim is who wants to hold a lease.
type Claim struct {
	Node  string // the data directory; drawn once and kept
	Run   string // the process; drawn anew by each
	Epoch uint64 // that this node held last, 0 for none
	TTL   time.Duration
	// Promote raises the epoch whoever held it, and does not take an absent lease
	// for a new shop's: MinEpoch is then the highest epoch known otherwise.
	Promote  bool
	MinEpoch uint64
	// Depose does not wait for silence: the holder may live.
	Depose bool
	Now    func() time.Time
}

// seen is a lease with the version that a swap needs; Epoch 0 for none.
type seen struct {
	Lease
	version string
	since   time.Time // beginning of the swap that took it
}

func load(ctx context.Context, d backup.Swapper, by Signer) (seen, error) {
	ctx, cancel := context.WithTimeout(ctx, CallFor)
	defer cancel()
	content, version, err := d.Load(ctx, Name)
	if err != nil || version == "" {
		return seen{}, err
	}
	s := seen{version: version}
	return s, decode(leaseKind, content, by.Signer(), &s.Lease)
}

// Look gives the lease as a Load shows it, which may be an older one; Epoch 0 for
// none. Code lease_foreign, and those of a Swapper.
func Look(ctx context.Context, d backup.Swapper, by Signer) (Lease, error) {
	s, err := load(ctx, d, by)
	return s.Lease, err
}

// take takes the lease, or fails with
//
//	lease_lost     this node held it, and another one has it now
//	lease_held     a holder lives
//	lease_raced    another one took it at the same time
//	lease_foreign  it is another shop's
//
// and the codes of a Swapper; after backup_unavailable it may be taken, and the
// same node that takes again finds its own. It tries again when it deposes and the
// holder renewed at the same moment.
func (c Claim) take(ctx context.Context, d backup.Swapper, by Signer) (s seen, err error) {
	for range 5 {
		s, err = c.takeOnce(ctx, d, by)
		if !c.Depose || errs.CodeOf(err) != "lease_held" {
			break
		}
	}
	return s, err
}

func (c Claim) takeOnce(ctx context.Context, d backup.Swapper, by Signer) (seen, error) {
	now, err := load(ctx, d, by)
	if err != nil {
		return seen{}, err
	}
	epoch, wait, err := c.judge(now.Lease)
	if err != nil {
		return seen{}, err
	}
	if wait {
		if err := silent(ctx, d, by, now); err != nil {
			return seen{}, err
		}
	}
	next, began := c.lease(epoch), c.Now()
	version, err := write(ctx, d, by, now.version, next)
	if err == nil {
		return seen{next, version, began}, nil
	}
	s, err := c.settle(ctx, d, by, next, err)
	s.since = began
	return s, err
}

func (c Claim) lease(epoch uint64) Lease {
	return Lease{Epoch: epoch, Node: c.Node, Run: c.Run, Beat: 1, TTL: c.TTL.Milliseconds(), Time: c.Now().UnixMilli()}
}

// judge tells at which epoch the lease may be taken, and whether the holder has
// to be silent first.
func (c Claim) judge(l Lease) (epoch uint64, wait bool, err error) {
	known := max(l.Epoch, c.Epoch)
	switch {
	case l.Node == c.Node && l.Epoch > 0:
		return known, false, nil // a restart, or a promotion that was cut off
	case c.Promote:
		return max(known, c.MinEpoch) + 1, l.Epoch > 0 && !l.Released && !c.Depose, nil
	case l.Epoch == 0, l.Epoch < c.Epoch:
		return max(known, 1), false, nil
	case c.Epoch > 0:
		return 0, false, Lost(l)
	}
	return l.Epoch + 1, !l.Released, nil // brought back from a copy on another machine
}

// silent watches a lease for its TTL. A load that is answered from before says
// that nothing changed; then the swap fails.
func silent(ctx context.Context, d backup.Swapper, by Signer, since seen) error {
	ctx, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	tick := time.NewTicker(since.ttl() / 8)
	defer tick.Stop()
	for range 9 {
		select {
		case <-ctx.Done():
			return backup.Unavailable(ctx.Err())
		case <-tick.C:
		}
		now, err := load(ctx, d, by)
		if err != nil && !backup.Passing(err) {
			return err
		}
		if err == nil && now.version != since.version {
			return held(now.Lease)
		}
	}
	return nil
}

// settle finds out what a swap came to that gave an error.
func (c Claim) settle(ctx context.Context, d backup.Swapper, by Signer, want Lease, cause error) (seen, error) {
	now, err := load(ctx, d, by)
	switch {
	case err != nil:
		return seen{}, errors.Join(cause, err)
	case now.Run == c.Run && now.Epoch == want.Epoch:
		return now, nil // it was made
	case backup.Is(cause, "backup_swap_lost") && now.Epoch < want.Epoch:
		return seen{}, held(now.Lease) // it renewed
	case backup.Is(cause, "backup_swap_lost"):
		return seen{}, errs.Wrap(cause, errs.Conflict, "lease_raced", "another machine took the lease at the same time")
	}
	return seen{}, cause
}

func write(ctx context.Context, d backup.Swapper, by Signer, was string, l Lease) (string, error) {
	content, err := encode(leaseKind, l, by)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, CallFor)
	defer cancel()
	return d.Swap(ctx, Name, was, content)
}
