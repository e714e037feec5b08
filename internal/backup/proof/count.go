package proof

import (
	"context"

	"panshi/internal/backup/manifest"
	"panshi/internal/backup/tally"
	"panshi/internal/db"
)

// Count adds up a restored shop: everything, at once.
func Count(ctx context.Context, d db.DB, tables []string) (sums manifest.Sums, err error) {
	err = d.View(db.WithLong(ctx), func(tx *db.Tx) error {
		sums, err = tally.NewCounter(tables).Count(tx, tx.Now())
		return err
	})
	return sums, err
}
