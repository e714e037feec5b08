package backup

import (
	"context"
	"fmt"
	"time"

	"panshi/internal/errs"
)

// HoldPrefix begins the names of holds.
const HoldPrefix = "hold/"

// HoldFor is how long a hold counts by our clock; a restore that takes longer
// makes another one in time.
const HoldFor = 6 * time.Hour

// Hold asks the retention of whoever owns this destination to wait, because
// somebody reads from it: a restore makes one before it lists, and calls release
// when it ends. A credential that may not write gets code backup_refused; then
// retention has to be stopped at the shop.
func Hold(ctx context.Context, d Destination, now time.Time, id string) (release func(context.Context) error, err error) {
	name := fmt.Sprintf("%s%s-%013d", HoldPrefix, id, now.UnixMilli())
	if err := d.Put(ctx, name, Bytes(nil)); err != nil && !Is(err, "backup_object_exists") {
		return nil, err
	}
	return func(ctx context.Context) error { return d.Delete(ctx, name) }, nil
}

// Held fails with code backup_held while a hold counts. A hold from a clock that
// is up to HoldFor ahead of ours counts too.
func Held(ctx context.Context, d Destination, now time.Time) error {
	return d.List(ctx, HoldPrefix, func(o Object) error {
		at, ok := TimeOf(o.Name)
		if ok && at.After(now.Add(-HoldFor)) && at.Before(now.Add(HoldFor)) {
			return errs.New(errs.Conflict, "backup_held", "somebody restores from this destination").With("name", o.Name)
		}
		return nil
	})
}
