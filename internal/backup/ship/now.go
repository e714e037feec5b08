package ship

import (
	"context"

	"panshi/internal/backup/spool"
)

// FullNow ships what is committed and writes a whole copy, and returns it. What
// was acknowledged before the call is in it.
func (s *Shipper) FullNow(ctx context.Context) (spool.File, error) {
	if err := s.ship(ctx); err != nil {
		return spool.File{}, err
	}
	if err := s.full(ctx); err != nil {
		return spool.File{}, err
	}
	return s.lastWhole(), nil
}
