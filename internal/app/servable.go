package app

import (
	"context"

	"panshi/internal/db/transfer"
)

// servable refuses a database that is on the move, or has moved away: nobody
// sells from two places.
func (s *Shop) servable(ctx context.Context) error { return transfer.Servable(ctx, s.db) }
