package ship

import (
	"context"
	"io"

	"github.com/benbjohnson/litestream"
	"github.com/superfly/ltx"
)

// Maintain is one round of keeping the spool in order.
func (s *Shipper) Maintain(ctx context.Context, round int) error { return s.maintain(ctx, round) }

// Full writes a whole copy.
func (s *Shipper) Full(ctx context.Context) error { return s.full(ctx) }

// Restarts counts how often the log started over in this run.
func (s *Shipper) Restarts() int { return s.pages.restarts }

// Hasten makes the log start over after a few pages.
func (s *Shipper) Hasten() { s.limits = limits{every: 800, most: 4000, rest: 400} }

// Forget makes litestream write into nothing from now on.
func (s *Shipper) Forget(context.Context) {
	s.cycle.Lock()
	defer s.cycle.Unlock()
	s.engine.Replica.Client = nowhere{s.client}
}

type nowhere struct{ *client }

var _ litestream.ReplicaClient = nowhere{}

func (nowhere) WriteLTXFile(_ context.Context, level int, first, last ltx.TXID, r io.Reader) (*ltx.FileInfo, error) {
	_, err := io.Copy(io.Discard, r)
	return &ltx.FileInfo{Level: level, MinTXID: first, MaxTXID: last}, err
}
