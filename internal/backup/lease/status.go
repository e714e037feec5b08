package lease

import (
	"time"

	"panshi/internal/errs"
)

// Status is how the lease of a running shop stands.
type Status struct {
	Label     string    `json:"label"` // of the destination that keeps it
	Epoch     uint64    `json:"epoch"`
	Node      string    `json:"node"`
	Confirmed time.Time `json:"confirmed,omitzero"`
	// MustConfirm: the shop takes no orders while the destination does not answer.
	MustConfirm bool   `json:"must_confirm"`
	Failure     string `json:"failure,omitempty"` // code of why the last renewal failed
}

// Status tells how the lease stands.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Status{Epoch: k.mine.Epoch, Node: k.cfg.Claim.Node, Confirmed: k.confirmed, MustConfirm: k.cfg.MustConfirm}
	for _, err := range []error{k.failed, k.end} {
		if err != nil {
			s.Failure = errs.CodeOf(err)
		}
	}
	return s
}
