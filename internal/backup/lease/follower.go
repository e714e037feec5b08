package lease

import (
	"context"
	"strings"
	"time"

	"panshi/internal/backup"
)

// followerPrefix begins the names of what standbys say of themselves.
const followerPrefix = backup.LeasePrefix + "follower-"

// Follower is what a standby says of itself.
type Follower struct {
	Node        string `json:"node"`
	Time        int64  `json:"time"` // milliseconds since 1970 UTC, by its clock
	Generation  string `json:"generation"`
	Transaction uint64 `json:"transaction"`
	State       int64  `json:"state"`  // time of that transaction, milliseconds
	Behind      uint64 `json:"behind"` // transactions that it knows of and does not have
	BehindMS    int64  `json:"behind_ms"`
	Failure     string `json:"failure,omitempty"` // code of what holds it up
}

// At is Time as a time.
func (f Follower) At() time.Time { return time.UnixMilli(f.Time).UTC() }

// StateAt is State as a time.
func (f Follower) StateAt() time.Time { return time.UnixMilli(f.State).UTC() }

// Tell writes what a standby says. Who may not write there cannot be seen from
// the shop; code backup_refused.
func Tell(ctx context.Context, d backup.Swapper, by Signer, f Follower) error {
	content, err := encode(followerKind, f, by)
	if err != nil {
		return err
	}
	name := followerPrefix + f.Node
	_, version, err := d.Load(ctx, name)
	if err != nil {
		return err
	}
	_, err = d.Swap(ctx, name, version, content)
	return err
}

// Followers reads what standbys of this shop said. What others wrote there is
// passed over.
func Followers(ctx context.Context, d backup.Swapper, by Signer) ([]Follower, error) {
	var names []string
	err := d.List(ctx, followerPrefix, func(o backup.Object) error {
		if strings.HasPrefix(o.Name, followerPrefix) {
			names = append(names, o.Name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []Follower
	for _, name := range names {
		content, _, err := d.Load(ctx, name)
		if err != nil {
			return nil, err
		}
		var f Follower
		if decode(followerKind, content, by.Signer(), &f) == nil && followerPrefix+f.Node == name {
			all = append(all, f)
		}
	}
	return all, nil
}
