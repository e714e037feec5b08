package ship

import "context"

// Maintain is one round of keeping the spool in order.
func (s *Shipper) Maintain(ctx context.Context, round int) error { return s.maintain(ctx, round) }

// Full writes a whole copy.
func (s *Shipper) Full(ctx context.Context) error { return s.full(ctx) }

// Restarts counts how often the log started over in this run.
func (s *Shipper) Restarts() int { return s.pages.restarts }

// Hasten makes the log start over after a few pages.
func (s *Shipper) Hasten() { s.limits = limits{every: 800, most: 4000, rest: 400} }
