package fetch

import (
	"context"

	"panshi/internal/backup"
	"panshi/internal/backup/seal"
)

// Salvage is Open for what is left of a destination that somebody ruined: where
// only locked objects outlived him, manifests are gone or name what is. Every
// object is still proved before it is used, and a plan still has no gap; what
// came after its end nobody can tell.
func Salvage(ctx context.Context, from backup.Destination, reader seal.Reader, dir string) (*Fetcher, error) {
	f, err := Open(ctx, from, reader, dir)
	if !backup.Is(err, "backup_destination_altered") {
		return f, err
	}
	listed := map[string]bool{}
	if err := from.List(ctx, "", func(o backup.Object) error {
		listed[o.Name] = true
		return nil
	}); err != nil {
		return nil, err
	}
	for name, o := range f.objects {
		if !listed[o.Name] && !f.there(ctx, o.Name) {
			delete(f.objects, name)
		}
	}
	return f, nil
}
