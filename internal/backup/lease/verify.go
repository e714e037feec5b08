package lease

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"slices"

	"panshi/internal/backup"
)

// largest bounds what is read of an object that says who writes or follows.
const largest = 64 << 10

// Unsigned names the objects of a destination's lease that the shop of signer did
// not write, sorted: no manifest lists them, for they are exchanged all the time.
// One that is gone meanwhile is passed over.
func Unsigned(ctx context.Context, d backup.Destination, signer ed25519.PublicKey) (names []string, err error) {
	var all []string
	if err := d.List(ctx, backup.LeasePrefix, func(o backup.Object) error {
		all = append(all, o.Name)
		return nil
	}); err != nil {
		return nil, err
	}
	slices.Sort(all)
	for _, name := range all {
		content, err := whole(ctx, d, name)
		if backup.Is(err, "backup_object_missing") {
			continue
		}
		if err != nil {
			return names, err
		}
		kind := followerKind
		if name == Name {
			kind = leaseKind
		}
		var said struct{}
		if decode(kind, content, signer, &said) != nil {
			names = append(names, name)
		}
	}
	return names, nil
}

func whole(ctx context.Context, d backup.Destination, name string) ([]byte, error) {
	r, err := d.Get(ctx, name, 0, largest)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(r)
	return content, errors.Join(err, r.Close())
}
