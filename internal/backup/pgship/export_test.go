package pgship

import "context"

// Merge merges the pieces whose time has come.
func (s *Shipper) Merge(ctx context.Context) error { return s.mergeDue(ctx) }
